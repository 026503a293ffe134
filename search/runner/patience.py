"""Failures in a row: when they stop a run, and which of them become facts of the study."""

from collections.abc import Callable

from search.errors import SurroundingsError, UserError
from search.study.trials import Trial

# So many failures in a row have a common cause, which is not one architecture.
PATIENCE = 10


class Patience:
    """Records results, but an unexpected exception only once a later candidate succeeds.

    Until then nobody knows whether the candidate or its surroundings raised it. After `PATIENCE`
    failures in a row those still held back are dropped: the same command tries them again.
    """

    def __init__(self, record: Callable[[Trial], None]) -> None:
        self._record = record
        self._held: list[Trial] = []

    @property
    def holding(self) -> bool:
        """Whether a result was taken that is not recorded yet."""
        return bool(self._held)

    def take(self, trial: Trial) -> None:
        """Record a result, or hold it back if it is an exception that may be anyone's."""
        if trial.result.raised:
            self._held.append(trial)
            return
        if trial.result.status == "ok":
            self.settle()
        self._record(trial)

    def settle(self) -> None:
        """Record what was held back: others succeeded, or the run ended before it was too much."""
        for trial in self._held:
            self._record(trial)
        self._held.clear()


def row_of_failures(before: int, trial: Trial) -> int:
    """Return the failures in a row after one more result; an infeasible candidate counts as none.

    `before`: those in a row until then.
    """
    if trial.result.status == "infeasible":
        return before
    return before + 1 if trial.result.status == "failed" else 0


def too_many_failures(error: str) -> UserError:
    """Say that `PATIENCE` candidates in a row failed, the last with `error`."""
    return UserError(
        f"the last {PATIENCE} candidates failed, the last with: {error}; mend the cause, then the"
        " same command tries on"
    )


def surroundings_failed(error: SurroundingsError | str) -> UserError:
    """Say that the surroundings failed at every try of one evaluation, as `error` tells."""
    return UserError(
        f"the run stops, for its surroundings failed at every try: {error}; nothing was recorded of"
        " that candidate: mend the cause, then the same command goes on"
    )
