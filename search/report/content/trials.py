"""Trials and members of a front, as columns that a page draws, filters and sorts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.errors import shown
from search.pareto import Objective
from search.study.trials import FrontEntry, Trial

# Characters of an error's text.
_LONGEST = 300
# And of a worker's name.
_NAME = 80
_LEVEL = 0.95


@dataclass(frozen=True)
class TrialColumns:
    """All trials in the order of asking; each list is [trials], None where not measured.

    `network`: place in the table of networks; `error` and `worker` (in which process it ran) by
    number of the trial, where there is one.
    """

    number: list[int]
    network: list[int]
    multiplies: list[int]
    params: list[int | None]
    accuracy: list[float | None]
    balanced_accuracy: list[float | None]
    loss: list[float | None]
    epochs: list[int]
    seed: list[int]
    seconds: list[float]
    status: list[str]
    error: dict[int, str]
    worker: dict[int, str]


@dataclass(frozen=True)
class Member:
    """One member of the front.

    `low`, `high`: ends of Student's 95 % interval over seeds of the mean of what the search
    maximised, None for one seed; `trial` is a number of a trial.
    """

    trial: int
    accuracy: float
    balanced_accuracy: float | None
    low: float | None
    high: float | None
    search_accuracy: float
    search_balanced_accuracy: float | None


def trial_columns(trials: Sequence[Trial], places: Mapping[str, int]) -> TrialColumns:
    """Return the columns of `trials`, whose networks are at `places` in their table."""
    results = [trial.result for trial in trials]
    return TrialColumns(
        number=[trial.number for trial in trials],
        network=[places[trial.arch_id] for trial in trials],
        multiplies=[trial.multiplies for trial in trials],
        params=[trial.params for trial in trials],
        accuracy=[finite(result.accuracy) for result in results],
        balanced_accuracy=[
            finite(result.details.get("balanced_accuracy", math.nan)) for result in results
        ],
        loss=[finite(result.loss) for result in results],
        epochs=[trial.job.epochs for trial in trials],
        seed=[trial.job.seed for trial in trials],
        seconds=[round(result.seconds, 2) for result in results],
        status=[result.status for result in results],
        error={
            trial.number: shown(trial.result.error, _LONGEST)
            for trial in trials
            if trial.result.error
        },
        worker={
            trial.number: shown(trial.result.worker, _NAME)
            for trial in trials
            if trial.result.worker
        },
    )


def members(found: Sequence[FrontEntry], objective: Objective) -> list[Member]:
    """Return the members of a front, cheapest first."""
    rows = []
    for row in found:
        mean, half = row.ranked_by(objective), half_width(row.spread(objective), row.seeds)
        rows.append(
            Member(
                row.trial,
                round(row.accuracy, 6),
                finite(row.balanced_accuracy),
                None if half is None else round(mean - half, 6),
                None if half is None else round(mean + half, 6),
                round(row.search_accuracy, 6),
                finite(row.search_balanced_accuracy),
            )
        )
    return rows


def half_width(deviation: float, seeds: int) -> float | None:
    """Return half of Student's 95 % interval of a mean over `seeds`; None for a single one."""
    if seeds < 2 or not math.isfinite(deviation):
        return None
    # Imported here: the terminal's front needs no interval and no SciPy.
    from scipy.special import stdtrit

    return float(stdtrit(seeds - 1, (1 + _LEVEL) / 2)) * deviation / math.sqrt(seeds)


def finite(value: float) -> float | None:
    """Return the value to six digits, None for NaN and infinity, which JSON does not have."""
    return round(value, 6) if math.isfinite(value) else None
