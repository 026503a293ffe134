"""Training the front again with seeds that the search never used."""

from collections.abc import Callable
from dataclasses import replace

from search.errors import Interrupted, SurroundingsError
from search.executors.protocol import Executor
from search.runner.objective import check_measured
from search.runner.patience import (
    PATIENCE,
    Patience,
    row_of_failures,
    surroundings_failed,
    too_many_failures,
)
from search.runner.signals import interruptible
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
    were trained now. Raises `Interrupted` on Ctrl-C and `UserError` after too many failures in a
    row or where the surroundings failed twice, as a search does.
    """
    waiting = study.begin_confirmation(seeds) if seeds else []
    told = len(study.trials())
    first = len(study.confirmations())
    recorded = 0

    def record(trial: Trial) -> None:
        nonlocal recorded
        study.add_confirmation(replace(trial, number=first + recorded, asked_after=told))
        recorded += 1

    patience, failures = Patience(record), 0
    for place, trial in enumerate(waiting):
        executor.submit(place, trial.job)
    try:
        with interruptible() as received:
            for done in range(1, len(waiting) + 1):
                place, result = executor.next()
                check_measured(result, study.info.objective)
                trial = replace(waiting[place], result=result)
                patience.take(trial)
                if watch is not None:
                    watch(trial, done, len(waiting))
                failures = row_of_failures(failures, trial)
                if failures >= PATIENCE:
                    raise too_many_failures(result.error)
    except SurroundingsError as error:
        raise surroundings_failed(error) from None
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped after {recorded} of {len(waiting)} trainings with fresh seeds, all of them"
            " kept; the same command goes on",
            128 + (received[0] if received else 2),
        ) from None
    patience.settle()
    return len(waiting)
