"""Populations of models weighted to one distribution of cost (Radosavovic et al. 2019)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# Strata of log-multiplies: at most so many, and so wide that each could hold this many models.
_STRATA = 10
_MODELS = 5
# Points of a distribution function that a page draws.
_POINTS = 200


@dataclass(frozen=True)
class Distribution:
    """A weighted distribution function: the share of the weight up to each value."""

    value: list[float]  # [points], rising
    share: list[float]  # [points], in [0, 1]


def distribution(values: Floats, weight: Floats) -> Distribution:
    """Return the distribution function of `values` [models], those of weight 0 left out."""
    inside = weight > 0
    order = np.argsort(values[inside], kind="stable")
    value, share = values[inside][order], np.cumsum(weight[inside][order])
    last = np.append(value[1:] != value[:-1], True)
    value, share = value[last], share[last]
    if len(value) > _POINTS:
        places = np.unique(np.linspace(0, len(value) - 1, _POINTS).round().astype(np.int64))
        value, share = value[places], share[places]
    return Distribution(value.round(6).tolist(), share.round(6).tolist())


def weights(costs: Sequence[Floats]) -> tuple[list[Floats], list[Integers]] | None:
    """Weight the models of several populations so that all have one distribution of cost.

    `costs` are multiplies, one array for each population. The range that all reach is cut into
    strata of equal width in log-multiplies; strata in which some population has no model are left
    out. With k left, each of a population's m models in a stratum weighs 1/(k·m).

    Returns for each population the weights, 0 outside, which sum to 1, and each model's stratum,
    -1 outside; None where no stratum holds models of all.
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
