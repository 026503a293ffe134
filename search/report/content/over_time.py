"""How a search went: the area of its front, and the best network within three budgets."""

from collections.abc import Sequence
from dataclasses import dataclass

from search.pareto import Objective, area_after_each, value_of
from search.study.study import StudyInfo
from search.study.trials import Trial

# Budgets are shares of the logarithmic range from the cheapest architecture to the whole budget.
_SHARES = (1 / 3, 2 / 3, 1.0)


@dataclass(frozen=True)
class Steps:
    """A step function of the number of trials: its value from `trials` on; only its changes."""

    trials: list[int]  # [changes]
    value: list[float]  # [changes]


@dataclass(frozen=True)
class Best:
    """The best value of the objective within a budget in multiplies."""

    budget: int
    steps: Steps


@dataclass(frozen=True)
class OverTime:
    """`area`: hypervolume of the front, in [0, 1]; `best` within rising budgets; `count` trials."""

    count: int
    area: Steps
    best: list[Best]


def over_time(trials: Sequence[Trial], info: StudyInfo, objective: Objective) -> OverTime:
    """Return the progress of a search over its trials, in the order of asking."""
    points = [
        (trial.multiplies, value_of(trial.result, objective))
        if trial.completed(info.epochs)
        else None
        for trial in trials
    ]
    areas = area_after_each(points, low=info.cheapest, high=info.high, chance=info.chance)
    best = [Best(level, _best(points, level)) for level in _levels(info)]
    return OverTime(len(trials), _changes(areas), [one for one in best if one.steps.trials])


def _levels(info: StudyInfo) -> list[int]:
    low, high = max(info.cheapest, info.low, 1), info.high
    if low >= high:
        return [high]
    raw = [low * (high / low) ** share for share in _SHARES[:-1]]
    return sorted({int(float(f"{value:.2g}")) for value in raw} | {high})


def _best(points: Sequence[tuple[int, float] | None], level: int) -> Steps:
    best, values = 0.0, []
    for point in points:
        # NaN compares false.
        if point is not None and point[0] <= level and point[1] > best:
            best = point[1]
        values.append(best)
    return _changes(values)


def _changes(values: Sequence[float]) -> Steps:
    trials, kept, before = [], [], 0.0
    for number, value in enumerate(values, start=1):
        if value != before:
            trials.append(number)
            kept.append(round(value, 6))
            before = value
    return Steps(trials, kept)
