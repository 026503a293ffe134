"""Evaluates jobs here, one after the other, in the calling thread."""

import errno
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, SupportsFloat, cast

from search.errors import UserError
from search.jobs import Evaluator, Job, Result, failed

# A full disk, a quota that is reached, a disk that became read-only.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class LocalExecutor:
    """One worker: this process.

    An evaluator with a `prepare(job)` is told of the job after the one it works on, so that it can
    compile ahead; that never changes a result.
    """

    def __init__(self, evaluator: Evaluator | Callable[[Job], float]) -> None:
        self._evaluator = evaluator
        self._prepare = getattr(evaluator, "prepare", None)
        self._waiting: deque[tuple[int, Job]] = deque()

    def submit(self, number: int, job: Job) -> None:
        """Queue the job of trial `number`."""
        self._waiting.append((number, job))

    def next(self) -> tuple[int, Result]:
        """Evaluate the oldest queued job; return its number and result."""
        number, job = self._waiting.popleft()
        if self._waiting and self._prepare is not None:
            self._prepare(self._waiting[0][1])
        return number, evaluate(self._evaluator, job)


def evaluate(evaluator: Evaluator | Callable[[Job], float], job: Job) -> Result:
    """Call the evaluator; whatever it raises or returns wrongly becomes a failed result.

    A plain number is taken for the accuracy. Raises `UserError` where the disk is full: that says
    nothing about the candidate, and would fail all that follow.
    """
    start = time.perf_counter()
    try:
        outcome: Any = evaluator(job)
    # Any user's function may raise anything; the search goes on and keeps the reason.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise UserError(
                f"{error.filename or 'a checkpoint'} cannot be written ({error.strerror}); free"
                " the disk, then the same command goes on"
            ) from error
        return failed(f"{type(error).__name__}: {error}", time.perf_counter() - start)
    seconds = time.perf_counter() - start
    if isinstance(outcome, SupportsFloat):
        # Its own float() may refuse, which is answered below.
        outcome = Result(cast(float, outcome), seconds=seconds)
    if not isinstance(outcome, Result):
        kind = type(outcome).__name__
        return failed(f"the evaluator returned a {kind}; it must be a Result or a number", seconds)
    return _checked(outcome, seconds)


def _checked(outcome: Result, seconds: float) -> Result:
    """Make plain floats of what the evaluator measured; no number, no success."""
    try:
        details = {str(key): float(value) for key, value in outcome.details.items()}
        loss, seconds = float(outcome.loss), float(outcome.seconds) or seconds
        accuracy = float(outcome.accuracy)
    except (TypeError, ValueError) as error:
        return failed(f"the result holds what is no number: {error}", seconds)
    if outcome.status != "ok":
        return replace(
            failed(outcome.error or "the evaluator gave no reason", seconds), details=details
        )
    if not math.isfinite(accuracy):
        return failed(f"the accuracy is {accuracy}; it must be a finite number", seconds)
    return Result(accuracy, loss, seconds, details=details)
