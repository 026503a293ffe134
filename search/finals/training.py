"""Final trainings, with the time left."""

import time
from collections.abc import Callable, Sequence

from search.errors import UserError
from search.executors.protocol import Executor
from search.jobs import Job
from search.report.progress import spell
from search.runner.batch import evaluate_all
from search.study.trials import Trial, pending


def train(
    executor: Executor,
    jobs: Sequence[Job],
    done: int,
    tell: Callable[[str], None],
    *,
    soft: bool = False,
) -> None:
    """Train every job to its end; the first `done` have their checkpoints and cost nothing.

    `tell` gets a line for each. `soft`: the loss is that of soft labels, on another scale by the
    square of the temperature. Raises `UserError` for a training that fails, with its reason: of a
    network that diverges with one of the seeds there is no final. `Interrupted` as in a search.
    """
    began = time.monotonic()
    loss_name = "loss with soft labels" if soft else "training loss"
    works = [_work(job) for job in jobs]

    def watch(trial: Trial, count: int, total: int) -> None:
        job, result = trial.job, trial.result
        if result.status != "ok":
            raise UserError(
                f"{trial.arch_id} failed with seed {job.seed}: {result.error}; nothing was read of"
                " the test part, and what is trained stays: choose other epochs, or another network"
            )
        worked = sum(works[done:count])
        left = sum(works[count:]) * (time.monotonic() - began) / worked if worked else 0.0
        rest = f", about {spell(left)} left" if left else ""
        tell(
            f"trained {count}/{total}  {trial.arch_id}  seed {job.seed}  {loss_name}"
            f" {result.details.get('train_loss', result.loss):.4f}  {result.seconds:.1f}s{rest}"
        )

    waiting = [pending(number, job) for number, job in enumerate(jobs)]
    # Nothing more to keep: the evaluator has written its checkpoint.
    finished: list[Trial] = []
    evaluate_all(
        executor,
        waiting,
        finished.append,
        objective="accuracy",
        what="final trainings",
        watch=watch,
    )


def _work(job: Job) -> float:
    return float(job.epochs * job.candidate.multiplies)
