"""Asynchronous successive halving: many short trainings, the promising ones trained longer."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from search.jobs import Exhausted, Job, Options, Result, Resumable, Strategy, failed
from search.pareto import front
from search.strategies.history import Observation, Problem
from search.strategies.rungs import promotions
from search.strategies.surrogate.acquisition import (
    from_negative_log_error,
    hypervolume_improvement,
    negative_log_error,
)
from search.strategies.surrogate.arrays import FloatArray

RUNGS, REDUCTION = 3, 3
# Candidates that go on unconditionally, and those that begin short at all.
_HEAD, _SHORT = 6, 60


class Halving:
    """Asynchronous successive halving (arXiv:1810.05934) around another strategy, for a front.

    The first candidates of the inner strategy start at the shortest of `lengths` [epochs]. Of each
    rung's results one of `reduction` goes on to the next: a job of the same encoding and seed with
    more epochs. The next to go on is the one that adds the largest area to those that went on
    before, so it is never dominated by one of them. Nothing waits for a rung to be complete.

    Around the surrogate `multi_fidelity.MultiFidelity` takes its place: there a model decides.

    The inner strategy is told one result for a candidate at first and a better one each time it
    went on: the longer training's error, scaled back to what the shortest would have left.

    Short trainings find the region of the front quickly, but what they say is too coarse to
    finish it: after a number of candidates a fresh inner strategy, which is told the results at
    full length alone, goes on at full length. When it has nothing left, everything goes on.
    """

    def __init__(
        self,
        problem: Problem,
        make: Callable[[], Strategy],
        lengths: tuple[int, ...],
        reduction: int,
    ) -> None:
        self._problem, self._make, self._inner = problem, make, make()
        self._lengths, self._reduction = lengths, reduction
        self._rungs: list[dict[Options, Observation]] = [{} for _ in lengths]
        self._begun: list[dict[Options, Job]] = [{} for _ in lengths]
        low, high = problem.interval
        self._ends = (max(low, problem.table.cheapest()[0]), high)
        self._short = True
        # Results told, and how many of them before candidates began at full length.
        self._told, self._lengthened = 0, -1
        self._exhausted: Exhausted | None = None

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        if self._exhausted is None:
            promoted = self._promotion(everything=False) if self._short else None
            if promoted is not None:
                return promoted
            if self._short and len(self._begun[0]) >= _SHORT:
                self._lengthen()
            rung = 0 if self._short else len(self._lengths) - 1
            try:
                return self._begin(self._inner.ask(), rung)
            except Exhausted as error:
                self._exhausted = error
        promoted = self._promotion(everything=True)
        if promoted is None:
            raise Exhausted(str(self._exhausted))
        return promoted

    def tell(self, job: Job, result: Result) -> None:
        """Take in a result at any rung; a failed candidate is never promoted."""
        self._told += 1
        rung = self._lengths.index(job.epochs)
        self._begun[rung][job.options] = job
        proposed = replace(job, epochs=self._problem.epochs)
        if result.status != "ok" or not math.isfinite(result.accuracy):
            # A longer training that fails leaves what the shorter one said.
            if rung == 0 or not self._short:
                self._inner.tell(proposed, result)
            return
        cost = self._problem.table.cost(job.options)
        self._rungs[rung][job.options] = Observation(job.options, cost, float(result.accuracy))
        if self._short:
            value = negative_log_error(np.array(result.accuracy)) - self._progress(rung)
            result = replace(result, accuracy=float(from_negative_log_error(value)))
        elif job.epochs < self._problem.epochs:
            return
        self._inner.tell(proposed, result)

    def snapshot(self) -> dict[str, Any] | None:
        """Return the state beyond jobs and results; None if the inner strategy has no snapshots."""
        inner = self._inner.snapshot() if isinstance(self._inner, Resumable) else None
        if inner is None:
            return None
        stopped = None if self._exhausted is None else str(self._exhausted)
        return {"inner": inner, "lengthened": self._lengthened, "exhausted": stopped}

    def restore(
        self, state: Mapping[str, Any], asked: Sequence[Job], told: Sequence[tuple[Job, Result]]
    ) -> None:
        """Restore the state of a snapshot."""
        inner, lengthened = self._inner, int(state["lengthened"])
        assert isinstance(inner, Resumable)
        for job in asked:
            self._begun[self._lengths.index(job.epochs)][job.options] = job
        heard = self._inner = _Hearing()
        for number, (job, result) in enumerate(told):
            if number == lengthened:
                heard = self._restart()
            self.tell(job, result)
        if lengthened == len(told):
            heard = self._restart()
        self._inner, self._lengthened = inner, lengthened
        proposed = [replace(job, epochs=self._problem.epochs) for job in asked]
        inner.restore(state["inner"], proposed, heard.told)
        if state["exhausted"] is not None:
            self._exhausted = Exhausted(state["exhausted"])

    def _restart(self) -> "_Hearing":
        """Collect from here on what a fresh inner strategy was told at full length."""
        self._short, self._inner = False, _Hearing()
        self._tell_full_length()
        return self._inner

    def _lengthen(self) -> None:
        """Switch to full-length proposals from a fresh inner strategy told full-length results."""
        self._short, self._inner, self._lengthened = False, self._make(), self._told
        self._tell_full_length()

    def _tell_full_length(self) -> None:
        for options, short in self._begun[0].items():
            job = replace(short, epochs=self._problem.epochs)
            trial = self._rungs[-1].get(options)
            self._inner.tell(job, failed("cut short") if trial is None else Result(trial.accuracy))

    def _begin(self, job: Job, rung: int) -> Job:
        begun = replace(job, epochs=self._lengths[rung])
        self._begun[rung][job.options] = begun
        return begun

    def _promotion(self, *, everything: bool) -> Job | None:
        """Return the next promotion, from the longest rung that has one; None if there is none."""
        for rung in reversed(range(len(self._lengths) - 1)):
            finished, begun = self._rungs[rung], self._begun[rung + 1]
            allowed = promotions(len(finished), self._reduction, _HEAD)
            waiting = [trial for options, trial in finished.items() if options not in begun]
            if waiting and (everything or len(begun) < allowed):
                sure = everything or len(begun) < _HEAD
                before = [finished[options] for options in finished if options in begun]
                best = self._largest(waiting, before, sure=sure)
                if best is not None:
                    return self._begin(self._begun[rung][best], rung + 1)
        return None

    def _largest(
        self, waiting: list[Observation], before: list[Observation], *, sure: bool
    ) -> Options | None:
        """Return the encoding that adds the largest area; None if that is zero, unless `sure`."""
        chosen = [before[i] for i in front([(t.cost, t.accuracy) for t in before])]
        gains = hypervolume_improvement(
            self._share(chosen),
            np.array([trial.accuracy for trial in chosen]),
            self._share(waiting),
            np.array([trial.accuracy for trial in waiting]),
            chance=self._problem.chance,
        )
        pick = int(np.argmax(gains))
        return waiting[pick].options if sure or gains[pick] > 0 else None

    def _share(self, trials: list[Observation]) -> FloatArray:
        """Return log-costs as shares of the budget's log-interval."""
        low, high = (math.log(max(1, cost)) for cost in self._ends)
        costs = np.array([max(1, trial.cost) for trial in trials], np.float64)
        return (np.log(costs) - low) / max(high - low, 1e-9)

    def _progress(self, rung: int) -> float:
        """Return the median improvement from the first rung to `rung`, in negative log error."""
        first = self._rungs[0]
        both = [(first[o], t) for o, t in self._rungs[rung].items() if o in first]
        pairs = [(short.accuracy, long.accuracy) for short, long in both]
        if rung == 0 or not pairs:
            return 0.0
        short, long = negative_log_error(np.array(pairs)).T
        return float(np.median(long - short))


class _Hearing:
    """Stands in for the inner strategy and keeps what that was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Job, Result]] = []

    def ask(self) -> Job:
        raise Exhausted("it only hears")

    def tell(self, job: Job, result: Result) -> None:
        self.told.append((job, result))
