"""Ask, evaluate, store, tell: one search, which can be killed at any point and gone on with.

With one worker trial n is asked for after exactly max(0, n − ahead) results were told, in the order
of trials: what a strategy proposes depends on results alone, never on how long they took.

With several workers results are told in the order of their arrival, so that a slow candidate holds
nobody up. The study records that order, and a result is told once it is recorded. Once a study
holds such an order it goes on so, with however many workers.

A resumed study starts from the strategy's last snapshot, asks again for what came after it, is told
what it knows in the same order, and goes on as if nothing had happened: jobs that were in flight
are proposed and evaluated again. Where the strategy now asks for something else, after a change of
code, the stored trials are kept and told.
"""

import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from search.errors import SurroundingsError
from search.executors.protocol import Executor
from search.jobs import Exhausted, Job, Strategy
from search.runner.flight import InFlight
from search.runner.objective import as_told
from search.runner.patience import PATIENCE, Patience, row_of_failures
from search.runner.proposal import ask, described
from search.runner.replay import Tell, recorded_tells
from search.runner.resume import EVERY, REPLAYED, Snapshot, can_resume, restore, snapshot, usable
from search.runner.rules import Ended, Rules
from search.runner.signals import interruptible
from search.spaces.chain import Chain
from search.study.arrival import Arrival
from search.study.study import Study
from search.study.trials import Trial

__all__ = ["Ended", "Rules", "Runner"]


class Runner:
    """Brings a strategy, an executor and a study together.

    `watch` is called with each trial as it is told, and whether it was new; `keep` with all trials
    told and those in flight, after each new one, so that checkpoints can be dropped; `note` with
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
        keep: Callable[[Sequence[Trial], Collection[Trial]], None] | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._study, self._chain, self._strategy = study, chain, strategy
        self._objective = study.info.objective
        self._rules, self._watch, self._keep, self._note = rules, watch, keep, note
        self._stored = {trial.number: trial for trial in study.trials()}
        self._replayed = frozenset(self._stored)
        self._flight = InFlight(executor, self._objective, self._stored, rules.ahead)
        self._asked: list[Trial] = []
        self._told: list[Trial] = []
        # Asked for and not told, by number.
        self._pending: dict[int, Trial] = {}
        self._seconds = 0.0
        self._failures, self._error = 0, ""
        self._received: list[int] = []
        # Results told when the last snapshot was taken.
        self._snapshot_at = 0
        # Whether stored trials are taken as they are, without asking the strategy for them; the
        # number of those taken, and a job that it offered instead of a stored one.
        self._trusting = False
        self._trusted = 0
        self._offered: Job | None = None
        arrivals = study.arrivals()
        self._by_arrival = bool(arrivals) or executor.workers > 1
        self._tells = recorded_tells(self._stored, arrivals, rules.ahead)
        # Whether the strategy had nothing to propose since the last result was told.
        self._exhausted = False
        self._patience = Patience(self._record_and_tell if self._by_arrival else study.add)

    def run(self) -> Ended:
        """Search until a limit is reached, the space is exhausted, or the user interrupts.

        Raises `UserError` when the strategy leaves the budget, or cannot read its snapshot.
        """
        if self._complete():
            return Ended("trials")
        try:
            with interruptible() as self._received:
                ended = self._search()
                self._tell_pending()
                if ended.complete:
                    self._patience.settle()
                    # Equal trainings take over what was held back.
                    self._tell_pending()
                return ended
        except SurroundingsError as error:
            return Ended("surroundings", str(error))
        except KeyboardInterrupt:
            return Ended("interrupted", signal=next(iter(self._received), signal.SIGINT))

    def _complete(self) -> bool:
        """Tell of a study that has all it is asked for, without asking a strategy again."""
        trials, stored = self._rules.trials, self._stored
        if trials is None or self._rules.hours is not None or len(stored) < trials:
            return False
        if not stored.keys() >= {*range(trials)}:
            return False
        self._told = [stored[number] for number in range(trials)]
        if self._watch is not None:
            for trial in self._told:
                self._watch(trial, False)
        return True

    def _resume(self) -> None:
        """Go on from the last snapshot, if it saves asking again for stored trials."""
        order = [tell.number for tell in self._tells] if self._by_arrival else None
        most = self._rules.trials
        found = usable(self._study.snapshot, self._strategy, self._stored, order)
        if found is not None and (most is None or found.asked <= most):
            self._restore(found)
        # Strategies that make no snapshots are asked again, however long it takes.
        elif len(self._stored) > REPLAYED + self._rules.ahead and can_resume(self._strategy):
            self._trust("it holds no snapshot from which its strategy could go on")

    def _restore(self, found: Snapshot) -> None:
        told = [self._stored[number] for number in found.told_numbers]
        waiting = [
            self._stored.get(number) or described(self._chain, self._rules, number, job, after)
            for number, (after, job) in found.waiting.items()
        ]
        asked = sorted([*told, *waiting], key=lambda trial: trial.number)
        restore(self._strategy, found, asked, told, self._study)
        for trial in asked:
            self._enter(trial)
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
        if self._study.folder is None or told - self._snapshot_at < EVERY:
            return
        ready = self._offered is None and min(self._pending, default=told) >= self._trusted
        # By arrival what is held back was not told either.
        if not ready or (self._patience.holding and not self._by_arrival):
            return
        self._snapshot_at = told
        found = snapshot(self._strategy, [*self._pending.values()], told)
        if found is not None:
            self._study.keep_snapshot(found)

    def _search(self) -> Ended:
        self._resume()
        while True:
            self._make_room()
            ended = self._limit()
            if ended is not None:
                return ended
            self._save()
            known = self._stored.get(len(self._asked))
            if self._trusting and known is not None:
                self._enter(known)
                self._trusted = len(self._asked)
                continue
            try:
                job = self._offered or ask(self._strategy)
                self._offered = None
            except Exhausted as error:
                # What is in flight may open a way; then this ask counts later tells.
                if self._tell_more():
                    continue
                if known is None:
                    return Ended("exhausted", str(error))
                self._trust(f"its strategy proposes only {len(self._asked)} trials now")
                continue
            self._take(job)

    def _limit(self) -> Ended | None:
        if self._failures >= PATIENCE:
            return Ended("failures", self._error)
        reached = self._rules.reached(len(self._asked), self._seconds)
        return None if reached is None else Ended(reached)

    def _take(self, job: Job) -> None:
        """Give the strategy's next job to the executor, or find that its result is there."""
        number = len(self._asked)
        known = self._stored.get(number)
        if known is None:
            self._enter(described(self._chain, self._rules, number, job, len(self._told)))
            return
        if (known.job, known.asked_after) != (job, len(self._told)):
            self._trust(f"trial {number} was recorded by other code than this")
            self._trusted = number + 1
            # The strategy counts it as pending: it becomes the next trial that is not stored.
            self._offered = None if known.job == job else job
        self._enter(known)

    def _enter(self, trial: Trial) -> None:
        """Take a trial as the next one asked for: a stored one, or one to be evaluated."""
        if trial.number in self._stored:
            self._flight.know(trial)
        else:
            trial = self._flight.submit(trial)
        self._asked.append(trial)
        self._pending[trial.number] = trial

    def _tell(self, trial: Trial) -> None:
        self._strategy.tell(trial.job, as_told(trial.result, self._objective))
        self._count(trial)

    def _count(self, trial: Trial) -> None:
        """Count a trial of which the strategy knows the result."""
        self._told.append(trial)
        del self._pending[trial.number]
        self._seconds += trial.result.seconds
        new = trial.number not in self._replayed
        # Old failures don't count: the same command is the way to try again.
        if new:
            if not self._by_arrival:
                self._fail_or_not(trial)
            if self._keep is not None:
                self._keep(self._told, self._pending.values())
        if self._watch is not None:
            self._watch(trial, new)

    def _fail_or_not(self, trial: Trial) -> None:
        self._failures = row_of_failures(self._failures, trial)
        self._error = trial.result.error

    def _make_room(self) -> None:
        """Tell results until the next job may be asked for."""
        if not self._by_arrival and self._flight.workers > 1:
            self._tell_by_arrival_from_now()
        if not self._by_arrival:
            self._tell_until(len(self._asked) - self._rules.ahead)
            return
        while len(self._told) < len(self._tells):
            tell = self._tells[len(self._told)]
            if len(self._asked) < tell.asked and not self._exhausted:
                return
            self._repeat(tell)
        while self._flight.ready or self._flight.full:
            # What is full of nothing that runs waits for an equal training that is held back.
            if self._flight.empty:
                self._patience.settle()
            else:
                self._advance()

    def _tell_pending(self) -> None:
        """Tell the results of all that was asked for, waiting for them."""
        if not self._by_arrival:
            self._tell_until(len(self._asked))
            return
        for tell in self._tells[len(self._told) :]:
            if tell.number in self._pending:
                self._tell(self._stored[tell.number])
        while not self._flight.empty:
            self._advance()

    def _tell_more(self) -> bool:
        """Tell what may let a strategy propose again that cannot now; False if there is nothing."""
        told = len(self._told)
        if not self._by_arrival:
            self._tell_until(len(self._asked))
        elif told < len(self._tells):
            # Recorded by other code than this, or by one worker that was not asked so often.
            self._exhausted = self._tells[told].number < len(self._asked)
            return self._exhausted
        else:
            self._exhausted = True
            while len(self._told) == told and not self._flight.empty:
                self._advance()
            if len(self._told) == told:
                self._patience.settle()
        return len(self._told) > told

    def _tell_until(self, count: int) -> None:
        """Tell the results of the first `count` trials, in order, waiting for them."""
        while len(self._told) < count:
            number = len(self._told)
            while number not in self._stored:
                trial = self._flight.receive(number)
                self._patience.take(trial)
                self._store(trial)
                self._stop_if_told_to()
            self._tell(self._stored[number])

    def _tell_by_arrival_from_now(self) -> None:
        """Go over to the order of arrival, since workers have joined, as soon as that is safe."""
        if self._patience.holding or max(self._stored, default=-1) >= len(self._asked):
            return
        for number in [number for number in self._pending if number in self._stored]:
            self._tell(self._stored[number])
        self._by_arrival, self._tells = True, []
        self._patience = Patience(self._record_and_tell)

    def _repeat(self, tell: Tell) -> None:
        """Tell a recorded result again, after the strategy was asked in vain where it was then."""
        if tell.exhausted and not self._exhausted and not self._trusting:
            try:
                self._offered = self._offered or ask(self._strategy)
                self._trust(f"its strategy now proposes a job where it had none, {tell.asked}")
            except Exhausted:
                pass
        self._exhausted = False
        self._tell(self._stored[tell.number])

    def _advance(self) -> None:
        """Receive one more result; tell it and those held back before it, if it decides on them."""
        trial = self._flight.receive()
        self._fail_or_not(trial)
        self._patience.take(trial)
        self._stop_if_told_to()

    def _record_and_tell(self, trial: Trial) -> None:
        """Record a result with its place in the order, then tell it: it is never told before."""
        asked = max(len(self._asked), self._tells[-1].asked if self._tells else 0)
        self._study.add(trial, Arrival(len(self._stored), asked, self._exhausted))
        self._exhausted = False
        # Now a fact about the candidate, also for those that take it over.
        trial = replace(trial, result=replace(trial.result, raised=False))
        self._tell(self._store(trial))

    def _store(self, trial: Trial) -> Trial:
        # Its curve is in the study by now, or held back with it.
        trial = replace(trial, result=replace(trial.result, curve=None))
        self._stored[trial.number] = trial
        self._flight.settle(trial.number)
        return trial

    def _stop_if_told_to(self) -> None:
        if self._received:
            # Raised already, but in a callback that could not hand it on.
            raise KeyboardInterrupt
