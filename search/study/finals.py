"""Finals: networks trained to the end and read once on the test part, as a study records them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from search.study.checks import (
    Damaged,
    boolean,
    cells_of,
    identifier,
    integer,
    mapping,
    member,
    number,
    sequence,
    string,
)

KIND = "final"
# Where a final's weights lie within the study's folder; nothing else is ever opened.
_FOLDER = re.compile(r"finals/[0-9a-z-]+")
Final = Mapping[str, Any]


def checked_finals(values: Iterable[object], where: str) -> list[dict[str, Any]]:
    """Check finals, as JSON, and return them in the order of their reading.

    Raises `Damaged` for a missing key, a wrong type, or a value out of range.
    """
    found = [_checked(value, f"{where}[{at}]") for at, value in enumerate(values)]
    return sorted(found, key=lambda final: int(final["number"]))


def on_own_data(finals: Iterable[Final]) -> list[dict[str, Any]]:
    """Return those that belong on the study's own tables."""
    return [dict(final) for final in finals if final["data"]["own"]]


def firsts(finals: Iterable[Final]) -> dict[str, Final]:
    """Return the first final of each architecture, by id: the one not chosen by a test figure."""
    found: dict[str, Final] = {}
    for one in finals:
        found.setdefault(one["arch_id"], one)
    return found


def taught_by(finals: Iterable[Final], name: str) -> set[str]:
    """Return the keys of the finals that learned from the teacher of that name."""
    return {one["key"] for one in finals if (one["teacher"] or {}).get("name") == name}


def readings(finals: Iterable[Final], arch_id: str, test: str) -> int:
    """Return how often an architecture was read on the test part with that fingerprint."""
    return sum(one["arch_id"] == arch_id and one["data"]["test"] == test for one in finals)


def _checked(value: object, where: str) -> dict[str, Any]:
    final = mapping(value, where)
    cell = cells_of(final, where)

    identifier(*cell("arch_id"))
    for key in ("key", "name", "from", "folder"):
        string(*cell(key))
    if not _FOLDER.fullmatch(final["folder"]):
        raise Damaged(f"{where}.folder must be a folder of finals/")
    for seed in sequence(*cell("seed_numbers")):
        integer(seed, f"{where}.seed_numbers")
    sequence(*cell("ece_bins"))
    for key in ("number", "multiplies", "params"):
        integer(*cell(key))
    for key in ("epochs", "seeds", "reading"):
        integer(*cell(key), 1)
    for key in ("accuracy", "balanced_accuracy", "ece"):
        number(*cell(key), 0, 1)
    number(*cell("nll"), 0)
    for key in ("accuracy_std", "balanced_accuracy_std"):
        if cell(key)[0] is not None:
            number(*cell(key), 0)
    teacher = cell("teacher")
    if teacher[0] is not None:
        string(member(mapping(*teacher), "name", teacher[1]), f"{teacher[1]}.name")
    classes = _checked_data(*cell("data"))
    _checked_rates(*cell("per_class"), len(classes))
    confusion, place = cell("confusion")
    rows = sequence(confusion, place)
    if len(rows) != len(classes) or any(len(sequence(row, place)) != len(classes) for row in rows):
        raise Damaged(f"{place} must have a row and a column for each class")
    for count in (count for row in rows for count in row):
        integer(count, place)
    return final


def _checked_data(value: object, where: str) -> Sequence[str]:
    data = mapping(value, where)
    boolean(member(data, "own", where), f"{where}.own")
    for key in ("name", "test"):
        string(member(data, key, where), f"{where}.{key}")
    for key in ("train_images", "test_images"):
        integer(member(data, key, where), f"{where}.{key}", 1)
    classes = sequence(member(data, "classes", where), f"{where}.classes")
    return [string(name, f"{where}.classes") for name in classes]


def _checked_rates(value: object, where: str, count: int) -> None:
    rates = sequence(value, where)
    if len(rates) != count:
        raise Damaged(f"{where} must have an entry for each class")
    for rate in rates:
        if rate is not None:
            number(rate, where, 0, 1)
