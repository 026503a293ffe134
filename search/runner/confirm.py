"""Training again what a search found, with seeds that it never used."""

from collections.abc import Callable
from dataclasses import replace

from search.errors import Interrupted
from search.executors.protocol import Executor
from search.study.study import Study
from search.study.trials import Trial


def confirm(
    study: Study,
    executor: Executor,
    seeds: int,
    watch: Callable[[Trial, int, int], None] | None = None,
) -> int:
    """Train every member of the search's front with `seeds` fresh seeds, and record each result.

    What is recorded already is not trained again, so a killed confirmation goes on where it was.
    `watch` is called with each training, how many are done, and of how many. Returns how many
    were trained now. Raises `Interrupted` on Ctrl-C.
    """
    waiting = study.begin_confirmation(seeds) if seeds else []
    number, told = len(study.confirmations()), len(study.trials())
    for place, trial in enumerate(waiting):
        executor.submit(place, trial.job)
    for done in range(1, len(waiting) + 1):
        try:
            place, result = executor.next()
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped after {done - 1} of {len(waiting)} trainings with fresh seeds, all of"
                " them kept; the same command goes on",
                130,
            ) from None
        trial = replace(waiting[place], number=number, asked_after=told, result=result)
        study.add_confirmation(trial)
        number += 1
        if watch is not None:
            watch(trial, done, len(waiting))
    return len(waiting)
