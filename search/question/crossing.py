"""The difference of two families as a smooth function of cost, and where it changes sign."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import legvander

from search.question.differences import accuracies, costs, within
from search.question.regression import Floats
from search.question.trainings import Training

# Points of a curve, evenly spaced in log-multiplies.
_GRID = 81
_RESAMPLES = 999
_SEED = 0
# Networks of a family for each degree of its polynomial; at most a cubic.
_PER_DEGREE = 10
_MOST = 3


@dataclass(frozen=True)
class Region:
    """A range of multiplies where the second family is better (`sign` 1) or worse (-1)."""

    from_multiplies: int
    to_multiplies: int
    sign: int


@dataclass(frozen=True)
class Crossing:
    """A budget at which the estimated difference changes sign.

    `low`, `high`: the ends of the range around it in which the simultaneous band holds 0; None
    where that range reaches the end of the data.
    """

    at: int
    low: int | None
    high: int | None
    rising: bool


@dataclass(frozen=True)
class Curve:
    """Accuracy of the second family minus that of the first over cost, in points.

    Polynomials of `degree` in log-multiplies, one for each family. `low`, `high`: pointwise 95 %
    intervals; `band_low`, `band_high`: the band that holds the whole curve in 95 % of samples. Both
    by bootstrap over networks.
    """

    first: str
    second: str
    epochs: int
    n_first: int
    n_second: int
    degree: int
    multiplies: list[float]  # [points]
    points: list[float]  # [points]
    low: list[float]  # [points]
    high: list[float]  # [points]
    band_low: list[float]  # [points]
    band_high: list[float]  # [points]
    regions: list[Region]
    crossings: list[Crossing]

    @property
    def crosses(self) -> bool:
        """Whether each of the two is better somewhere, by the simultaneous band."""
        return {region.sign for region in self.regions} == {-1, 1}


def curve(
    first: Sequence[Training], second: Sequence[Training], low: int, high: int
) -> Curve | None:
    """Estimate the difference from `low` to `high` multiplies; None for too few networks."""
    sides = [within(own, low, high, last=True) for own in (first, second)]
    fewest = min(map(len, sides))
    degree = min(_MOST, fewest // _PER_DEGREE)
    if degree < 1:
        return None
    rng = np.random.default_rng(_SEED)
    grid = np.linspace(-1, 1, _GRID)
    (a, some_a), (b, some_b) = (_curves(own, low, high, degree, grid, rng) for own in sides)
    points, some = 100 * (b - a), 100 * (some_b - some_a)
    error = some.std(axis=0, ddof=1)
    # Of the deviation in units of its own spread, so that the band is as tight as it can be where
    # the data say most.
    largest = np.abs((some - some.mean(axis=0)) / error).max(axis=1)
    reach = float(np.quantile(largest, 0.95))
    band_low, band_high = points - reach * error, points + reach * error
    pointwise = np.quantile(some, [0.025, 0.975], axis=0)
    multiplies = np.geomspace(low, high, _GRID)
    signs = np.where(band_low > 0, 1, np.where(band_high < 0, -1, 0))
    return Curve(
        first[0].family,
        second[0].family,
        first[0].epochs,
        len(sides[0]),
        len(sides[1]),
        degree,
        multiplies.tolist(),
        points.tolist(),
        pointwise[0].tolist(),
        pointwise[1].tolist(),
        band_low.tolist(),
        band_high.tolist(),
        _regions(multiplies, signs),
        _crossings(multiplies, points, signs),
    )


def _curves(
    own: Sequence[Training],
    low: int,
    high: int,
    degree: int,
    grid: Floats,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return the fitted curve [points] and those of resamples [resamples, points]."""
    middle, half = (np.log2(low) + np.log2(high)) / 2, (np.log2(high) - np.log2(low)) / 2
    design = legvander((costs(own) - middle) / half, degree)
    values = accuracies(own)
    count = len(own)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES).astype(float)
    weights = np.vstack([np.ones(count), drawn])
    # A resample may hold too few different costs for the degree; then the flattest fit is taken.
    width = degree + 1
    products = (design[:, :, None] * design[:, None, :]).reshape(count, width * width)
    normal = (weights @ products).reshape(-1, width, width) + 1e-9 * np.eye(width)
    right = weights @ (design * values[:, None])
    found: Floats = np.linalg.solve(normal, right[..., None])[..., 0] @ legvander(grid, degree).T
    return found[0], found[1:]


def _regions(multiplies: Floats, signs: Floats) -> list[Region]:
    found: list[Region] = []
    begin = 0
    for place in range(1, len(signs) + 1):
        if place == len(signs) or signs[place] != signs[begin]:
            if signs[begin]:
                ends = round(multiplies[begin]), round(multiplies[place - 1])
                found.append(Region(*ends, int(signs[begin])))
            begin = place
    return found


def _crossings(multiplies: Floats, points: Floats, signs: Floats) -> list[Crossing]:
    found = []
    for place in np.flatnonzero(np.diff(np.sign(points)) != 0):
        if points[place] == points[place + 1]:
            continue
        share = points[place] / (points[place] - points[place + 1])
        at = float(multiplies[place] * (multiplies[place + 1] / multiplies[place]) ** share)
        sure = np.flatnonzero(signs != 0)
        before, after = sure[sure <= place], sure[sure > place]
        found.append(
            Crossing(
                round(at),
                round(multiplies[before[-1]]) if len(before) else None,
                round(multiplies[after[0]]) if len(after) else None,
                bool(points[place + 1] > points[place]),
            )
        )
    return found
