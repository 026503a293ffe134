"""A job's attempts on workers that may be lost: how often it failed, and when it is given up."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from search.errors import SurroundingsError
from search.jobs import Job


@dataclass
class Task:
    """A job of trial `number`, and how often its surroundings failed."""

    number: int
    job: Job
    failures: int = 0

    def last(self, retries: int) -> bool:
        """Whether it failed before and has one try left: that one has its machine to itself."""
        return 0 < self.failures == retries


def next_task(
    waiting: deque[Task], beside: Collection[Task], retries: int, *, emptied: bool = True
) -> Task | None:
    """Take the task that a free worker may begin out of `waiting`, the first if it may be that.

    `beside`: what is being evaluated on the worker's machine; `emptied`: whether this is the
    machine that a last try is to have to itself. Returns None where the worker has to wait.
    """
    if not waiting or any(task.last(retries) for task in beside):
        return None
    if emptied and waiting[0].last(retries):
        return None if beside else waiting.popleft()
    # On other machines a last try, which waits for its own, holds up nobody.
    for place, task in enumerate(waiting):
        if not task.last(retries):
            del waiting[place]
            return task
    return None


def given_up(worker: str, why: str, failures: int) -> SurroundingsError:
    """Return the failure of the surroundings after so many on `worker`, the last told by `why`."""
    times = "once" if failures == 1 else f"{failures} times"
    return SurroundingsError(f"worker {worker}{why}; tried {times}")
