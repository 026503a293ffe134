"""Training the front again with seeds that the search never used."""

from collections.abc import Callable
from dataclasses import replace

from search.executors.protocol import Executor
from search.runner.batch import evaluate_all
from search.study.study import Study
from search.study.trials import Trial


def confirm(
    study: Study,
    executor: Executor,
    seeds: int,
    watch: Callable[[Trial, int, int], None] | None = None,
) -> int:
    """Train every entry of the search's front with `seeds` fresh seeds, and record each result.

    What is recorded already is not trained again, so a killed confirmation goes on where it was.
    `watch` is called with each training, how many are done, and of how many. Returns how many
    were trained now. Raises as `evaluate_all` does.
    """
    waiting = study.begin_confirmation(seeds) if seeds else []
    told = len(study.trials())
    first = len(study.confirmations())
    recorded = 0

    def record(trial: Trial) -> None:
        nonlocal recorded
        study.add_confirmation(replace(trial, number=first + recorded, asked_after=told))
        recorded += 1

    evaluate_all(
        executor,
        waiting,
        record,
        objective=study.info.objective,
        what="trainings with fresh seeds",
        watch=watch,
    )
    return len(waiting)
