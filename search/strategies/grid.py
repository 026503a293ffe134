"""Exhaustive search of small spaces."""

from collections.abc import Mapping, Sequence
from typing import Any

from search.errors import UserError
from search.jobs import Job, Result
from search.strategies.history import History, Problem

# More would never be finished, and the first ones are all from one corner of the space.
LIMIT = 100_000


class Grid:
    """Enumerates the encodings inside the budget, in the order of the chain's options.

    Raises `UserError` where there are more than `LIMIT`, or none.
    """

    def __init__(self, problem: Problem) -> None:
        self._history = History(problem)
        # An interval without encodings is an error now, not at the first ask.
        problem.table.inside(*problem.interval)
        many = problem.table.count(*problem.interval)
        if many > LIMIT:
            raise UserError(
                f"strategy=grid would enumerate {many:,} architectures, and stops at {LIMIT:,};"
                " lower the budget, restrict the space, or choose strategy=surrogate"
            )
        self._encodings = problem.table.encodings(*problem.interval)

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        for options in self._encodings:
            job = self._history.claim(options)
            if job is not None:
                return job
        raise self._history.exhausted()

    def tell(self, job: Job, result: Result) -> None:
        """Remember the encoding, so that it is not proposed again."""
        self._history.tell(job, result)

    def snapshot(self) -> dict[str, Any]:
        """Return the state beside jobs and results; see `search.jobs.Resumable`."""
        return {"known": self._history.snapshot()}

    def restore(
        self, state: Mapping[str, Any], asked: Sequence[Job], told: Sequence[tuple[Job, Result]]
    ) -> None:
        """Go on from a snapshot: what is known is skipped in the enumeration."""
        self._history.restore(state["known"], asked, told, self.tell)
