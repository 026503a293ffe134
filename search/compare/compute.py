"""How good the front was after how much was spent.

Compute is counted in multiplies per training image: 3 × multiplies × epochs, a forward pass and a
backward pass of twice its cost. All that can be compared has trained on equally many images, so
their number is left out, and one's own evaluator without images counts alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.compare.studies import Entry
from search.pareto import Point, hypervolume
from search.study.trials import Trial

Floats = NDArray[np.float64]
# A training step costs a forward pass and, for two gradients, twice as much again.
_PASSES = 3


@dataclass(frozen=True)
class Reference:
    """The one area that all fronts of a comparison are measured in; multiplies, and accuracy."""

    low: int
    high: int
    chance: float

    def area(self, points: Sequence[Point]) -> float:
        """Return the hypervolume of (multiplies, accuracy) points, in [0, 1]."""
        return hypervolume(points, low=self.low, high=self.high, chance=self.chance)


@dataclass(frozen=True, eq=False)
class Curve:
    """After `spent` (rising, one entry a trial) the front of the search had the `area`."""

    spent: Floats
    area: Floats

    def at(self, grid: Floats) -> Floats:
        """Return the area at each point of `grid`: a step function, 0 before the first trial."""
        place = np.searchsorted(self.spent, grid, side="right")
        return np.concatenate([[0.0], self.area])[place]

    @property
    def end(self) -> float:
        """All that was spent."""
        return float(self.spent[-1])


def reference(entries: Sequence[Entry]) -> Reference:
    """Return the common reference: the smallest cheapest cost to the largest budget."""
    return Reference(
        min(entry.info.cheapest for entry in entries),
        max(entry.info.high for entry in entries),
        entries[0].info.chance,
    )


def curve(entry: Entry, within: Reference, price: Callable[[Entry], Sequence[float]]) -> Curve:
    """Return the area of a study's front after each of its trials, over what `price` counts."""
    areas: list[float] = []
    kept: list[Point] = []
    for trial in entry.trials:
        point = (trial.multiplies, trial.result.accuracy)
        if trial.completed(entry.info.epochs) and not any(_covers(other, point) for other in kept):
            kept = [other for other in kept if not _covers(point, other)] + [point]
            areas.append(within.area(kept))
        else:
            areas.append(areas[-1] if areas else 0.0)
    return Curve(np.cumsum(price(entry)), np.array(areas))


def compute(entry: Entry) -> list[float]:
    """Return the training compute of each trial, in multiplies per training image.

    A training that went on from a shorter one of the same architecture and seed is charged for
    what it added: the shorter one's decay of the learning rate, `train.decay` of its epochs, is
    not part of the longer. A result that was taken over costs nothing, a failure its full price.
    """
    decay = float(entry.settings.get("train", {}).get("decay", 0.0))
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
    """Return the seconds that each trial took, as stored: compilation included, one after other."""
    return [trial.result.seconds for trial in entry.trials]


def best_within(trials: Sequence[Trial] | Sequence[Point], level: int) -> float | None:
    """Return the best accuracy at no more than `level` multiplies; None where nothing is."""
    points = [(t.multiplies, t.result.accuracy) if isinstance(t, Trial) else t for t in trials]
    return max((accuracy for cost, accuracy in points if cost <= level), default=None)


def _covers(first: Point, second: Point) -> bool:
    return first[0] <= second[0] and first[1] >= second[1]
