"""Which members of a front are meant, and their weights."""

from collections.abc import Sequence
from pathlib import Path

from search.errors import UserError, nearest, shown
from search.export.weights import Packed, unpack
from search.study.trials import FrontEntry
from search.units import format_multiplies, parse_multiplies


def by_id(found: Sequence[FrontEntry], wanted: str, name: str) -> FrontEntry:
    """Return the member whose id begins with `wanted`; `name` is the study in the `UserError`."""
    matches = [row for row in found if wanted and row.arch_id.startswith(wanted)]
    if len(matches) == 1:
        return matches[0]
    known = [row.arch_id for row in matches or found]
    if matches:
        raise UserError(f"id {shown(wanted)} begins several of {name}: {', '.join(known)}")
    raise UserError(f"id {shown(wanted)} is not on the front of {name}; {nearest(wanted, known)}")


def within(found: Sequence[FrontEntry], budget: str, name: str) -> FrontEntry:
    """Return the most accurate member of at most `budget` multiplies, or raise `UserError`."""
    limit = parse_multiplies(budget, "--at")
    inside = [row for row in found if row.multiplies <= limit]
    if not inside:
        raise UserError(
            f"--at {shown(budget)} is less than anything on the front of {name} costs; the cheapest"
            f" costs {format_multiplies(found[0].multiplies)}"
        )
    return inside[-1]


def unpacked(folder: Path, row: FrontEntry) -> Packed:
    """Return the weights that a study keeps of a front's member, or raise `UserError`."""
    path = folder / "weights" / f"{row.arch_id}.safetensors"
    if not path.exists():
        raise UserError(
            f"{folder} keeps no weights of {row.arch_id}: its evaluator trained no network, or they"
            " were removed; run a search that trains, or the study's command again"
        )
    packed = unpack(path)
    if packed.arch.id != row.arch_id:
        raise UserError(
            f"{packed.path} holds the weights of {packed.arch.id}; run the study's command again"
        )
    return packed
