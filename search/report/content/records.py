"""What a study keeps beside its trials, as the page shows it: only what has the expected form."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.errors import shown
from search.study.study import Study
from search.study.trials import FrontEntry, Trial

# Learning curves of more trials than this are left out but for those of the front.
_CURVES = 1000
# Lists of a stored curve that are drawn, each [epochs].
_LISTS = (
    *("epochs", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"),
    "learning_rate",
)
# Confusion matrices with more classes are not drawn.
_CLASSES = 40


@dataclass(frozen=True)
class Landmark:
    """A known network, trained as the candidates were."""

    name: str
    multiplies: int
    accuracy: float


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
) -> dict[str, dict[str, list[float | None]]]:
    """Return learning curves by number of the trial, as lists [epochs]."""
    wanted = {str(row.trial) for row in found}
    if len(trials) <= _CURVES:
        wanted = {str(trial.number) for trial in trials}
    kept = {}
    for key, stored in study.records("curve").items():
        if key not in wanted or not isinstance(stored, Mapping):
            continue
        lists = {name: list(stored[name]) for name in _LISTS if _numbers(stored.get(name))}
        if lists.get("epochs") and len({len(values) for values in lists.values()}) == 1:
            kept[key] = lists
    return kept


def landmarks(study: Study) -> list[Landmark]:
    """Return the known networks that were trained beside the search, cheapest first."""
    found = [
        Landmark(shown(one.name, 60), one.multiplies, round(one.accuracy, 6))
        for one in study.landmarks()
        if one.status == "ok" and math.isfinite(one.accuracy)
    ]
    return sorted(found, key=lambda one: one.multiplies)


def finals(study: Study) -> dict[str, FinalRow]:
    """Return the last final of each network on the study's own data, by its id."""
    found: dict[str, tuple[int, FinalRow]] = {}
    for stored in study.records("final").values():
        row = _final(stored)
        if row is not None:
            key, number = str(stored["arch_id"]), int(stored["number"])
            if key not in found or found[key][0] < number:
                found[key] = number, row
    return {key: row for key, (_, row) in found.items()}


def latencies(study: Study) -> dict[str, float]:
    """Return the median latency in milliseconds of batch 1 by id of the network."""
    found = {}
    for stored in study.records("latency").values():
        if isinstance(stored, Mapping) and stored.get("batch") == 1:
            median = stored.get("median_ms")
            if isinstance(stored.get("arch_id"), str) and isinstance(median, (int, float)):
                found[str(stored["arch_id"])] = float(median)
    return found


def _final(stored: Any) -> FinalRow | None:
    try:
        if not stored["data"]["own"]:
            return None
        rows = [[int(count) for count in row] for row in stored["confusion"]]
        spread = stored["accuracy_std"]
        return FinalRow(
            round(float(stored["accuracy"]), 6),
            None if spread is None else round(float(spread), 6),
            round(float(stored["balanced_accuracy"]), 6),
            int(stored["epochs"]),
            int(stored["seeds"]),
            int(stored["reading"]),
            rows if len(rows) <= _CLASSES else [],
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        # Of a later version, or damaged: `convbudget front` says so, the page leaves it out.
        return None


def _numbers(values: object) -> bool:
    return isinstance(values, list) and all(
        value is None or type(value) in (int, float) for value in values
    )
