"""Final trainings, one after the other or seeds side by side, with the time left."""

import time
from collections.abc import Callable, Sequence

from search.errors import SurroundingsError, UserError
from search.executors.protocol import Executor
from search.jobs import Job, Result
from search.report.progress import spell
from search.runner.patience import surroundings_failed


def train(executor: Executor, jobs: Sequence[Job], done: int, tell: Callable[[str], None]) -> None:
    """Train every job to its end; `done` of them have their checkpoints and cost nothing.

    `tell` gets a line for each. Raises `UserError` for a training that fails, with its reason: of
    a network that diverges with one of the seeds there is no final.
    """
    for number, job in enumerate(jobs):
        executor.submit(number, job)
    left = sum(_work(job) for job in jobs)
    began, worked = time.monotonic(), 0.0
    try:
        for count in range(1, len(jobs) + 1):
            number, result = executor.next()
            _check(jobs[number], result)
            left -= _work(jobs[number])
            worked += _work(jobs[number]) if count > done else 0.0
            pace = (time.monotonic() - began) / worked if worked else 0.0
            tell(_line(jobs[number], result, count, len(jobs), left * pace))
    except SurroundingsError as error:
        raise surroundings_failed(error) from None


def _work(job: Job) -> float:
    return float(job.epochs * job.candidate.multiplies)


def _check(job: Job, result: Result) -> None:
    if result.status != "ok":
        raise UserError(
            f"{job.candidate.id} failed with seed {job.seed}: {result.error}; nothing was read of"
            " the test part, and what is trained stays: choose other epochs, or another network"
        )


def _line(job: Job, result: Result, count: int, total: int, left: float) -> str:
    rest = f", about {spell(left)} left" if left else ""
    return (
        f"trained {count}/{total}  {job.candidate.id}  seed {job.seed}  training loss"
        f" {result.details.get('train_loss', result.loss):.4f}  {result.seconds:.1f}s{rest}"
    )
