"""When and how a search proposes, and why it ended."""

from dataclasses import dataclass

from search.errors import Interrupted
from search.runner.patience import surroundings_failed, too_many_failures


@dataclass(frozen=True)
class Rules:
    """When and how a search proposes.

    `low` and `high`: the budget in multiplies, both ends included; `ahead`: how many trials may
    wait for their results, beside one for each worker; `trials` and `hours` of evaluation (those
    recorded, whenever they ran) say when to stop, None never.
    """

    low: int
    high: int
    ahead: int = 0
    trials: int | None = None
    hours: float | None = None

    def reached(self, asked: int, seconds: float) -> str | None:
        """Return which limit forbids one more job, after so many and `seconds` of evaluation."""
        if self.trials is not None and asked >= self.trials:
            return "trials"
        if self.hours is not None and seconds >= self.hours * 3600:
            return "hours"
        return None


@dataclass(frozen=True)
class Ended:
    """Why a search ended.

    `reason`: `trials`, `hours`, `exhausted`, `failures` (too many in a row), `surroundings` (they
    failed at every try), or `interrupted`. `error`: the last failure's reason; `signal`: the number
    of the signal that interrupted.
    """

    reason: str
    error: str = ""
    signal: int = 0

    @property
    def complete(self) -> bool:
        """Whether the search came to its end, so that its front may be confirmed."""
        return self.reason not in ("failures", "surroundings", "interrupted")

    def check(self, trials: int) -> None:
        """Raise `UserError` after failures, `Interrupted` after an interruption."""
        if self.reason == "failures":
            raise too_many_failures(self.error)
        if self.reason == "surroundings":
            raise surroundings_failed(self.error)
        if self.reason == "interrupted":
            raise Interrupted(
                f"stopped after {trials} trials, all of them kept; the same command goes on",
                128 + self.signal,
            )
