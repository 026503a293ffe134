"""Random search that covers the costs evenly."""

from search.jobs import Job, Result
from search.strategies.history import Memory, Task
from search.strategies.log_cost import Levels


class Random:
    """Proposes lists at random, at levels of log-cost that are covered evenly at any time."""

    def __init__(self, task: Task) -> None:
        self._memory = Memory(task)
        self._levels = Levels(self._memory, task.generator(0))

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        while True:
            job = self._memory.claim(self._levels.propose())
            if job is not None:
                return job

    def tell(self, job: Job, result: Result) -> None:
        """Remember the list, so that it is not proposed again."""
        self._memory.tell(job, result)
