"""Populations of models weighted to one distribution of cost (Radosavovic et al. 2019)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# Strata of log-multiplies: at most so many, and so wide that each could hold this many models.
_STRATA = 10
_MODELS = 5


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
