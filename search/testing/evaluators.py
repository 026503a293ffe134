"""The contract of evaluators."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, SupportsFloat, cast

from search.errors import SurroundingsError, UserError
from search.executors.local import LocalExecutor, evaluate
from search.jobs import Candidate, Evaluator, Job, Result
from search.testing.report import described, named, require


def check_evaluator(
    make: Callable[[], Evaluator | Callable[[Job], float]],
    candidates: Sequence[Candidate],
    *,
    epochs: Sequence[int] = (1,),
    seed: int = 0,
) -> None:
    """Check that an evaluator returns valid results which depend on the job alone.

    Each result is a `Result` or a number, with an accuracy in [0, 1] or a failure with its reason
    on one line, and does not raise anything but `Infeasible`. Every candidate is evaluated at each
    of `epochs` (ascending) by one evaluator, with `prepare` if it has that, and by a second one in
    the opposite order: accuracy and loss must be equal to the last digit, independent of
    what was evaluated, compiled or kept before. At least one candidate must succeed.
    """
    jobs = [candidate.job(length, seed) for candidate in candidates for length in epochs]
    require(bool(jobs), "there are no candidates to check the evaluator with")
    evaluator = _Typed(make())
    executor = LocalExecutor(evaluator)
    for number, job in enumerate(jobs):
        executor.submit(number, job)
    forward = [_valid(job, lambda: executor.next()[1]) for job in jobs]
    evaluator = _Typed(make())
    backward = [_valid(job, partial(evaluate, evaluator, job)) for job in reversed(jobs)][::-1]
    for job, one, other in zip(jobs, forward, backward, strict=True):
        require(
            _comparable(one) == _comparable(other),
            f"{named(job)} gave {described(one)}, but in another order {described(other)}",
        )
    require(
        any(result.status == "ok" for result in forward),
        f"no candidate succeeded; the first: {forward[0].error}",
    )


class _Typed:
    """An evaluator that raises `TypeError` where another type than a result comes back."""

    def __init__(self, evaluator: Evaluator | Callable[[Job], float]) -> None:
        self._evaluator = evaluator
        # What an executor calls ahead of time, if there is one.
        self.prepare = getattr(evaluator, "prepare", None)

    def __call__(self, job: Job) -> Result:
        outcome: Any = self._evaluator(job)
        if not isinstance(outcome, (Result, SupportsFloat)):
            kind = type(outcome).__name__
            raise TypeError(f"it returned a {kind} instead of a Result or a number")
        return cast(Result, outcome)


def _valid(job: Job, result: Callable[[], Result]) -> Result:
    """Return a job's result, checked by itself."""
    try:
        told = result()
    except (UserError, SurroundingsError) as error:
        raise AssertionError(f"{named(job)}: {error}") from error
    require(
        not told.raised,
        f"{named(job)}: the evaluator raised {told.error}; raise Infeasible, or return a failed"
        " Result, for a candidate that cannot be evaluated",
    )
    if told.status != "ok":
        require(bool(told.error), f"{named(job)}: the result is {told.status} without a reason")
    return told


def _comparable(result: Result) -> tuple[str, str, str]:
    # NaN differs from itself, its text does not.
    return result.status, repr(float(result.accuracy)), repr(float(result.loss))
