"""Random search, stratified by log-cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from search.jobs import Job, Result
from search.strategies.history import History, Problem
from search.strategies.log_cost import LogCostLevels


class Random:
    """Proposes random encodings whose log-costs cover the budget evenly at any time."""

    def __init__(self, problem: Problem) -> None:
        self._history = History(problem)
        self._levels = LogCostLevels(self._history, problem.generator(0))

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        return self._history.first_new(self._levels.propose)

    def tell(self, job: Job, result: Result) -> None:
        """Remember the encoding, so that it is not proposed again."""
        self._history.tell(job, result)

    def snapshot(self) -> dict[str, Any]:
        """Return the state beside jobs and results; see `search.jobs.Resumable`."""
        return {"known": self._history.snapshot(), "levels": self._levels.snapshot()}

    def restore(
        self, state: Mapping[str, Any], asked: Sequence[Job], told: Sequence[tuple[Job, Result]]
    ) -> None:
        """Go on from a snapshot."""
        self._history.restore(state["known"], asked, told, self.tell)
        self._levels.restore(state["levels"])
