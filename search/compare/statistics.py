"""Intervals over seeds, and distributions of accuracy at matched multiplies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap

Floats = NDArray[np.float64]
_RESAMPLES = 9999
_PERMUTATIONS = 999
# Strata of log-multiplies: at most so many, and so narrow that each could hold this many models.
_STRATA = 10
_MODELS = 5


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` seeds with its 95 % interval, which is None where there is one seed."""

    mean: float
    low: float | None
    high: float | None
    n: int


def estimate(values: ArrayLike, rng: np.random.Generator) -> Estimate:
    """Return the mean of one value a seed with its 95 % percentile bootstrap interval."""
    array = np.asarray(values, np.float64)
    low, high = interval(array, rng)
    mean, count = float(array.mean()), len(array)
    if low is None or high is None:
        return Estimate(mean, None, None, count)
    return Estimate(mean, float(low), float(high), count)


def interval(values: Floats, rng: np.random.Generator) -> tuple[Floats, Floats] | tuple[None, None]:
    """Return the ends of the 95 % percentile bootstrap interval of the mean over the first axis.

    `values` is [seeds, …]; seeds are resampled as a whole. None for a single seed: nothing then
    says how much seeds matter.
    """
    if len(values) < 2:
        return None, None
    found = bootstrap(
        (values,), np.mean, axis=0, method="percentile", n_resamples=_RESAMPLES, rng=rng
    ).confidence_interval
    return found.low, found.high


def difference(
    first: ArrayLike, second: ArrayLike, *, paired: bool, rng: np.random.Generator
) -> Estimate:
    """Return the mean of `second` minus that of `first`, one value a seed, with its interval.

    `paired` says that equal places are equal seeds: then differences are resampled, which leaves
    out what both share, such as the validation part. Else each side is resampled by itself.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if paired:
        return estimate(b - a, rng)
    mean, count = float(b.mean() - a.mean()), min(len(a), len(b))
    if count < 2:
        return Estimate(mean, None, None, count)

    def gap(x: Floats, y: Floats, axis: int) -> Floats:
        return np.asarray(y.mean(axis=axis) - x.mean(axis=axis))

    found = bootstrap(
        (a, b), gap, vectorized=True, method="percentile", n_resamples=_RESAMPLES, rng=rng
    ).confidence_interval
    return Estimate(mean, float(found.low), float(found.high), count)


@dataclass(frozen=True)
class Matched:
    """Two populations of models compared at equal multiplies.

    `distance`: the Kolmogorov–Smirnov distance of their accuracies; `p`: how often chance alone
    gives as much; `gain`: mean accuracy of the second minus the first; `first`, `second`: models
    inside the `strata` shared, from `low` to `high` multiplies; `ratio`: geometric mean cost of
    the second over that of the first after matching, 1 where the match is perfect.
    """

    distance: float
    p: float
    gain: float
    first: int
    second: int
    strata: int
    low: int
    high: int
    ratio: float


def weights(costs: Sequence[Floats]) -> tuple[list[Floats], list[NDArray[np.int64]]] | None:
    """Weigh the models of several populations so that all have one distribution of cost.

    `costs` are multiplies, one array a population. The range that all reach is cut into strata of
    equal width in log-multiplies; those in which a population has no model are left out. With k
    left, each of a population's m models in a stratum weighs 1/(k·m): cost is then even over the
    strata, in every population (Radosavovic et al. 2019, arXiv:1905.13214, section 3.3).

    Returns for each population the weights, 0 outside, which sum to 1, and each model's stratum,
    -1 outside; None where no stratum holds all.
    """
    logs = [np.log(np.maximum(cost, 1)) for cost in costs]
    low = max(float(log.min()) for log in logs)
    high = min(float(log.max()) for log in logs)
    if low > high:
        return None
    inside = [(log >= low) & (log <= high) for log in logs]
    fewest = min(int(mask.sum()) for mask in inside)
    count = max(1, min(_STRATA, fewest // _MODELS))
    edges = np.linspace(low, high, count + 1)[1:-1]
    strata = [
        np.where(mask, np.searchsorted(edges, log, side="right"), -1)
        for log, mask in zip(logs, inside, strict=True)
    ]
    sizes = [np.bincount(s[s >= 0], minlength=count) for s in strata]
    shared = np.min(sizes, axis=0) > 0
    if not shared.any():
        return None
    found, placed = [], []
    for stratum, size in zip(strata, sizes, strict=True):
        kept = (stratum >= 0) & shared[stratum]
        weight = np.zeros(len(stratum))
        weight[kept] = 1 / (shared.sum() * size[stratum[kept]])
        found.append(weight)
        placed.append(np.where(kept, stratum, -1))
    return found, placed


def matched(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    rng: np.random.Generator,
) -> Matched | None:
    """Compare the accuracies of two populations of models at matched multiplies.

    Each population is its (multiplies, accuracies). Judging design spaces by whole distributions,
    with cost held equal, rather than by the best of unequally many, is the method of Radosavovic
    et al. 2019 (arXiv:1905.13214) and 2020 (arXiv:2003.13678); it asks for some hundred models
    each, drawn at random. The p-value is that of a permutation test which swaps models within
    strata alone, so that a difference in cost can't pass for one in accuracy. With one stratum the
    distance is that of the ordinary two-sample test. None where the costs don't overlap.
    """
    (cost_a, accuracy_a), (cost_b, accuracy_b) = (
        (np.asarray(cost, np.float64), np.asarray(accuracy, np.float64))
        for cost, accuracy in (first, second)
    )
    weighed = weights([cost_a, cost_b])
    if weighed is None:
        return None
    (weight_a, weight_b), (stratum_a, stratum_b) = weighed
    inside_a, inside_b = stratum_a >= 0, stratum_b >= 0
    signed = np.concatenate([weight_a[inside_a], -weight_b[inside_b]])
    accuracy = np.concatenate([accuracy_a[inside_a], accuracy_b[inside_b]])
    stratum = np.concatenate([stratum_a[inside_a], stratum_b[inside_b]])
    cost = np.concatenate([cost_a[inside_a], cost_b[inside_b]])
    distance = _distance(signed, accuracy)
    return Matched(
        distance=distance,
        p=_permutation(signed, accuracy, stratum, distance, rng),
        gain=float(-(signed * accuracy).sum()),
        first=int(inside_a.sum()),
        second=int(inside_b.sum()),
        strata=len(np.unique(stratum)),
        low=int(cost.min()),
        high=int(cost.max()),
        ratio=float(np.exp(-(signed * np.log(np.maximum(cost, 1))).sum())),
    )


def _distance(signed: Floats, accuracy: Floats) -> float:
    """Return the largest gap of two weighted distribution functions, the second's negative."""
    order = np.argsort(accuracy, kind="stable")
    return _gap(signed[order], _last(accuracy[order]))


def _last(accuracy: Floats) -> NDArray[np.bool_]:
    """Mark the last of equal accuracies: only there do both functions have their value."""
    return np.append(accuracy[1:] != accuracy[:-1], True)


def _gap(signed: Floats, last: NDArray[np.bool_]) -> float:
    return float(np.abs(np.cumsum(signed)[last]).max())


def _permutation(
    signed: Floats,
    accuracy: Floats,
    stratum: NDArray[np.int64],
    distance: float,
    rng: np.random.Generator,
) -> float:
    order = np.argsort(accuracy, kind="stable")
    signed, stratum, last = signed[order], stratum[order], _last(accuracy[order])
    grouped = np.argsort(stratum, kind="stable")
    reached = 0
    for _ in range(_PERMUTATIONS):
        shuffled = np.empty_like(signed)
        shuffled[grouped] = signed[np.lexsort((rng.random(len(signed)), stratum))]
        # Sums of the same weights in another order are equal but for rounding.
        reached += _gap(shuffled, last) >= distance - 1e-12
    return (1 + reached) / (1 + _PERMUTATIONS)
