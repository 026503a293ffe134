"""What a search hands around: jobs, results, and the two protocols that exchange them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

# One decision of a chain: canonical JSON scalars, so that every list can be stored and read back.
Option = str | int
Options = tuple[Option, ...]
Status = Literal["ok", "failed"]


@dataclass(frozen=True)
class Job:
    """One training to be done: a finished list of decisions, its length in epochs, its seed."""

    options: Options
    epochs: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """What came of a job.

    `accuracy` is on the validation part, in [0, 1] (NaN when failed); `loss` the validation
    cross-entropy; `seconds` the wall time spent; `error` one line, the reason of a failure;
    `details` further numbers to store (balanced accuracy, compile seconds, …).
    """

    accuracy: float
    loss: float = math.nan
    seconds: float = 0.0
    status: Status = "ok"
    error: str = ""
    details: Mapping[str, float] = field(default_factory=dict)


def failed(error: str, seconds: float = 0.0) -> Result:
    """A failure with its one-line reason; it can never become a parent or a front member."""
    return Result(math.nan, math.nan, seconds, "failed", " ".join(error.split())[:500])


class Exhausted(Exception):
    """Raised by `Strategy.ask` when nothing inside the budget is left to propose."""


class Strategy(Protocol):
    """Proposes jobs and learns from results. Deterministic: equal seeds and tells, equal jobs."""

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""

    def tell(self, job: Job, result: Result) -> None:
        """Learn a result, in any order of jobs; failed ones too."""


Evaluator = Callable[[Job], Result]
"""Turns a job into a result; what it raises is recorded as a failure with its reason."""
