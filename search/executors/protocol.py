"""The protocol between a search and the workers that evaluate its jobs."""

from typing import Protocol

from search.jobs import Job, Result


class Executor(Protocol):
    """Evaluates jobs, in any order and anywhere."""

    def submit(self, number: int, job: Job) -> None:
        """Take the job of trial `number`."""

    def next(self) -> tuple[int, Result]:
        """Wait for any of the jobs taken; return its number and result."""
