"""Training the front again with seeds that the search never used."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from search.data.dataset import Dataset
from search.executors.protocol import Executor
from search.runner.batch import evaluate_all
from search.study.study import Study
from search.study.trials import Trial

# In a study's folder, those of the search, and those of trainings scored on a part of their own.
CHECKPOINTS = "checkpoints"
OWN_CHECKPOINTS = f"{CHECKPOINTS}/confirmation"


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


def confirmer_of(evaluator: Any, study: Study, dataset: Dataset | None) -> Any:
    """Return what fresh seeds are evaluated by: the search's own, or one that scores elsewhere."""
    part = None if dataset is None else dataset.confirmation
    if part is None:
        return evaluator
    return evaluator.scored_on(part, study.folder / OWN_CHECKPOINTS if study.folder else None)
