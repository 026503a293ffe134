"""Every list, for spaces small enough to try them all."""

from search.jobs import Job, Result
from search.strategies.memory import Memory, Task


class Grid:
    """Enumerates the lists inside the budget, in the order of the chain's options."""

    def __init__(self, task: Task) -> None:
        self._memory = Memory(task)
        # Asked for first: an interval without lists is an error now, not later.
        task.table.inside(*task.interval)
        self._lists = task.table.lists(*task.interval)

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        for options in self._lists:
            job = self._memory.claim(options)
            if job is not None:
                return job
        raise self._memory.exhausted()

    def tell(self, job: Job, result: Result) -> None:
        """Remember the list, so that it is not proposed again."""
        self._memory.tell(job, result)
