"""Evaluates jobs here, one after the other, in the calling thread."""

import errno
import gc
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, SupportsFloat, cast

from search.errors import SurroundingsError, UserError, shown
from search.executors.failures import is_surroundings, reason
from search.jobs import Curve, Evaluator, Infeasible, Job, Options, Result, Status, failed

# A full disk, a quota that is reached, a disk that became read-only.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class LocalExecutor:
    """One worker: this process.

    An evaluator with a `prepare(job)` is told of the job after the one it works on, so that it can
    compile ahead; that never changes a result. Jobs that wait and differ in their seed alone, as a
    confirmation's do, are evaluated together where the evaluator's `side_by_side(job)` says so.
    """

    def __init__(self, evaluator: Evaluator | Callable[[Job], float]) -> None:
        self._evaluator = evaluator
        self._prepare = getattr(evaluator, "prepare", None)
        self._side_by_side = getattr(evaluator, "side_by_side", None)
        self._waiting: deque[tuple[int, Job]] = deque()
        self._finished: deque[tuple[int, Result]] = deque()
        # Jobs but for their seeds that failed side by side: each goes alone.
        self._alone: set[tuple[Options, int]] = set()

    @property
    def workers(self) -> int:
        """One: jobs side by side are one evaluation."""
        return 1

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def submit(self, number: int, job: Job) -> None:
        """Queue the job of trial `number`."""
        self._waiting.append((number, job))

    def withdraw(self) -> list[int]:
        """Give back the jobs that are not begun; return their numbers."""
        numbers = [number for number, _ in self._waiting]
        self._waiting.clear()
        return numbers

    def next(self) -> tuple[int, Result]:
        """Evaluate the oldest queued job; return its number and result.

        Raises `SurroundingsError` where the surroundings failed twice, see `evaluate`.
        """
        if self._finished:
            return self._finished.popleft()
        number, job = self._waiting.popleft()
        others = self._others(job)
        if others and self._evaluate_together([(number, job), *others]):
            return self._finished.popleft()
        if self._waiting and self._prepare is not None:
            self._prepare(self._waiting[0][1])
        return number, evaluate(self._evaluator, job)

    def _others(self, job: Job) -> list[tuple[int, Job]]:
        """Return the waiting jobs that are best evaluated beside `job`."""
        key = _but_for_seed(job)
        if self._side_by_side is None or key in self._alone:
            return []
        same = [one for one in self._waiting if _but_for_seed(one[1]) == key]
        return same if same and self._side_by_side(job) else []

    def _evaluate_together(self, jobs: list[tuple[int, Job]]) -> bool:
        """Evaluate jobs side by side and take them out of the queue; False if that fails.

        Then each is evaluated by itself, which tells whose failure it is, and returned, so that
        it can be recorded, before the next begins.
        """
        evaluator: Any = self._evaluator
        try:
            results = evaluator.together([job for _, job in jobs])
        except Exception:
            self._alone.add(_but_for_seed(jobs[0][1]))
            return False
        numbers = {number for number, _ in jobs}
        self._waiting = deque(one for one in self._waiting if one[0] not in numbers)
        for (number, _), result in zip(jobs, results, strict=True):
            self._finished.append((number, _checked(result, result.seconds)))
        return True


def _but_for_seed(job: Job) -> tuple[Options, int]:
    return job.options, job.epochs


def evaluate(evaluator: Evaluator | Callable[[Job], float], job: Job) -> Result:
    """Call the evaluator once, or twice where its surroundings failed the first time.

    A plain number is taken for the accuracy. `Infeasible` becomes a result with its reason, any
    other exception of the evaluator's a failed one that is marked `raised`. Raises
    `SurroundingsError` if the surroundings fail again, and `UserError` where the disk is full, an
    accuracy is not in [0, 1], or what is returned is neither a number nor a `Result`.
    """
    try:
        return _evaluated(evaluator, job)
    except SurroundingsError:
        # Whatever else held memory or a file may be gone by now.
        gc.collect()
        return _evaluated(evaluator, job)


def _evaluated(evaluator: Evaluator | Callable[[Job], float], job: Job) -> Result:
    start = time.perf_counter()
    try:
        outcome: Any = evaluator(job)
    except Infeasible as error:
        told = failed(str(error) or "infeasible", time.perf_counter() - start)
        return replace(told, status="infeasible")
    # A user's function may raise anything.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise UserError(
                f"{error.filename or 'a checkpoint'} cannot be written ({error.strerror}); free"
                " the disk, then the same command goes on"
            ) from error
        if is_surroundings(error):
            raise SurroundingsError(reason(error)) from error
        return replace(failed(reason(error), time.perf_counter() - start), raised=True)
    seconds = time.perf_counter() - start
    if isinstance(outcome, SupportsFloat):
        # Its own float() may refuse, which is answered below.
        outcome = Result(cast(float, outcome), seconds=seconds)
    if not isinstance(outcome, Result):
        raise UserError(
            f"the evaluator returned {shown(outcome, quoted=True)}; it must return an accuracy in"
            " [0, 1] or a search.Result, or raise search.Infeasible"
        )
    return _checked(outcome, seconds)


def _checked(outcome: Result, seconds: float) -> Result:
    """Make plain floats of what the evaluator measured; without a number it is a failure."""
    try:
        details = {str(key): float(value) for key, value in outcome.details.items()}
        loss, seconds = float(outcome.loss), float(outcome.seconds) or seconds
        accuracy = float(outcome.accuracy)
        curve = None if outcome.curve is None else _plain(outcome.curve)
    except (TypeError, ValueError, AttributeError) as error:
        return failed(f"the result holds a value that is not a number: {error}", seconds)
    if outcome.status != "ok":
        told = failed(outcome.error or "the evaluator gave no reason", seconds)
        status: Status = "infeasible" if outcome.status == "infeasible" else "failed"
        return replace(told, status=status, details=details, curve=curve)
    if not math.isfinite(accuracy):
        return failed(f"the accuracy is {accuracy}; it must be a finite number", seconds)
    if not 0 <= accuracy <= 1:
        raise UserError(
            f"the evaluator returned accuracy={accuracy:g}; an accuracy lies in [0, 1]: percent?"
            " divide by 100"
        )
    return Result(accuracy, loss, seconds, details=details, curve=curve)


def _plain(curve: Curve) -> Curve:
    epochs = tuple(map(int, curve.epochs))
    rest = {name: tuple(map(float, one)) for name, one in vars(curve).items() if name != "epochs"}
    return Curve(epochs, **rest)
