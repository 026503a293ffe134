"""`search.load`: the model that a path or a name stands for."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from search.errors import UserError, nearest, shown
from search.export import unit
from search.export.model import Model
from search.export.weights import Packed, kind_of_weights, measured_of, unpack
from search.study.finals import firsts
from search.study.study import locate
from search.study.tables import read_front
from search.study.trials import FrontEntry
from search.units import format_multiplies, parse_multiplies

Weights = Literal["final", "search"]
_WEIGHTS = ("final", "search")


def load(
    study: str | Path,
    id: str | None = None,  # noqa: A002 - the word of the command line and of the tables
    *,
    weights: Weights | None = None,
    convolutions: str = "fast",
) -> Model:
    """Return a model of a study's front, with its weights, ready to predict.

    `study` is a folder, a name under `outputs/`, a front that comes with the package (`digits`,
    `fashion_mnist`), or a folder of `Model.save`; with `@50k` the most accurate within 50 k
    multiplies. `id` picks an architecture by its id or the beginning of it; by default the most
    accurate of the front is returned. `weights` are `final`, of `convbudget retrain`, or `search`;
    by default final where there are some. Of several finals it is the first, which no test figure
    chose; the others are loaded by their folders. `convolutions="xla"` builds it of XLA's own
    operations, for `jax.export`, jax2tf or whatever else traces `module`. Raises `UserError` where
    there is no such model, or a file is damaged.
    """
    return Model(find(study, id, weights=weights), convolutions=convolutions)


def find(
    study: str | Path,
    id: str | None = None,  # noqa: A002 - as in load
    *,
    weights: Weights | None = None,
) -> Packed:
    """Return what `load` makes a model of, without building it."""
    if weights not in (None, *_WEIGHTS):
        raise UserError(
            f"weights={shown(weights)} is unknown; write final, search, or leave it out"
        )
    name, budget = _split(str(study))
    # An id is text; another value is refused as an unknown one is.
    wanted = None if id is None else str(id)
    limit = parse_multiplies(budget, f"{study}: budget") if budget else None
    folder = locate(name)
    if unit.holds(folder) or (folder / unit.PREPROCESS).is_file():
        return _saved(folder, limit, wanted, weights)
    content, found = read_front(folder)
    if not found:
        raise UserError(f"{name} has no front yet; run its command until a trial succeeds")
    if limit is not None:
        inside = [row for row in found if row.multiplies <= limit]
        if not inside:
            raise UserError(
                f"{name}@{budget}: nothing on the front costs so little; the cheapest costs"
                f" {format_multiplies(found[0].multiplies)}"
            )
        found = inside
    finals = _finals(folder, content) if weights != "search" else {}
    rows = {row.arch_id: row for row in found}
    chosen = (
        found[-1].arch_id if wanted is None else _matching(wanted, [*rows, *finals], str(study))
    )
    if chosen in finals:
        packed = unit.read(finals[chosen])
        if packed.arch.id != chosen:
            raise UserError(f"{packed.path} is of {packed.arch.id}; retrain {chosen} again")
        return packed
    if weights == "final":
        raise UserError(f"{name} has no final weights of {chosen}; run convbudget retrain first")
    return _of_search(folder, rows[chosen])


def _split(text: str) -> tuple[str, str]:
    """Split `NAME@BUDGET`; a folder whose path has an @ in it stays whole."""
    name, at, budget = text.rpartition("@")
    if not at or Path(text).is_dir():
        return text, ""
    if not budget:
        raise UserError(f"{shown(text)} ends with @; add a budget, such as @50k, or leave it out")
    return name, budget


def _saved(folder: Path, limit: int | None, wanted: str | None, weights: Weights | None) -> Packed:
    packed = unit.read(folder)
    if limit is not None and packed.multiplies > limit:
        raise UserError(
            f"{folder} is one saved model of {format_multiplies(packed.multiplies)} multiplies,"
            f" above {format_multiplies(limit)}"
        )
    if wanted is not None and not (wanted and packed.arch.id.startswith(wanted)):
        raise UserError(
            f"id={shown(wanted)} is not {packed.arch.id}, the one saved model in {folder}; leave"
            " id= out"
        )
    if weights is not None and weights != kind_of_weights(packed):
        raise UserError(
            f"{folder} is one saved model with {kind_of_weights(packed)} weights, not {weights}"
            " ones; leave weights= out"
        )
    return packed


def _of_search(folder: Path, row: FrontEntry) -> Packed:
    path = folder / "weights" / f"{row.arch_id}.safetensors"
    if not path.exists():
        raise UserError(
            f"{folder} keeps no weights of {row.arch_id}: its evaluator trained no network, or they"
            " were removed; build it fresh with search.build, or run a search that trains"
        )
    packed = unpack(path)
    if packed.arch.id != row.arch_id:
        raise UserError(
            f"{packed.path} holds the weights of {packed.arch.id}; run the study's command again"
        )
    # Files of the first version don't say how the accuracy was measured.
    known = packed.measured.epochs is not None
    return packed if known else replace(packed, measured=measured_of(row))


def _finals(folder: Path, content: Mapping[str, Any]) -> dict[str, Path]:
    """Return where the first final of each network lies, of those that are kept, by its id."""
    found = firsts(content.get("finals", ()))
    places = {arch_id: folder / one["folder"] for arch_id, one in found.items()}
    return {arch_id: place for arch_id, place in places.items() if unit.holds(place)}


def _matching(wanted: str, known: list[str], where: str) -> str:
    """Return the one of `known` that is `wanted`, or begins with it."""
    names = list(dict.fromkeys(known))
    found = [name for name in names if wanted and name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"id={wanted} is the beginning of {' and '.join(found)}; write more of it")
    raise UserError(f"id={shown(wanted)} is not on the front of {where}; {nearest(wanted, names)}")
