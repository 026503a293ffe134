"""Jobs on their way: at the executor, or waiting for the result of an equal one."""

from collections.abc import Mapping
from dataclasses import replace

from search.executors.protocol import Executor
from search.pareto import Objective
from search.runner.objective import check_measured
from search.study.trials import Trial


class InFlight:
    """Submits jobs and receives their results; of equal trainings only the first is run.

    `stored`: every trial whose result others may take over, by number; `ahead`: how many jobs wait
    at the executor beside those that its workers evaluate.
    """

    def __init__(
        self,
        executor: Executor,
        objective: Objective,
        stored: Mapping[int, Trial],
        ahead: int,
    ) -> None:
        self._executor, self._objective, self._stored = executor, objective, stored
        self._ahead = ahead
        self._first: dict[tuple[str, int, int], int] = {}
        self._running: dict[int, Trial] = {}
        # By the number of the equal training whose result they take over; then those it has.
        self._waiting: dict[int, list[Trial]] = {}
        self._ready: dict[int, Trial] = {}

    @property
    def workers(self) -> int:
        """How many jobs the executor evaluates at once."""
        return self._executor.workers

    @property
    def full(self) -> bool:
        """Whether every worker is busy, and `ahead` jobs wait for the next that is free.

        Jobs that wait for the result of an equal one count as well, or there might be no end of
        them.
        """
        count = len(self._running) + sum(map(len, self._waiting.values()))
        return count >= max(1, self._executor.workers) + self._ahead

    @property
    def ready(self) -> bool:
        """Whether `receive` need not wait."""
        return bool(self._ready)

    @property
    def empty(self) -> bool:
        """Whether `receive` would wait for ever."""
        return not self._running and not self._ready

    def know(self, trial: Trial) -> None:
        """Take note of a stored trial: equal trainings take over its result."""
        # What an equal encoding stands for was worked out when it was recorded.
        self._first.setdefault(_training(trial), trial.number)

    def submit(self, trial: Trial) -> Trial:
        """Have a trial evaluated, unless an earlier one is the same training; return it marked."""
        first = self._first.setdefault(_training(trial), trial.number)
        if first == trial.number:
            self._running[trial.number] = trial
            self._executor.submit(trial.number, trial.job)
            return trial
        trial = replace(trial, same_as=first)
        if first in self._stored:
            self._ready[trial.number] = trial
        else:
            self._waiting.setdefault(first, []).append(trial)
        return trial

    def settle(self, number: int) -> None:
        """Let those that wait for the result of a trial, which is in `stored`, take it over."""
        for trial in self._waiting.pop(number, ()):
            self._ready[trial.number] = trial

    def receive(self, number: int | None = None) -> Trial:
        """Return a trial with its result: number `number` if that is taken over, or any.

        Waits for the executor only where no result is to be taken over.
        """
        if number is None:
            number = next(iter(self._ready), None)
        if number is not None and number in self._ready:
            trial = self._ready.pop(number)
            assert trial.same_as is not None
            # No second of work was spent on it again.
            return replace(trial, result=replace(self._stored[trial.same_as].result, seconds=0.0))
        number, result = self._executor.next()
        check_measured(result, self._objective)
        return replace(self._running.pop(number), result=result)


def _training(trial: Trial) -> tuple[str, int, int]:
    return trial.arch_id, trial.job.epochs, trial.job.seed
