"""Trainings by formula, without networks: for statistics alone."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from search.question.trainings import Training

LOW, HIGH = 100_000, 5_000_000
Mean = Callable[[float], float]


def training(family: str, multiplies: int, accuracy: float, **given: Any) -> Training:
    """Return one training; what is not given is of no account."""
    values: dict[str, Any] = {
        "arch_id": f"{family[:3]}{multiplies:09d}",
        "params": multiplies // 100,
        "accuracy_std": math.nan,
        "seeds": 1,
        "epochs": 4,
        "seed": 0,
        "status": "ok",
        "loss": 0.5,
        "seconds": 1.0,
        "trial": 0,
        "ops": "",
        "study": family,
        "data": "simulated",
        "design": "population",
        "shape": "",
        "depth": 6,
        "width": 5.0,
        "standard": float(family == "conv"),
        "standard_first": 0.0,
        "standard_middle": 0.0,
        "standard_last": 0.0,
        "place": math.nan,
        "latency_ms": math.nan,
        "latency_of": "",
    }
    return Training(family=family, multiplies=multiplies, accuracy=accuracy, **{**values, **given})


def population(
    family: str,
    count: int,
    rng: np.random.Generator,
    *,
    mean: Mean = lambda doublings: 0.85 + 0.02 * doublings,
    **given: Any,
) -> list[Training]:
    """Return networks evenly over log-multiplies; the cheaper, the wider their accuracies spread.

    `mean`: accuracy at so many doublings above the middle of the range.
    """
    return [
        training(family, cost, mean(at) + (0.012 - 0.002 * at) * rng.standard_normal(), **given)
        for cost, at in _costs(count, rng)
    ]


def _costs(count: int, rng: np.random.Generator) -> Iterator[tuple[int, float]]:
    for cost in np.exp(rng.uniform(math.log(LOW), math.log(HIGH), count)):
        yield int(cost), math.log2(cost / math.sqrt(LOW * HIGH))
