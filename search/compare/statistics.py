"""Means over seeds with intervals that hold at two or three seeds."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t

Floats = NDArray[np.float64]
_LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` seeds with its 95 % interval; the ends are None where n is 1.

    The ends are not clipped: with two or three seeds they may lie outside [0, 1].
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def estimate(values: ArrayLike) -> Estimate:
    """Return the mean of `values` [seeds] with Student's interval."""
    array = np.asarray(values, np.float64)
    low, high = interval(array)
    if low is None or high is None:
        return Estimate(float(array.mean()), None, None, len(array))
    return Estimate(float(array.mean()), float(low), float(high), len(array))


def interval(values: Floats) -> tuple[Floats, Floats] | tuple[None, None]:
    """Return the ends of Student's 95 % interval of the mean over the first axis, pointwise.

    `values` is [seeds, …]. None for a single seed, which says nothing of the spread. A percentile
    bootstrap covered the mean in 49 % of cases with two seeds and 76 % with three, where Student's
    interval covers 95 % of normal values, and at least 88 % of exponential ones.
    """
    count = len(values)
    if count < 2:
        return None, None
    half = _quantile(count - 1) * values.std(axis=0, ddof=1) / math.sqrt(count)
    mean = values.mean(axis=0)
    return mean - half, mean + half


def difference(first: ArrayLike, second: ArrayLike, *, paired: bool) -> Estimate:
    """Return the mean of `second` minus that of `first`, each [seeds], with its 95 % interval.

    `paired`: equal places are equal seeds. Then it is Student's interval of the differences, which
    leaves out what both share, such as the validation part. Otherwise it is Welch's (1947), whose
    estimate of the degrees of freedom is replaced by its lower bound, 1, where a side has two seeds
    only: there Welch's own covers 89 % in the worst case.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if paired:
        return estimate(b - a)
    mean, fewest = float(b.mean() - a.mean()), min(len(a), len(b))
    if fewest < 2:
        return Estimate(mean, None, None, fewest)
    parts = [float(side.var(ddof=1)) / len(side) for side in (a, b)]
    squares = sum(part**2 / (len(side) - 1) for part, side in zip(parts, (a, b), strict=True))
    freedom = sum(parts) ** 2 / squares if fewest > 2 and squares > 0 else fewest - 1
    half = _quantile(freedom) * math.sqrt(sum(parts))
    return Estimate(mean, mean - half, mean + half, fewest)


def _quantile(freedom: float) -> float:
    return float(t.ppf((1 + _LEVEL) / 2, freedom))
