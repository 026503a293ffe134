"""The protocol between a search and the workers that evaluate its jobs."""

from typing import Protocol

from search.jobs import Job, Result


class Executor(Protocol):
    """Evaluates jobs, in any order and anywhere."""

    @property
    def workers(self) -> int:
        """How many jobs are evaluated at once; it may grow as workers join."""

    def submit(self, number: int, job: Job) -> None:
        """Take the job of trial `number`."""

    def next(self) -> tuple[int, Result]:
        """Wait for any of the jobs taken; return its number and result."""

    def close(self) -> None:
        """End the workers; jobs that are not finished are given up."""
