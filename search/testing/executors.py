"""The contract of executors."""

import math
from collections.abc import Callable

from search.errors import SurroundingsError
from search.executors.protocol import Executor
from search.jobs import Candidate, Evaluator, Infeasible, Job, Result
from search.testing.report import described, require


def check_executor(make: Callable[[Evaluator], Executor], *, jobs: int = 20) -> None:
    """Check that an executor returns each job's own result once, and that failures do not end it.

    `make` wraps an evaluator, which can be pickled. Numbers come back once each, in any order, with
    the evaluator's result for their job, whose epochs, seed and candidate arrive unchanged; jobs
    may be submitted while others wait. An exception becomes a failed result with its reason on one
    line, `Infeasible` an infeasible one, and later jobs still succeed. `MemoryError` is a failure
    of the surroundings: `next` raises `SurroundingsError`.
    """
    executor = make(_scripted)
    submitted = {number: _script("fine", number) for number in range(jobs)}
    received: dict[int, Result] = {}

    def receive() -> None:
        number, result = executor.next()
        require(number in submitted, f"next() returned {number!r}, which was never submitted")
        require(number not in received, f"next() returned number {number} twice")
        received[number] = result

    for number, job in submitted.items():
        executor.submit(number, job)
        # Between one and four are waiting.
        if number % 4 == 3:
            receive()
    while len(received) < jobs:
        receive()
    for number, job in submitted.items():
        told, expected = received[number], _scripted(job)
        require(
            (told.status, told.accuracy) == ("ok", expected.accuracy),
            f"number {number} got {described(told)}; its job gives {described(expected)}",
        )
    for kind, status in (("raises", "failed"), ("infeasible", "infeasible"), ("fine", "ok")):
        executor.submit(jobs, _script(kind, jobs))
        number, told = executor.next()
        require(number == jobs, f"next() returned number {number!r} instead of {jobs}")
        require(
            told.status == status,
            f"a job whose evaluator {kind} got status {told.status}, not {status}",
        )
        if status != "ok":
            require(math.isnan(told.accuracy), f"a {status} result has accuracy {told.accuracy}")
            require("on purpose" in told.error, f"the reason is lost: error={told.error!r}")
            require("\n" not in told.error, f"the reason has several lines: {told.error!r}")
    executor.submit(jobs, _script("memory", jobs))
    try:
        _, told = executor.next()
    except SurroundingsError:
        return
    raise AssertionError(
        f"a MemoryError was returned as {described(told)}; raise SurroundingsError, since it is"
        " no property of the candidate"
    )


def _script(kind: str, number: int) -> Job:
    """Return a job that tells `_scripted` what to do."""
    candidate = Candidate((kind, number), f"{number:012x}", 1000 + number, None, f'["{kind}"]')
    return candidate.job(epochs=1 + number % 3, seed=number % 5)


def _scripted(job: Job) -> Result:
    kind, number = job.options
    if kind == "raises":
        raise ValueError("on purpose,\nover two lines")
    if kind == "infeasible":
        raise Infeasible("on purpose")
    if kind == "memory":
        raise MemoryError
    candidate = job.candidate
    if (candidate.id, candidate.multiplies) != (f"{number:012x}", 1000 + int(number)):
        raise ValueError("the job arrived with another candidate")
    return Result(0.5 + int(number) / 1e4 + job.epochs / 1e6 + job.seed / 1e8)
