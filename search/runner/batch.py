"""Jobs that are known beforehand, evaluated one after the other with a search's patience."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from search.errors import Interrupted, SurroundingsError
from search.executors.protocol import Executor
from search.pareto import Objective
from search.runner.objective import check_measured
from search.runner.patience import (
    PATIENCE,
    Patience,
    row_of_failures,
    surroundings_failed,
    too_many_failures,
)
from search.runner.signals import interruptible
from search.study.trials import Trial


def evaluate_all(
    executor: Executor,
    waiting: Sequence[Trial],
    record: Callable[[Trial], None],
    *,
    objective: Objective,
    what: str,
    watch: Callable[[Trial, int, int], None] | None = None,
) -> None:
    """Evaluate the jobs of `waiting`, and `record` each trial with its result as soon as it ends.

    `watch` is called with each, how many are done, and of how many; `what` names them in messages.
    Raises `Interrupted` on Ctrl-C and `UserError` after too many failures in a row or where the
    surroundings failed at every try, as a search does.
    """
    recorded = 0

    def keep(trial: Trial) -> None:
        nonlocal recorded
        record(trial)
        recorded += 1

    patience, failures = Patience(keep), 0
    for place, trial in enumerate(waiting):
        executor.submit(place, trial.job)
    try:
        with interruptible() as received:
            for done in range(1, len(waiting) + 1):
                place, result = executor.next()
                check_measured(result, objective)
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
            f"stopped after {recorded} of {len(waiting)} {what}, all of them kept; the same command"
            " goes on",
            128 + (received[0] if received else 2),
        ) from None
    patience.settle()
