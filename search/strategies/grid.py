"""Every list, for spaces small enough to try them all."""

from search.errors import UserError
from search.jobs import Job, Result
from search.strategies.history import Memory, Task

# More would be listed for as long as anyone waits, and a part of them is one corner of the space.
LIMIT = 100_000


class Grid:
    """Enumerates the lists inside the budget, in the order of the chain's options.

    Raises `UserError` where there are more than `LIMIT`, or none.
    """

    def __init__(self, task: Task) -> None:
        self._memory = Memory(task)
        # Asked for first: an interval without lists is an error now, not later.
        task.table.inside(*task.interval)
        many = task.table.count(*task.interval)
        if many > LIMIT:
            raise UserError(
                f"strategy=grid would enumerate {many:,} architectures, and stops at {LIMIT:,};"
                " lower the budget, restrict the space, or choose strategy=surrogate"
            )
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
