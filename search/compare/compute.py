"""Hypervolume of a search's front over the compute or the time spent.

Compute is counted in multiplies per training image, 3 × multiplies × epochs: a forward pass, and a
backward pass of twice its cost. Studies that can be compared train on equally many images, so their
number is left out; a user's own evaluator, without images, is counted alike.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.compare.studies import Entry
from search.pareto import Objective, Point, area_after_each, hypervolume, value_of

Floats = NDArray[np.float64]
# A training step costs one forward pass and two gradients of the same cost each.
_PASSES = 3


@dataclass(frozen=True)
class Reference:
    """The area in which all fronts of a comparison are measured.

    It spans `low` to `high` multiplies and accuracy from `chance` to 1.
    """

    low: int
    high: int
    chance: float

    def area(self, points: Sequence[Point]) -> float:
        """Return the hypervolume of (multiplies, accuracy) points, in [0, 1]."""
        return hypervolume(points, low=self.low, high=self.high, chance=self.chance)


@dataclass(frozen=True, eq=False)
class Curve:
    """The area of a search's front after each of its trials."""

    spent: Floats  # [trials], rising
    area: Floats  # [trials]

    def at(self, grid: Floats) -> Floats:
        """Return the area at each point of `grid`: a step function, 0 before the first trial."""
        place = np.searchsorted(self.spent, grid, side="right")
        return np.concatenate([[0.0], self.area])[place]

    @property
    def end(self) -> float:
        """The total spent."""
        return float(self.spent[-1])


def reference(entries: Sequence[Entry]) -> Reference:
    """Return the common reference: the smallest cheapest cost to the largest budget."""
    return Reference(
        min(entry.info.cheapest for entry in entries),
        max(entry.info.high for entry in entries),
        entries[0].info.chance,
    )


def curve(
    entry: Entry,
    within: Reference,
    price: Callable[[Entry], Sequence[float]],
    objective: Objective = "accuracy",
) -> Curve:
    """Return the area of a study's front after each of its trials, over their summed `price`."""
    points = (
        (trial.multiplies, value_of(trial.result, objective))
        if trial.completed(entry.info.epochs)
        else None
        for trial in entry.trials
    )
    areas = area_after_each(points, low=within.low, high=within.high, chance=within.chance)
    return Curve(np.cumsum(price(entry)), np.array(areas))


def compute(entry: Entry) -> list[float]:
    """Return the training compute of each trial, in multiplies per training image.

    A training that continues a shorter one of the same architecture and seed costs what it added:
    the shorter one's learning-rate decay, `train.decay` of its epochs, is not part of the longer.
    With `train.finish=average` there is no decay.
    A result taken over from another trial costs nothing, a failure its full price.
    """
    train = entry.settings.get("train", {})
    decay = 0.0 if train.get("finish") == "average" else float(train.get("decay", 0.0))
    before: dict[tuple[str, int], float] = {}
    prices = []
    for trial in entry.trials:
        key = (trial.arch_id, trial.job.seed)
        shared = before.get(key, 0.0)
        epochs = 0.0 if trial.same_as is not None else trial.job.epochs - shared
        prices.append(_PASSES * trial.multiplies * max(0.0, epochs))
        if trial.result.status == "ok":
            before[key] = max(shared, trial.job.epochs * (1 - decay))
    return prices


def seconds(entry: Entry) -> list[float]:
    """Return the recorded seconds of each trial, compilation included."""
    return [trial.result.seconds for trial in entry.trials]


class Measurement(NamedTuple):
    """One network: its cost, what the search maximises, and its balanced accuracy (or NaN)."""

    multiplies: int
    value: float
    balanced: float


def best_within(measured: Sequence[Measurement], level: int) -> Measurement | None:
    """Return the network of the highest value within `level` multiplies, None where none is."""
    inside = (one for one in measured if one.multiplies <= level and not math.isnan(one.value))
    return max(inside, key=lambda one: one.value, default=None)
