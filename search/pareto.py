"""Which results are worth keeping, and how good a set of them is.

A result is a pair (multiplies, accuracy): fewer multiplies and more accuracy are better.
"""

import math
from collections.abc import Sequence

Point = tuple[int, float]


def dominates(first: Point, second: Point) -> bool:
    """Say whether `first` is no worse than `second` in both and better in one; NaN never is."""
    no_worse = first[0] <= second[0] and first[1] >= second[1]
    return no_worse and first != second


def front(points: Sequence[Point]) -> list[int]:
    """Return the indices of the points that no other dominates, by rising multiplies.

    A point with NaN is left out; of equal points the first is kept. One sort and one sweep, in
    plain Python, because the command that prints a front must not wait for heavy imports.
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
    """Return the dominated area, in [0, 1].

    One side is log10(multiplies) from `low`, the space's cheapest architecture, to `high`, the
    budget; the other is accuracy from `chance` to 1. Points outside count as far as they reach in;
    NaN counts nothing. Where `low` equals `high` the area is the best accuracy alone.
    """
    scaled = [
        (_share(multiplies, low, high), (accuracy - chance) / (1 - chance))
        for multiplies, accuracy in points
        if not math.isnan(accuracy) and multiplies <= high and accuracy > chance
    ]
    if not scaled:
        return 0.0
    # Imported here: it brings NumPy, and dominance alone needs neither.
    import moocore

    area = moocore.hypervolume([(x, 1 - y) for x, y in scaled], ref=[1.0, 1.0])
    return float(min(1.0, max(0.0, area)))


def _share(multiplies: int, low: int, high: int) -> float:
    span = _log(high) - _log(low)
    return max(0.0, (_log(multiplies) - _log(low)) / span) if span > 0 else 0.0


def _log(multiplies: int) -> float:
    # A user's own chain may price its cheapest list at nothing.
    return math.log10(max(1, multiplies))
