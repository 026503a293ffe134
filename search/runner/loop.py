"""Ask, evaluate, store, tell: one search, which can be killed at any point and gone on with.

Trial n is asked for after exactly max(0, n − ahead) results were told, in the order of trials.
So what a strategy proposes depends on results alone, never on how long they took. A resumed study
starts from the strategy's last snapshot, asks again for what came after it, is told what it knows,
and goes on as if nothing had happened. Where the strategy now asks for something else, after a
change of code, the stored trials are kept and told.
"""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from search.errors import Interrupted, SurroundingsError, UserError, shown
from search.executors.protocol import Executor
from search.jobs import Exhausted, Job, Result, Strategy
from search.runner.objective import as_told, check_measured
from search.runner.patience import (
    PATIENCE,
    Patience,
    row_of_failures,
    surroundings_failed,
    too_many_failures,
)
from search.runner.resume import EVERY, REPLAYED, Snapshot, can_resume, restore, snapshot, usable
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
    in flight and the trials told, now and then, so that checkpoints can be dropped; `note` with
    what the user should know.
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
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._study, self._chain, self._strategy = study, chain, strategy
        self._objective = study.info.objective
        self._executor, self._rules, self._watch, self._keep = executor, rules, watch, keep
        self._note = note
        self._stored = {trial.number: trial for trial in study.trials()}
        self._replayed = frozenset(self._stored)
        self._asked: list[Trial] = []
        self._first: dict[tuple[str, int, int], int] = {}
        self._told: list[Trial] = []
        self._seconds = 0.0
        self._failures = 0
        self._patience = Patience(study.add)
        self._received: list[int] = []
        # Results told when the last snapshot was taken.
        self._snapshot_at = 0
        # Whether stored trials are taken as they are, without asking the strategy for them; the
        # number of those taken, and a job that it offered instead of a stored one.
        self._trusting = False
        self._trusted = 0
        self._offered: Job | None = None

    def run(self) -> Ended:
        """Search until a limit is reached, the space is exhausted, or the user interrupts.

        Raises `UserError` when the strategy leaves the budget, or cannot read its snapshot.
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

    def _resume(self) -> None:
        """Go on from the last snapshot, if it saves asking again for stored trials."""
        found = usable(self._study.snapshot, self._strategy, self._stored)
        if found is not None:
            self._restore(found)
        # Strategies that make no snapshots are asked again, however long it takes.
        elif len(self._stored) > REPLAYED + self._rules.ahead and can_resume(self._strategy):
            self._trust("it holds no snapshot from which its strategy could go on")

    def _restore(self, found: Snapshot) -> None:
        told = [self._stored[number] for number in range(found.told)]
        waiting = [
            self._stored.get(found.told + place) or self._described(found.told + place, job, after)
            for place, (after, job) in enumerate(found.waiting)
        ]
        asked = [trial.job for trial in [*told, *waiting]]
        results = [(trial.job, as_told(trial.result, self._objective)) for trial in told]
        restore(self._strategy, found, asked, results, self._study.name)
        for trial in told:
            self._adopt(trial)
        for trial in waiting:
            if trial.number in self._stored:
                self._adopt(trial)
            else:
                self._submit(trial)
        for trial in told:
            self._count(trial)
        self._snapshot_at = found.told

    def _trust(self, reason: str) -> None:
        """Take stored trials as they are from now on, and say so once."""
        if not self._trusting and self._note is not None:
            self._note(
                f"{self._study.name}: {reason}; its trials are kept, but what is proposed from here"
                " on differs from an undisturbed run"
            )
        self._trusting = True

    def _save(self) -> None:
        """Store a snapshot now and then; only of what a resumed study would come to as well."""
        told = len(self._told)
        ready = told >= self._trusted and self._offered is None and not self._patience.holding
        if self._study.folder is None or told - self._snapshot_at < EVERY or not ready:
            return
        self._snapshot_at = told
        found = snapshot(self._strategy, self._asked, told)
        if found is not None:
            self._study.keep_snapshot(found)

    def _search(self) -> Ended:
        self._resume()
        while True:
            self._tell_until(len(self._asked) - self._rules.ahead)
            ended = self._limit()
            if ended is not None:
                return ended
            self._save()
            known = self._stored.get(len(self._asked))
            if self._trusting and known is not None:
                self._adopt(known)
                self._trusted = len(self._asked)
                continue
            try:
                job = self._offered or _job(self._strategy.ask())
                self._offered = None
            except Exhausted as error:
                if len(self._told) == len(self._asked):
                    if known is not None:
                        self._trust(f"its strategy proposes only {len(self._asked)} trials now")
                        continue
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
        if known is None:
            self._submit(self._described(number, job, len(self._told)))
            return
        if (known.job, known.asked_after) != (job, len(self._told)):
            self._trust(f"trial {number} was recorded by other code than this")
            self._trusted = number + 1
            # The strategy counts it as pending: it becomes the next trial that is not stored.
            self._offered = None if known.job == job else job
        self._adopt(known)

    def _adopt(self, known: Trial) -> None:
        """Take a stored trial as the next one asked for."""
        # What an equal encoding stands for was worked out when it was recorded.
        key = (known.arch_id, known.job.epochs, known.job.seed)
        self._first.setdefault(key, known.number)
        self._asked.append(known)

    def _submit(self, trial: Trial) -> None:
        """Have a trial evaluated, unless an earlier one is the same training."""
        first = self._first.setdefault(
            (trial.arch_id, trial.job.epochs, trial.job.seed), trial.number
        )
        if first == trial.number:
            self._executor.submit(trial.number, trial.job)
        else:
            trial = replace(trial, same_as=first)
        self._asked.append(trial)

    def _described(self, number: int, job: Job, told: int) -> Trial:
        """Return the trial of a new job that was asked for after `told` results."""
        if job.carried is None:
            job = replace(job, carried=candidate(self._chain, job.options))
        found = job.candidate
        multiplies = found.multiplies
        if not self._rules.low <= multiplies <= self._rules.high:
            raise UserError(
                f"the strategy proposed {multiplies:,} multiplies, outside the budget of"
                f" {self._rules.low:,} to {self._rules.high:,}; a strategy must keep to it"
            )
        return Trial(number, job, found.text, found.id, multiplies, found.params, told, _PENDING)

    def _tell_until(self, count: int) -> None:
        """Tell the results of the first `count` trials, in order, waiting for them."""
        while len(self._told) < count:
            number = len(self._told)
            while number not in self._stored:
                self._receive(number)
            trial = self._stored[number]
            self._strategy.tell(trial.job, as_told(trial.result, self._objective))
            self._count(trial)

    def _count(self, trial: Trial) -> None:
        """Count a trial of which the strategy knows the result."""
        self._told.append(trial)
        self._seconds += trial.result.seconds
        new = trial.number not in self._replayed
        if new:
            # Old failures don't count: the same command is the way to try again.
            self._failures = row_of_failures(self._failures, trial)
            if self._keep is not None:
                self._keep(self._told, [waiting.job for waiting in self._asked[len(self._told) :]])
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
            check_measured(result, self._objective)
        trial = replace(self._asked[number], result=result)
        self._patience.take(trial)
        # Its curve is in the study by now, or held back with it.
        self._stored[number] = replace(trial, result=replace(trial.result, curve=None))
        if self._received:
            # Raised already, but in a callback that could not hand it on.
            raise KeyboardInterrupt


def _job(asked: object) -> Job:
    """Return what a strategy asked for; raises `UserError` unless it is a `Job`."""
    if not isinstance(asked, Job):
        raise UserError(
            f"the strategy's ask() returned {shown(asked, quoted=True)}; it must return a"
            " search.Job, or raise search.Exhausted where nothing is left"
        )
    return asked
