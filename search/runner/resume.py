"""Snapshots of a search: what a resumed study need not ask its strategy again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.errors import UserError
from search.jobs import Job, Resumable, Strategy
from search.runner.objective import as_told
from search.study.study import Study
from search.study.trials import Trial

# Results told from one snapshot to the next; so many jobs at most, and those in flight, are asked
# for again.
EVERY = 50
# Stored trials beyond which a strategy without its snapshot is told results instead of being asked.
REPLAYED = 500
# Snapshots of other versions are not read; raise them when any strategy's state changes its form.
# The second is of jobs in flight that are not the last ones: it tells their numbers.
_IN_ORDER, _BY_NUMBER = 1, 2


@dataclass(frozen=True)
class Snapshot:
    """A search between two jobs.

    `told_numbers`: of the trials whose results were told, in that order; `waiting`: of each of the
    others, by its number, when it was asked for and the job; `state`: the strategy's.
    """

    told_numbers: Sequence[int]
    waiting: Mapping[int, tuple[int, Job]]
    state: Mapping[str, Any]

    @property
    def told(self) -> int:
        """Number of results that were told."""
        return len(self.told_numbers)

    @property
    def asked(self) -> int:
        """Number of jobs that were asked for."""
        return self.told + len(self.waiting)


def can_resume(strategy: Strategy) -> bool:
    """Return whether a strategy makes snapshots."""
    return isinstance(strategy, Resumable) and strategy.snapshot() is not None


def snapshot(strategy: Strategy, pending: Sequence[Trial], told: int) -> dict[str, Any] | None:
    """Return the JSON of a search's snapshot, None where the strategy has none.

    `pending`: the trials that were asked for beside the `told` ones, by number.
    """
    state = strategy.snapshot() if isinstance(strategy, Resumable) else None
    if state is None:
        return None
    waiting = [
        [trial.asked_after, trial.job.options, trial.job.epochs, trial.job.seed]
        for trial in pending
    ]
    numbers = [trial.number for trial in pending]
    in_order = numbers == [*range(told, told + len(numbers))]
    return {
        "version": _IN_ORDER if in_order else _BY_NUMBER,
        "strategy": type(strategy).__name__,
        "told": told,
        "waiting": waiting,
        **({} if in_order else {"numbers": numbers}),
        "state": state,
    }


def usable(
    value: Mapping[str, Any] | None,
    strategy: Strategy,
    stored: Mapping[int, Trial],
    order: Sequence[int] | None = None,
) -> Snapshot | None:
    """Return a stored snapshot if it is of this form and strategy and its results are stored.

    `order`: numbers of the stored trials as they were told; None where that is the order of trials.
    """
    if value is None or not isinstance(strategy, Resumable):
        return None
    if value.get("version") not in (_IN_ORDER, _BY_NUMBER):
        return None
    if value.get("strategy") != type(strategy).__name__:
        return None
    try:
        told = int(value["told"])
        jobs = [
            (int(after), Job(tuple(options), int(epochs), int(seed)))
            for after, options, epochs, seed in value["waiting"]
        ]
        numbers = [int(number) for number in value.get("numbers", range(told, told + len(jobs)))]
        waiting = dict(zip(numbers, jobs, strict=True))
        state = dict(value["state"])
    except (KeyError, TypeError, ValueError):
        return None
    told_numbers = range(told) if order is None else order[:told]
    if not {*told_numbers} <= stored.keys():
        return None
    # Together they are all that was asked for, each once.
    together = sorted([*told_numbers, *waiting])
    return (
        Snapshot(told_numbers, waiting, state) if together == [*range(told + len(jobs))] else None
    )


def restore(
    strategy: Strategy,
    found: Snapshot,
    asked: Sequence[Trial],
    told: Sequence[Trial],
    study: Study,
) -> None:
    """Bring a new strategy to where the snapshot was taken, after `asked` and `told` trials.

    Raises `UserError`, with the study's name, for a state that the strategy cannot read.
    """
    assert isinstance(strategy, Resumable)
    jobs = [trial.job for trial in asked]
    results = [(trial.job, as_told(trial.result, study.info.objective)) for trial in told]
    try:
        strategy.restore(found.state, jobs, results)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"the strategy's snapshot in {study.name} cannot be read ({reason}); go on with the"
            " version that wrote it, or choose another study="
        ) from error
