"""Populations of networks by family, at matched multiplies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.pareto import Objective, value_of
from search.report.matching import Distribution, distribution, weights
from search.study.trials import Trial

# Families of fewer networks say nothing of a distribution.
_FEWEST = 5


@dataclass(frozen=True)
class Family:
    """The accuracies of one family, weighted; `models`: number of its networks."""

    family: str
    models: int
    distribution: Distribution


@dataclass(frozen=True)
class Populations:
    """Families weighted to one distribution of cost, from `low` to `high` multiplies.

    As in design-space comparison (Radosavovic et al. 2019, arXiv:1905.13214).
    """

    low: int
    high: int
    families: list[Family]


def populations(
    trials: Sequence[Trial],
    family_of: Mapping[str, str],
    epochs: int,
    objective: Objective,
) -> Populations | None:
    """Return the populations of the networks trained in full, each network once.

    `family_of` maps ids of networks to families. None where fewer than two families have networks
    of a common cost.
    """
    found: dict[str, dict[str, tuple[int, float]]] = {}
    for trial in trials:
        value = value_of(trial.result, objective)
        if trial.completed(epochs) and value == value:
            models = found.setdefault(family_of[trial.arch_id], {})
            models.setdefault(trial.arch_id, (trial.multiplies, value))
    names = [name for name, models in found.items() if len(models) >= _FEWEST]
    if len(names) < 2:
        return None
    points = [np.array(list(found[name].values()), np.float64) for name in names]
    weighted = weights([each[:, 0] for each in points])
    if weighted is None:
        return None
    inside = [each[weight > 0] for each, weight in zip(points, weighted[0], strict=True)]
    costs = np.concatenate([each[:, 0] for each in inside])
    return Populations(
        int(costs.min()),
        int(costs.max()),
        [
            Family(name, len(each), distribution(each[:, 1], weight))
            for name, each, weight in zip(names, points, weighted[0], strict=True)
        ],
    )
