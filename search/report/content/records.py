"""What a study keeps beside its trials, as the page shows it: only what has the expected form."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from search.errors import shown
from search.report.content.trials import finite
from search.study.curves import CONFIRMATION, KIND
from search.study.finals import Final, firsts, on_own_data
from search.study.study import Study
from search.study.trials import FrontEntry, Trial

# Learning curves of more trials than this are left out but for those of the front.
_CURVES = 1000
# Lists of a stored curve that are drawn, each [epochs].
_LISTS = ("epochs", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
CurveLists = dict[str, list[float | None]]
"""A learning curve as lists [epochs] by the names of `_LISTS`."""
# Confusion matrices with more classes are not drawn.
_CLASSES = 40


@dataclass(frozen=True)
class Landmark:
    """A known network, trained as the candidates were and scored on the validation part.

    `balanced_accuracy` is None where it was not measured.
    """

    name: str
    multiplies: int
    accuracy: float
    balanced_accuracy: float | None


@dataclass(frozen=True)
class FinalRow:
    """A network trained to the end and read on the test part.

    `reading`: which reading of the test part it was; `confusion`: counts by true class and
    prediction, [classes][classes], empty where there are too many classes.
    """

    accuracy: float
    accuracy_std: float | None
    balanced_accuracy: float
    epochs: int
    seeds: int
    reading: int
    confusion: list[list[int]]


def curves(
    study: Study, trials: Sequence[Trial], found: Iterable[FrontEntry]
) -> dict[str, CurveLists]:
    """Return learning curves by number of the trial."""
    wanted = {str(row.trial) for row in found}
    if len(trials) <= _CURVES:
        wanted = {str(trial.number) for trial in trials}
    return _kept(study.records(KIND), wanted)


def fresh_curves(
    study: Study, again: Iterable[Trial], found: Iterable[FrontEntry]
) -> dict[str, list[CurveLists]]:
    """Return the curves of each member's trainings with fresh seeds, `again`, by its id."""
    members = {row.arch_id for row in found}
    ids = {str(trial.number): trial.arch_id for trial in again if trial.arch_id in members}
    grouped: dict[str, list[CurveLists]] = {}
    for key, lists in _kept(study.records(CONFIRMATION), ids).items():
        grouped.setdefault(ids[key], []).append(lists)
    return grouped


def _kept(records: Mapping[str, object], wanted: Collection[str]) -> dict[str, CurveLists]:
    kept = {}
    for key, stored in records.items():
        if key not in wanted or not isinstance(stored, Mapping):
            continue
        lists = {name: list(stored[name]) for name in _LISTS if _numbers(stored.get(name))}
        if lists.get("epochs") and len({len(values) for values in lists.values()}) == 1:
            kept[key] = lists
    return kept


def landmarks(study: Study) -> list[Landmark]:
    """Return the known networks that were trained beside the search, cheapest first."""
    found = [
        Landmark(
            shown(one.name, 60),
            one.multiplies,
            round(one.accuracy, 6),
            finite(one.balanced_accuracy),
        )
        for one in study.landmarks()
        if one.status == "ok" and math.isfinite(one.accuracy)
    ]
    return sorted(found, key=lambda one: one.multiplies)


def finals(study: Study) -> dict[str, FinalRow]:
    """Return the first final of each network on the study's own data, by its id."""
    found = firsts(on_own_data(study.finals()))
    return {arch_id: _final(one) for arch_id, one in found.items()}


def _final(stored: Final) -> FinalRow:
    spread, rows = stored["accuracy_std"], stored["confusion"]
    return FinalRow(
        round(stored["accuracy"], 6),
        None if spread is None else round(spread, 6),
        round(stored["balanced_accuracy"], 6),
        stored["epochs"],
        stored["seeds"],
        stored["reading"],
        rows if len(rows) <= _CLASSES else [],
    )


def _numbers(values: object) -> bool:
    return isinstance(values, list) and all(
        value is None or type(value) in (int, float) for value in values
    )
