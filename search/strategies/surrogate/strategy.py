"""A model of accuracy over the decisions, which picks the largest expected gain of the front."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from search.jobs import Job, Options, Result
from search.pareto import front
from search.strategies.history import Memory, Task, is_known
from search.strategies.log_cost import Levels
from search.strategies.surrogate.acquisition import expected_gain, from_scale, outcomes, worth
from search.strategies.surrogate.candidates import Pool
from search.strategies.surrogate.encoding import Encoder, Matrix
from search.strategies.surrogate.gp import Process
from search.strategies.surrogate.kernel_cache import Bank, Index
from search.strategies.surrogate.observations import FITTED, IMAGINED, Evidence
from search.strategies.surrogate.threads import one_thread

START = 10
# Lists that the vocabulary is taken from.
_SAMPLE = 400
# Candidates, the best by their gain, of which it is worked out what a first step would tell.
_STEPPED = 24


@dataclass(frozen=True)
class _Belief:
    """The front [k] and what is expected of candidates [m]; costs are shares of the interval."""

    front_cost: Matrix
    front_accuracy: Matrix
    cost: Matrix
    mean: Matrix
    deviation: Matrix

    def part(self, rows: Index) -> "_Belief":
        """Return the belief about some of the candidates."""
        chosen = (self.cost[rows], self.mean[rows], self.deviation[rows])
        return _Belief(self.front_cost, self.front_accuracy, *chosen)

    def gain(self, chance: float) -> Matrix:
        """Return each one's expected gain of area [m]."""
        return expected_gain(
            self.front_cost,
            self.front_accuracy,
            self.cost,
            self.mean,
            self.deviation,
            chance=chance,
        )

    def worth(self, doubt: Matrix, step: Matrix, rest: Matrix, chance: float) -> Matrix:
        """Return each one's gain for the training it takes, step by step [m], see `worth`.

        `doubt`: variance [m] of what the next step's result says about full length.
        """
        variance = np.square(self.deviation)
        told = np.where(rest > 0, variance / (variance + doubt), 1.0)
        left = self.deviation * np.sqrt(1.0 - told)
        means = outcomes(self.mean, self.deviation * np.sqrt(told))
        after = [replace(self, mean=mean, deviation=left).gain(chance) for mean in means]
        return worth(np.stack(after), step, rest)


class Surrogate:
    """Expected gain of hypervolume (arXiv:1105.0121) under a Gaussian process, within the budget.

    Begins with `start` lists at even levels of log-cost. Then, for each proposal, the model
    chooses from a pool of lists at even levels and of mutations and crosses of the front's and of
    the pool's best. Proposals whose results are still to come count as if they came as predicted.
    """

    def __init__(self, task: Task, start: int | None = None) -> None:
        self._task, self._start = task, START if start is None else start
        self._memory = Memory(task)
        self._rng = task.generator(1)
        self._levels = Levels(self._memory, task.generator(0))
        self._process = Process(task.generator(2))
        self._model: tuple[Bank, Evidence, Pool] | None = None
        # Shorter trainings told before there is a model.
        self._early: list[tuple[Options, int, float]] = []
        self._asked = 0

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        return self.choose({}, (self._task.epochs,))

    def choose(self, paused: Mapping[Options, int], lengths: tuple[int, ...]) -> Job:
        """Return a job at full length: for one of `paused` to go on, or for a new list.

        `paused` lists were trained for some of `lengths` [epochs, rising]; new ones would begin
        with the first. Chosen is what promises the largest gain for each epoch that it takes.
        Raises `Exhausted` when there is neither.
        """
        while True:
            early = self._asked < self._start and len(self._memory.trials) < self._start
            early = early or len(self._memory.trials) < 2
            if early:
                options = self._levels.propose()
            else:
                with one_thread():
                    options = self._best(paused, lengths)
            if options in paused:
                return Job(options, self._task.epochs, self._task.seed)
            job = self._memory.claim(options)
            if job is not None:
                self._asked += 1
                return job
            if self._model is not None:
                self._model[1].forget(options)

    def tell(self, job: Job, result: Result) -> None:
        """Learn a result; a failed one only says not to ask again.

        One of fewer epochs than the full ones says something about the full result, and is no
        member of the front.
        """
        short = job.epochs < self._task.epochs
        if short:
            self._memory.note(job)
        else:
            self._memory.tell(job, result)
        if self._model is None:
            if short and is_known(result):
                self._early.append((job.options, job.epochs, result.accuracy))
            return
        bank, evidence, pool = self._model
        if not is_known(result):
            evidence.fail(job.options)
            return
        with one_thread():
            pool.leave(job.options)
            evidence.hold(job.options, job.epochs, result.accuracy)
            if self._process.due(len(evidence.number)):
                rows, targets, noise = evidence.rows()
                self._process.learn(bank.likeness.part(rows, rows), targets, noise)

    def _best(self, paused: Mapping[Options, int], lengths: tuple[int, ...]) -> Options:
        """Return the list of the pool, or the paused one, that promises the largest gain."""
        bank, evidence, pool = self._opened()
        pool.renew(self._memory.front())
        waiting = [options for options in paused if options in evidence.number]
        fresh = len(pool.numbers)
        if fresh + len(waiting) == 0:
            return self._memory.leftover(self._rng)
        numbers = pool.numbers + [evidence.number[options] for options in waiting]
        candidates = np.array(numbers, np.intp)
        rows, targets, noise = evidence.rows()
        mean, deviation = self._process.predict(
            bank.likeness.part(rows, rows),
            bank.likeness.part(candidates, rows),
            bank.likeness.own(candidates),
            targets,
            noise,
        )
        belief = _Belief(*self._front(bank, evidence), bank.log_cost[candidates], mean, deviation)
        gain = belief.gain(self._task.chance)
        pool.judge(gain[:fresh])
        pick = int(np.argmax(gain))
        if len(lengths) > 1:
            rungs = [0] * fresh + [1 + lengths.index(paused[options]) for options in waiting]
            best = np.argsort(-gain)[:_STEPPED]
            rung = np.array(rungs)[best]
            next_length = [lengths[i] for i in rung]
            doubt = self._process.doubt(
                bank.likeness.own(candidates[best]), targets, evidence.noise(next_length)
            )
            steps = np.array([0, *lengths]) / lengths[-1]
            step, rest = steps[rung + 1] - steps[rung], 1.0 - steps[rung + 1]
            chance = self._task.chance
            pick = int(best[np.argmax(belief.part(best).worth(doubt, step, rest, chance))])
        number = int(candidates[pick])
        options = bank.options[number]
        if pick < fresh:
            pool.take(number)
        if not evidence.imagine(options, number, float(mean[pick])) and pick < fresh:
            bank.drop(number)
        return options

    def _opened(self) -> tuple[Bank, Evidence, Pool]:
        """Return the bank, the evidence and the pool, made when the model is first needed."""
        if self._model is None:
            table, interval = self._task.table, self._task.interval
            sample = table.sample_level(self._rng, _SAMPLE // 2, *interval)
            sample += table.sample(self._rng, _SAMPLE // 2, *interval)
            bank = Bank(Encoder(table, sample), FITTED + IMAGINED + Pool.SIZE)
            evidence = Evidence(bank, self._memory, self._rng)
            # Many at once, as after a study was told again: the front first, then the newest.
            best = self._memory.front()
            for trial in dict.fromkeys([*best, *reversed(self._memory.trials)][:FITTED]):
                evidence.hold(trial.options, self._task.epochs, trial.accuracy)
            for options, epochs, accuracy in self._early:
                evidence.hold(options, epochs, accuracy)
            self._early.clear()
            self._model = bank, evidence, Pool(bank, self._memory, self._rng)
        return self._model

    def _front(self, bank: Bank, evidence: Evidence) -> tuple[Matrix, Matrix]:
        """Return log-costs and accuracies of the front, imagined results among it."""
        points = [(trial.cost, trial.accuracy) for trial in self._memory.front()]
        for options, value in evidence.imagined.items():
            points.append((self._task.table.cost(options), float(from_scale(np.array(value)))))
        chosen = [points[i] for i in front(points)]
        return bank.share([cost for cost, _ in chosen]), np.array([a for _, a in chosen])
