"""Ask, evaluate, store, tell: one search, which can be killed at any point and gone on with.

Trial n is asked for after exactly max(0, n − ahead) results were told, in the order of trials.
So what a strategy proposes depends on results alone, never on how long they took, and a resumed
study asks again for what it has, is told what it knows, and goes on as if nothing had happened.
"""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from search.errors import Interrupted, SurroundingsError, UserError
from search.executors.protocol import Executor
from search.jobs import Exhausted, Job, Result, Strategy
from search.runner.patience import (
    PATIENCE,
    Patience,
    row_of_failures,
    surroundings_failed,
    too_many_failures,
)
from search.runner.signals import interruptible
from search.spaces.chain import Chain, candidate
from search.study.study import Study
from search.study.trials import Trial

# Stands in until the result is there; not NaN, so that trials can be compared.
_PENDING = Result(accuracy=-1.0)


@dataclass(frozen=True)
class Rules:
    """When and how a search proposes.

    `low` and `high`: the budget in multiplies, both ends included; `ahead`: how many trials may
    wait for their results when the next is asked for; `trials` and `hours` of evaluation (those
    recorded, whenever they ran) say when to stop, None never.
    """

    low: int
    high: int
    ahead: int = 0
    trials: int | None = None
    hours: float | None = None


@dataclass(frozen=True)
class Ended:
    """Why a search ended.

    `reason`: `trials`, `hours`, `exhausted`, `failures` (too many in a row), `surroundings` (they
    failed twice), or `interrupted`. `error`: the last failure's reason; `signal`: the number of the
    signal that interrupted.
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


class Runner:
    """Brings a strategy, an executor and a study together.

    `watch` is called with each trial as it is told, and whether it was new; `keep` with the jobs
    in flight and the trials told, now and then, so that checkpoints can be dropped.
    """

    def __init__(
        self,
        study: Study,
        chain: Chain,
        strategy: Strategy,
        executor: Executor,
        rules: Rules,
        *,
        watch: Callable[[Trial, bool], None] | None = None,
        keep: Callable[[Sequence[Trial], Sequence[Job]], None] | None = None,
    ) -> None:
        self._study, self._chain, self._strategy = study, chain, strategy
        self._executor, self._rules, self._watch, self._keep = executor, rules, watch, keep
        self._stored = {trial.number: trial for trial in study.trials()}
        self._replayed = frozenset(self._stored)
        self._asked: list[Trial] = []
        self._first: dict[tuple[str, int, int], int] = {}
        self._told: list[Trial] = []
        self._seconds = 0.0
        self._failures = 0
        self._patience = Patience(study.add)
        self._received: list[int] = []

    def run(self) -> Ended:
        """Search until a limit is reached, the space is exhausted, or the user interrupts.

        Raises `UserError` when the strategy leaves the budget, or asks for something else than it
        did when the study was written.
        """
        if self._complete():
            return Ended("trials")
        try:
            with interruptible() as self._received:
                ended = self._search()
                self._tell_until(len(self._asked))
                if ended.complete:
                    self._patience.settle()
                return ended
        except SurroundingsError as error:
            return Ended("surroundings", str(error))
        except KeyboardInterrupt:
            received = self._received
            return Ended("interrupted", signal=received[0] if received else signal.SIGINT)

    def _complete(self) -> bool:
        """Tell of a study that has all it is asked for, without asking a strategy again."""
        trials, stored = self._rules.trials, self._stored
        if trials is None or self._rules.hours is not None or len(stored) < trials:
            return False
        if any(number not in stored for number in range(trials)):
            return False
        self._told = [stored[number] for number in range(trials)]
        if self._watch is not None:
            for trial in self._told:
                self._watch(trial, False)
        return True

    def _search(self) -> Ended:
        while True:
            self._tell_until(len(self._asked) - self._rules.ahead)
            ended = self._limit()
            if ended is not None:
                return ended
            try:
                job = self._strategy.ask()
            except Exhausted as error:
                if len(self._told) == len(self._asked):
                    return Ended("exhausted", str(error))
                # What is in flight may open a way; then this ask counts later tells.
                self._tell_until(len(self._asked))
                continue
            self._take(job)

    def _limit(self) -> Ended | None:
        rules = self._rules
        if self._failures >= PATIENCE:
            return Ended("failures", self._told[-1].result.error)
        if rules.trials is not None and len(self._asked) >= rules.trials:
            return Ended("trials")
        if rules.hours is not None and self._seconds >= rules.hours * 3600:
            return Ended("hours")
        return None

    def _take(self, job: Job) -> None:
        """Give the strategy's next job to the executor, or find that its result is there."""
        number = len(self._asked)
        known = self._stored.get(number)
        if known is not None and (known.job, known.asked_after) == (job, len(self._told)):
            # What an equal list stands for was worked out when it was recorded.
            self._first.setdefault((known.arch_id, job.epochs, job.seed), number)
            self._asked.append(known)
            return
        if job.carried is None:
            job = replace(job, carried=candidate(self._chain, job.options))
        trial = self._described(number, job)
        key = (trial.arch_id, job.epochs, job.seed)
        first = self._first.setdefault(key, number)
        if first != number:
            trial = replace(trial, same_as=first)
        if known is not None:
            raise UserError(
                f"trial {number} of {self._study.name} was recorded by other code: it holds"
                f" {known.arch_id} with {known.job.epochs} epochs where {trial.arch_id} with"
                f" {job.epochs} is asked for now; choose another study="
            )
        if first == number:
            self._executor.submit(number, job)
        self._asked.append(trial)

    def _described(self, number: int, job: Job) -> Trial:
        found = job.candidate
        multiplies = found.multiplies
        if not self._rules.low <= multiplies <= self._rules.high:
            raise UserError(
                f"the strategy proposed {multiplies:,} multiplies, outside the budget of"
                f" {self._rules.low:,} to {self._rules.high:,}; a strategy must keep to it"
            )
        told = len(self._told)
        return Trial(number, job, found.text, found.id, multiplies, found.params, told, _PENDING)

    def _tell_until(self, count: int) -> None:
        """Tell the results of the first `count` trials, in order, waiting for them."""
        while len(self._told) < count:
            number = len(self._told)
            while number not in self._stored:
                self._receive(number)
            trial = self._stored[number]
            self._strategy.tell(trial.job, trial.result)
            self._told.append(trial)
            self._seconds += trial.result.seconds
            new = number not in self._replayed
            if new:
                # Old failures don't count: the same command is the way to try again.
                self._failures = row_of_failures(self._failures, trial)
                if self._keep is not None:
                    self._keep(self._told, [waiting.job for waiting in self._asked[number + 1 :]])
            if self._watch is not None:
                self._watch(trial, new)

    def _receive(self, number: int) -> None:
        """Store one more result: that of a job done before, or the next that arrives."""
        first = self._asked[number].same_as
        if first is not None:
            # Asked for earlier, hence told earlier. No second of work was spent on it again.
            result = replace(self._stored[first].result, seconds=0.0)
        else:
            number, result = self._executor.next()
        trial = replace(self._asked[number], result=result)
        self._patience.take(trial)
        self._stored[number] = trial
        if self._received:
            # Raised already, but in a callback that could not hand it on.
            raise KeyboardInterrupt
