"""Snapshots of a search: what a resumed study need not ask its strategy again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.errors import UserError
from search.jobs import Job, Result, Resumable, Strategy
from search.study.trials import Trial

# Results told from one snapshot to the next; so many jobs at most, and those in flight, are asked
# for again.
EVERY = 50
# Stored trials beyond which a strategy without its snapshot is told results instead of being asked.
REPLAYED = 500
# Snapshots of another version are not read; raise it when any strategy's state changes its form.
_VERSION = 1


@dataclass(frozen=True)
class Snapshot:
    """A search between two jobs, after `asked` jobs and `told` results.

    `waiting`: for each job whose result was not told yet, when it was asked for and the job;
    `state`: the strategy's.
    """

    asked: int
    told: int
    waiting: tuple[tuple[int, Job], ...]
    state: Mapping[str, Any]


def can_resume(strategy: Strategy) -> bool:
    """Return whether a strategy makes snapshots."""
    return isinstance(strategy, Resumable) and strategy.snapshot() is not None


def snapshot(strategy: Strategy, asked: Sequence[Trial], told: int) -> dict[str, Any] | None:
    """Return the JSON of a search's snapshot, None where the strategy has none."""
    state = strategy.snapshot() if isinstance(strategy, Resumable) else None
    if state is None:
        return None
    waiting = [
        [trial.asked_after, trial.job.options, trial.job.epochs, trial.job.seed]
        for trial in asked[told:]
    ]
    return {
        "version": _VERSION,
        "strategy": type(strategy).__name__,
        "told": told,
        "waiting": waiting,
        "state": state,
    }


def usable(
    value: Mapping[str, Any] | None, strategy: Strategy, stored: Mapping[int, Trial]
) -> Snapshot | None:
    """Return a stored snapshot if it is of this form and strategy and its results are stored."""
    if value is None or not isinstance(strategy, Resumable):
        return None
    if (value.get("version"), value.get("strategy")) != (_VERSION, type(strategy).__name__):
        return None
    try:
        told = int(value["told"])
        waiting = tuple(
            (int(after), Job(tuple(options), int(epochs), int(seed)))
            for after, options, epochs, seed in value["waiting"]
        )
        found = Snapshot(told + len(waiting), told, waiting, dict(value["state"]))
    except (KeyError, TypeError, ValueError):
        return None
    return found if told <= len(stored) and all(n in stored for n in range(told)) else None


def restore(
    strategy: Strategy,
    found: Snapshot,
    asked: Sequence[Job],
    told: Sequence[tuple[Job, Result]],
    name: str,
) -> None:
    """Bring a new strategy to where the snapshot was taken.

    Raises `UserError`, with the study's `name`, for a state that the strategy cannot read.
    """
    assert isinstance(strategy, Resumable)
    try:
        strategy.restore(found.state, asked, told)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"the strategy's snapshot in {name} cannot be read ({reason}); go on with the version"
            " that wrote it, or choose another study="
        ) from error
