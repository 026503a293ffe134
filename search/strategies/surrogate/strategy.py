"""A model of accuracy over the decisions, which picks the largest expected gain of the front."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from search.jobs import Job, Options, Result
from search.pareto import front
from search.strategies.history import History, Problem, is_known
from search.strategies.log_cost import LogCostLevels
from search.strategies.surrogate.acquisition import (
    expected_hypervolume_improvement,
    from_negative_log_error,
    quadrature_points,
    reservation_value,
)
from search.strategies.surrogate.candidates import CandidatePool
from search.strategies.surrogate.encoding import Encoder, Matrix
from search.strategies.surrogate.gp import GaussianProcess
from search.strategies.surrogate.kernel_cache import Index, KernelCache
from search.strategies.surrogate.observations import FITTED, PENDING, TrainingSet
from search.strategies.surrogate.threads import one_thread

START = 10
# Encodings that the vocabulary is taken from.
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
        return expected_hypervolume_improvement(
            self.front_cost,
            self.front_accuracy,
            self.cost,
            self.mean,
            self.deviation,
            chance=chance,
        )

    def reservation_value(
        self, fidelity_noise: Matrix, step: Matrix, rest: Matrix, chance: float
    ) -> Matrix:
        """Return each one's gain for each unit of training [m], see `reservation_value`.

        `fidelity_noise`: variance [m] of what the next step's result says about full length.
        """
        variance = np.square(self.deviation)
        told = np.where(rest > 0, variance / (variance + fidelity_noise), 1.0)
        left = self.deviation * np.sqrt(1.0 - told)
        means = quadrature_points(self.mean, self.deviation * np.sqrt(told))
        after = [replace(self, mean=mean, deviation=left).gain(chance) for mean in means]
        return reservation_value(np.stack(after), step, rest)


class Surrogate:
    """Expected gain of hypervolume (arXiv:1105.0121) under a Gaussian process, within the budget.

    Begins with `start` encodings at even levels of log-cost. Then, for each proposal, the model
    chooses from a pool of encodings at even levels and of mutations and crosses of the front's and
    of the pool's best. Proposals whose results are still to come count as if they came as
    predicted.
    """

    def __init__(self, problem: Problem, start: int | None = None) -> None:
        self._problem, self._start = problem, START if start is None else start
        self._history = History(problem)
        self._rng = problem.generator(1)
        self._levels = LogCostLevels(self._history, problem.generator(0))
        self._gp = GaussianProcess(problem.generator(2))
        self._model: tuple[KernelCache, TrainingSet, CandidatePool] | None = None
        # Shorter trainings told before there is a model.
        self._early: list[tuple[Options, int, float]] = []
        self._asked = 0

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        return self.choose({}, (self._problem.epochs,))

    def choose(self, paused: Mapping[Options, int], lengths: tuple[int, ...]) -> Job:
        """Return a job at full length: for one of `paused` to go on, or for a new encoding.

        `paused` encodings were trained for some of `lengths` [epochs, rising]; new ones would begin
        with the first. Chosen is what promises the largest gain for each epoch that it takes.
        Raises `Exhausted` when there is neither.
        """
        while True:
            early = self._asked < self._start and len(self._history.observations) < self._start
            early = early or len(self._history.observations) < 2
            if early:
                options = self._levels.propose()
            else:
                with one_thread():
                    options = self._best(paused, lengths)
            if options in paused:
                return self._history.job(options)
            job = self._history.claim(options)
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
        short = job.epochs < self._problem.epochs
        if short:
            self._history.note(job)
        else:
            self._history.tell(job, result)
        if self._model is None:
            if short and is_known(result):
                self._early.append((job.options, job.epochs, result.accuracy))
            return
        cache, training_set, pool = self._model
        if not is_known(result):
            training_set.fail(job.options)
            return
        with one_thread():
            pool.discard(job.options)
            training_set.hold(job.options, job.epochs, result.accuracy)
            if self._gp.due(len(training_set.number)):
                rows, targets, noise = training_set.rows()
                self._gp.fit(cache.pairwise.part(rows, rows), targets, noise)

    def _best(self, paused: Mapping[Options, int], lengths: tuple[int, ...]) -> Options:
        """Return the encoding of the pool, or the paused one, that promises the largest gain."""
        cache, training_set, pool = self._opened()
        pool.refresh(self._history.front())
        waiting = [options for options in paused if options in training_set.number]
        fresh = len(pool.numbers)
        if fresh + len(waiting) == 0:
            return self._history.leftover(self._rng)
        numbers = pool.numbers + [training_set.number[options] for options in waiting]
        candidates = np.array(numbers, np.intp)
        rows, targets, noise = training_set.rows()
        mean, deviation = self._gp.predict(
            cache.pairwise.part(rows, rows),
            cache.pairwise.part(candidates, rows),
            cache.pairwise.own(candidates),
            targets,
            noise,
        )
        belief = _Belief(
            *self._front(cache, training_set), cache.log_cost[candidates], mean, deviation
        )
        gain = belief.gain(self._problem.chance)
        pool.score(gain[:fresh])
        pick = int(np.argmax(gain))
        if len(lengths) > 1:
            rungs = [0] * fresh + [1 + lengths.index(paused[options]) for options in waiting]
            best = np.argsort(-gain)[:_STEPPED]
            rung = np.array(rungs)[best]
            next_length = [lengths[i] for i in rung]
            fidelity_noise = self._gp.fidelity_noise(
                cache.pairwise.own(candidates[best]), targets, training_set.noise(next_length)
            )
            steps = np.array([0, *lengths]) / lengths[-1]
            step, rest = steps[rung + 1] - steps[rung], 1.0 - steps[rung + 1]
            chance = self._problem.chance
            pick = int(
                best[
                    np.argmax(
                        belief.part(best).reservation_value(fidelity_noise, step, rest, chance)
                    )
                ]
            )
        number = int(candidates[pick])
        options = cache.options[number]
        if pick < fresh:
            pool.take(number)
        if not training_set.add_pending(options, number, float(mean[pick])) and pick < fresh:
            cache.drop(number)
        return options

    def _opened(self) -> tuple[KernelCache, TrainingSet, CandidatePool]:
        """Return the cache, the training set and the pool, made when the model is first needed."""
        if self._model is None:
            table, interval = self._problem.table, self._problem.interval
            sample = table.sample_level(self._rng, _SAMPLE // 2, *interval)
            sample += table.sample(self._rng, _SAMPLE // 2, *interval)
            cache = KernelCache(Encoder(table, sample), FITTED + PENDING + CandidatePool.SIZE)
            training_set = TrainingSet(cache, self._history, self._rng)
            # Many at once, as after a study was told again: the front first, then the newest.
            best = self._history.front()
            for trial in dict.fromkeys([*best, *reversed(self._history.observations)][:FITTED]):
                training_set.hold(trial.options, self._problem.epochs, trial.accuracy)
            for options, epochs, accuracy in self._early:
                training_set.hold(options, epochs, accuracy)
            self._early.clear()
            self._model = cache, training_set, CandidatePool(cache, self._history, self._rng)
        return self._model

    def _front(self, cache: KernelCache, training_set: TrainingSet) -> tuple[Matrix, Matrix]:
        """Return log-costs and accuracies of the front, pending results among it."""
        points = [(trial.cost, trial.accuracy) for trial in self._history.front()]
        for options, value in training_set.pending.items():
            points.append(
                (self._problem.table.cost(options), float(from_negative_log_error(np.array(value))))
            )
        chosen = [points[i] for i in front(points)]
        return cache.share([cost for cost, _ in chosen]), np.array([a for _, a in chosen])
