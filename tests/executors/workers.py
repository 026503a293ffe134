"""Evaluators that worker processes of the tests import."""

import os
import signal
import time
from pathlib import Path

from search.errors import SurroundingsError
from search.jobs import Candidate, Infeasible, Job, Result


def job(number: int, kind: str = "fine", *, seed: int = 0) -> Job:
    """A job that tells an evaluator below what to do."""
    options = (kind, number)
    return Candidate(options, f"{number:012x}", 1000 + number, None, f'["{kind}"]').job(seed=seed)


class Scripted:
    """Does what the job's first option says; `folder` counts the tries of each number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, job: Job) -> Result:
        """Die, hang, raise, or return an accuracy that depends on the number."""
        kind, number = job.options
        tries = self._tried(int(number))
        if kind == "dies" or (kind == "dies once" and tries == 1):
            print("the last words", file=os.sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "hangs" or (kind == "hangs once" and tries == 1):
            time.sleep(600)
        if kind == "lost":
            raise SurroundingsError("the device is lost")
        if kind == "percent":
            return Result(50.0)
        if kind == "interrupts":
            raise KeyboardInterrupt
        if kind == "infeasible":
            raise Infeasible("on purpose")
        while kind == "outlasts 0" and not (self.folder / "0").exists():
            time.sleep(0.05)
        if kind in ("slow", "outlasts 0"):
            time.sleep(1.5)
        details = {"pid": float(os.getpid()), "cores": float(len(os.sched_getaffinity(0)))}
        return Result(0.5 + int(number) / 1e4, details=details)

    def _tried(self, number: int) -> int:
        with (self.folder / str(number)).open("a+") as file:
            file.write(".")
            file.flush()
            return file.tell()

    def tries(self, number: int) -> int:
        """How often a number was evaluated."""
        return (self.folder / str(number)).stat().st_size
