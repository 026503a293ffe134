"""Pareto front and hypervolume of points (multiplies, accuracy).

Fewer multiplies and more accuracy are better. Which accuracy is meant, over all images or the mean
over classes, is a study's objective.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol, get_args

Point = tuple[int, float]
Objective = Literal["accuracy", "balanced_accuracy"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
Aim = Literal["front", "best", "both"]
"""What a search improves: the front's area, the best accuracy in the budget, or both in turn."""


class Measured(Protocol):
    """A result as `value_of` reads it."""

    @property
    def accuracy(self) -> float:
        """Share of images classified correctly."""

    @property
    def details(self) -> Mapping[str, float]:
        """Further measurements by name."""


def value_of(result: Measured, objective: Objective = "accuracy") -> float:
    """Return the quantity that a search maximises, NaN where it was not measured."""
    if objective == "accuracy":
        return result.accuracy
    return result.details.get(objective, math.nan)


def front(points: Sequence[Point]) -> list[int]:
    """Return the indices of the non-dominated points, by rising multiplies.

    Points with NaN are left out; of equal points the first is kept. One sort and one sweep in plain
    Python: the command that prints a front does not wait for heavy imports.
    """
    usable = [i for i, (_, accuracy) in enumerate(points) if not math.isnan(accuracy)]
    chosen: list[int] = []
    best = -math.inf
    for index in sorted(usable, key=lambda i: (points[i][0], -points[i][1], i)):
        if points[index][1] > best:
            best = points[index][1]
            chosen.append(index)
    return chosen


def hypervolume(points: Sequence[Point], *, low: int, high: int, chance: float) -> float:
    """Return the dominated area as a share of the whole, in [0, 1].

    The whole spans log10(multiplies) from `low`, the space's cheapest architecture, to `high`, the
    budget, and accuracy from `chance` to 1. Points outside count with the part of their area that
    lies inside; points with NaN do not count. Where `low` equals `high` the area is the best
    accuracy, scaled likewise.
    """
    scaled = [
        (_share(multiplies, low, high), (accuracy - chance) / (1 - chance))
        for multiplies, accuracy in points
        if not math.isnan(accuracy) and multiplies <= high and accuracy > chance
    ]
    if not scaled:
        return 0.0
    # Imported here: it brings NumPy, which `front` does not need.
    import moocore

    area = moocore.hypervolume([(x, 1 - y) for x, y in scaled], ref=[1.0, 1.0])
    return float(min(1.0, max(0.0, area)))


def area_after_each(
    points: Iterable[Point | None], *, low: int, high: int, chance: float
) -> list[float]:
    """Return the hypervolume of all points so far, after each one; None adds nothing."""
    areas: list[float] = []
    kept: list[Point] = []
    for point in points:
        if point is None or math.isnan(point[1]) or any(_covers(one, point) for one in kept):
            areas.append(areas[-1] if areas else 0.0)
        else:
            kept = [one for one in kept if not _covers(point, one)] + [point]
            areas.append(hypervolume(kept, low=low, high=high, chance=chance))
    return areas


def _covers(first: Point, second: Point) -> bool:
    return first[0] <= second[0] and first[1] >= second[1]


def _share(multiplies: int, low: int, high: int) -> float:
    span = _log(high) - _log(low)
    return max(0.0, (_log(multiplies) - _log(low)) / span) if span > 0 else 0.0


def _log(multiplies: int) -> float:
    # A user's own chain may price its cheapest encoding at 0.
    return math.log10(max(1, multiplies))
