"""Which checkpoints a study may still want."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from search.jobs import Job
from search.pareto import Objective
from search.study.study import Study
from search.study.trials import Trial, front_entries

# Checkpoints are looked through after so many results, and in a long study after a 32nd of them:
# looking takes as long as there are trials, and so takes no more than 32 looks at each of them.
_EVERY, _SHARE = 8, 32


class Retention:
    """Has checkpoints dropped now and then in a search, in time linear in its length.

    `keeper` as in `drop_checkpoints`.
    """

    def __init__(self, study: Study, keeper: Any) -> None:
        self._study, self._keeper = study, keeper
        self._next = _EVERY

    def __call__(self, told: Sequence[Trial], pending: Collection[Trial]) -> None:
        """Look through them if it is time: `told` have results, `pending` have none yet."""
        if len(told) < self._next:
            return
        self._next = len(told) + max(_EVERY, len(told) // _SHARE)
        drop_checkpoints(self._study, self._keeper, told, [trial.job for trial in pending])


def needed_jobs(
    trials: Iterable[Trial],
    epochs: int,
    again: Sequence[Trial] = (),
    objective: Objective = "accuracy",
) -> list[Job]:
    """Return the jobs whose checkpoints may be wanted.

    Those of the front, those that may go on to more epochs, and of the trainings `again` with
    fresh seeds those with the lowest seed, whose weights the front may come to need.
    """
    trials = list(trials)
    lowest = min((trial.job.seed for trial in again), default=None)
    repeated = [trial.job for trial in again if trial.job.seed == lowest]
    front = [row.job for row in front_entries(trials, epochs, objective)]
    longest: dict[tuple[str, int], Job] = {}
    for trial in trials:
        key = (trial.arch_id, trial.job.seed)
        if trial.result.status == "ok" and (
            key not in longest or longest[key].epochs < trial.job.epochs
        ):
            longest[key] = trial.job
    return [*front, *repeated, *(job for job in longest.values() if job.epochs < epochs)]


def drop_checkpoints(
    study: Study,
    keeper: Any,
    trials: Sequence[Trial],
    waiting: Sequence[Job],
) -> None:
    """Have what keeps checkpoints drop those that nothing may want any more.

    `keeper` may be an evaluator that keeps none, or None.
    """
    keep = getattr(keeper, "keep", None)
    if keep is not None:
        info, again = study.info, study.confirmations()
        keep([*needed_jobs(trials, info.epochs, again, info.objective), *waiting])
