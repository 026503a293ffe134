"""A job's attempts on workers that may be lost: how often it failed, and when it is given up."""

from dataclasses import dataclass

from search.errors import SurroundingsError
from search.jobs import Job


@dataclass
class Task:
    """A job of trial `number`, and how often its surroundings failed."""

    number: int
    job: Job
    failures: int = 0


def given_up(worker: str, why: str, failures: int) -> SurroundingsError:
    """Return the failure of the surroundings after so many on `worker`, the last told by `why`."""
    times = "once" if failures == 1 else f"{failures} times"
    return SurroundingsError(f"worker {worker}{why}; tried {times}")
