"""Bayesian optimisation of the front: expected hypervolume improvement under a GP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.jobs import Job, Options, Result
from search.pareto import front
from search.strategies.history import (
    History,
    Problem,
    generator_state,
    is_known,
    restore_generator,
)
from search.strategies.log_cost import LogCostLevels
from search.strategies.surrogate.acquisition import from_negative_log_error
from search.strategies.surrogate.arrays import FloatArray, IndexArray
from search.strategies.surrogate.features import Featurizer
from search.strategies.surrogate.gp import GaussianProcess
from search.strategies.surrogate.kernel_cache import KernelCache
from search.strategies.surrogate.pool import Pool
from search.strategies.surrogate.posterior import Posterior
from search.strategies.surrogate.threads import one_thread
from search.strategies.surrogate.training_set import FITTED, TrainingSet

START = 10
# Encodings that the features are made from.
_SAMPLE = 400
# Encodings, the best by expected improvement, for which one step ahead is computed.
_LOOKAHEAD = 24
# Pending jobs from which on all of them are imagined by what is known now. With fewer, as one
# worker has, each keeps the value that was predicted when the model proposed it: it is told soon.
_MANY_PENDING = 8
# Rows of the cache beside the results and the pool, before it has to grow.
_SPARE = 32


@dataclass(frozen=True)
class _Model:
    """What the GP reads, made once there are results to fit it to."""

    cache: KernelCache
    training_set: TrainingSet
    pool: Pool


class Surrogate:
    """Expected hypervolume improvement under a Gaussian process, within the budget.

    (Emmerich, Deutz and Klinkenberg, CEC 2011.) The first `start` encodings cover the log-cost
    evenly. Each later proposal maximises the acquisition function over a pool of encodings that
    are stratified by log-cost or descend from the front and the pool's best by mutation and
    crossover. Pending jobs count as observed at their predicted value.

    The problem's `aim` may ask for the best accuracy within the budget instead, or for both in
    turn.
    """

    def __init__(self, problem: Problem, start: int | None = None) -> None:
        self._problem, self._start = problem, START if start is None else start
        self._history = History(problem)
        self._rng = problem.generator(1)
        self._levels = LogCostLevels(self._history, problem.generator(0))
        self._gp = GaussianProcess(problem.generator(2))
        self._model: _Model | None = None
        # The generator's state before the sample of the features was drawn.
        self._before_sample = ""
        # Shorter trainings that were told before there was a model: (encoding, epochs, accuracy).
        self._early: list[tuple[Options, int, float]] = []
        # Pending jobs that were proposed without the model, in that order.
        self._unmodelled: dict[Options, None] = {}
        self._asked = 0

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        return self.choose({}, (self._problem.epochs,))

    def choose(self, paused: Mapping[Options, int], lengths: tuple[int, ...]) -> Job:
        """Return a full-length job of a new encoding, or of one of `paused` to continue.

        `paused` maps encodings to the epochs they were trained for, one of `lengths` (ascending);
        a new encoding would begin with the first. With several lengths the choice maximises the
        reservation value: expected improvement per unit of training. Raises `Exhausted` when there
        is neither.
        """
        while True:
            observed = len(self._history.observations)
            if observed < 2 or max(self._asked, observed) < self._start:
                options = self._levels.propose()
            else:
                with one_thread():
                    options = self._best(paused, lengths)
            if options in paused:
                return self._history.job(options)
            job = self._history.claim(options)
            if job is not None:
                self._asked += 1
                if self._model is None or options not in self._model.training_set.pending:
                    self._unmodelled[options] = None
                return job
            if self._model is not None:
                self._model.training_set.forget(options)

    def tell(self, job: Job, result: Result) -> None:
        """Learn a result; after a failed one its encoding is not proposed again.

        A result of fewer epochs than the full length informs the model but is never on the front.
        """
        self._remember(job, result)
        self._unmodelled.pop(job.options, None)
        if self._model is None:
            if job.epochs < self._problem.epochs and is_known(result):
                self._early.append((job.options, job.epochs, result.accuracy))
            return
        training_set = self._model.training_set
        if not is_known(result):
            training_set.fail(job.options)
            return
        with one_thread():
            self._model.pool.discard(job.options)
            training_set.add(job.options, job.epochs, result.accuracy)
            # Many imagined values would make the model believe in itself.
            rows, targets, noise = training_set.arrays(imagined=not self._many_pending())
            if self._gp.due(len(rows)):
                self._gp.fit(self._model.cache.pairwise.select(rows, rows), targets, noise)

    def _remember(self, job: Job, result: Result) -> None:
        """Keep a full-length result as an observation; of a shorter one, that it was asked for."""
        if job.epochs < self._problem.epochs:
            self._history.note(job)
        else:
            self._history.tell(job, result)

    def snapshot(self) -> dict[str, Any]:
        """Return the state beside jobs and results; see `search.jobs.Resumable`."""
        model = self._model
        return {
            "known": self._history.snapshot(),
            "levels": self._levels.snapshot(),
            "rng": generator_state(self._rng),
            "gp": self._gp.snapshot(),
            "asked": self._asked,
            "early": self._early,
            "model": None
            if model is None
            else {
                "before_sample": self._before_sample,
                "cache": model.cache.snapshot(),
                "training_set": model.training_set.snapshot(),
                "pool": model.pool.snapshot(),
            },
        }

    def restore(
        self, state: Mapping[str, Any], asked: Sequence[Job], told: Sequence[tuple[Job, Result]]
    ) -> None:
        """Go on from a snapshot; results are not fitted again."""
        self._history.restore(state["known"], asked, told, self._remember)
        accuracies = {
            (job.options, job.epochs): result.accuracy for job, result in told if is_known(result)
        }
        self._asked = int(state["asked"])
        self._early = [(tuple(options), epochs, value) for options, epochs, value in state["early"]]
        self._levels.restore(state["levels"])
        self._gp.restore(state["gp"])
        held = state["model"]
        if held is not None:
            restore_generator(self._rng, held["before_sample"])
            with one_thread():
                model = self._model = self._unfitted()
                model.cache.restore(held["cache"])
            model.training_set.restore(held["training_set"], accuracies)
            model.pool.restore(held["pool"])
        known = {job.options for job, _ in told}
        if self._model is not None:
            known |= self._model.training_set.pending.keys()
        self._unmodelled = {job.options: None for job in asked if job.options not in known}
        restore_generator(self._rng, state["rng"])

    def _best(self, paused: Mapping[Options, int], lengths: tuple[int, ...]) -> Options:
        """Return the encoding of the pool or of `paused` that maximises the acquisition function.

        A new one leaves the pool and counts as pending.
        """
        model = self._fitted()
        cache, training_set, pool = model.cache, model.training_set, model.pool
        pool.refresh(self._history.front())
        if self._many_pending():
            self._imagine(model)
        waiting = [options for options in paused if options in training_set.row]
        fresh = len(pool.rows)
        if fresh + len(waiting) == 0:
            return self._history.leftover(self._rng)
        rows = np.array(pool.rows + [training_set.row[options] for options in waiting], np.intp)
        train, targets, noise = training_set.arrays()
        mean, deviation = self._gp.predict(
            cache.pairwise.select(train, train),
            cache.pairwise.select(rows, train),
            cache.pairwise.diagonal(rows),
            targets,
            noise,
        )
        posterior = Posterior(*self._front(model), cache.cost[rows], mean, deviation)
        if self._aims_at_best():
            posterior = posterior.of_the_best()
        improvement = posterior.expected_improvement(self._problem.chance)
        pool.score(improvement[:fresh])
        pick = int(np.argmax(improvement))
        if len(lengths) > 1:
            best = np.argsort(-improvement)[:_LOOKAHEAD]
            rungs = [0] * fresh + [1 + lengths.index(paused[options]) for options in waiting]
            value = self._reservation_value(
                model, rows[best], targets, posterior.select(best), np.array(rungs)[best], lengths
            )
            pick = int(best[np.argmax(value)])
        row = int(rows[pick])
        options = cache.options[row]
        if pick < fresh:
            pool.take(row)
        training_set.add_pending(options, row, float(posterior.mean[pick]))
        return options

    def _many_pending(self) -> bool:
        pending = 0 if self._model is None else len(self._model.training_set.pending)
        return pending + len(self._unmodelled) >= _MANY_PENDING

    def _imagine(self, model: _Model) -> None:
        """Predict the results of all pending jobs anew, from those that were told."""
        cache, training_set = model.cache, model.training_set
        for options, row in zip(self._unmodelled, cache.add([*self._unmodelled]), strict=True):
            training_set.add_pending(options, row, 0.0)
        self._unmodelled.clear()
        train, targets, noise = training_set.arrays(imagined=False)
        rows = np.array([training_set.row[options] for options in training_set.pending], np.intp)
        mean, _ = self._gp.predict(
            cache.pairwise.select(train, train),
            cache.pairwise.select(rows, train),
            cache.pairwise.diagonal(rows),
            targets,
            noise,
        )
        for options, value in zip([*training_set.pending], mean.tolist(), strict=True):
            training_set.pending[options] = value

    def _aims_at_best(self) -> bool:
        """Return whether the next encoding is to improve the best accuracy, not the area."""
        aim = self._problem.aim
        return aim == "best" or (aim == "both" and self._asked % 2 == 1)

    def _reservation_value(
        self,
        model: _Model,
        rows: IndexArray,
        targets: FloatArray,
        posterior: Posterior,
        rung: IndexArray,
        lengths: Sequence[int],
    ) -> FloatArray:
        """Return the reservation value [m] of training `rows` [m] for their next length.

        `targets` [n]: those of the training set; `rung` [m]: index in `lengths` of each one's next
        length.
        """
        noise_variance = self._gp.observation_variance(
            model.cache.pairwise.diagonal(rows),
            targets,
            model.training_set.fidelity_noise([lengths[i] for i in rung]),
        )
        trained = np.array([0, *lengths]) / lengths[-1]
        step, rest = trained[rung + 1] - trained[rung], 1.0 - trained[rung + 1]
        return posterior.reservation_value(noise_variance, step, rest, self._problem.chance)

    def _fitted(self) -> _Model:
        """Return the model, made at the first call from everything told so far."""
        if self._model is None:
            model = self._unfitted()
            training_set = model.training_set
            # After a resume there may be more than fit: the front first, then the newest.
            best = self._history.front()
            newest = reversed(self._history.observations)
            for observation in dict.fromkeys([*best, *newest][:FITTED]):
                training_set.add(observation.options, self._problem.epochs, observation.accuracy)
            for options, epochs, accuracy in self._early:
                training_set.add(options, epochs, accuracy)
            self._early.clear()
            self._model = model
        return self._model

    def _unfitted(self) -> _Model:
        """Return a model without encodings, whose features come from a sample of the space."""
        self._before_sample = generator_state(self._rng)
        table, interval = self._problem.table, self._problem.interval
        sample = table.sample_level(self._rng, _SAMPLE // 2, *interval)
        sample += table.sample(self._rng, _SAMPLE // 2, *interval)
        cache = KernelCache(Featurizer(table, sample), FITTED + _SPARE + Pool.SIZE)
        training_set = TrainingSet(cache, self._history, self._rng)
        return _Model(cache, training_set, Pool(cache, self._history, self._rng))

    def _front(self, model: _Model) -> tuple[FloatArray, FloatArray]:
        """Return scaled costs and accuracies [k] of the front, with pending jobs as predicted."""
        points = [(observation.cost, observation.accuracy) for observation in self._history.front()]
        for options, value in model.training_set.pending.items():
            points.append(
                (
                    self._history.known[options].multiplies,
                    float(from_negative_log_error(np.array(value))),
                )
            )
        chosen = [points[i] for i in front(points)]
        costs = model.cache.scaled_cost([cost for cost, _ in chosen])
        return costs, np.array([accuracy for _, accuracy in chosen])
