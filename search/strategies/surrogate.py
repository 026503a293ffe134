"""A model of accuracy over the decisions, which picks the largest expected gain of the front."""

import numpy as np

from search.front import front
from search.jobs import Job, Options, Result
from search.strategies.bank import Bank
from search.strategies.features import Encoder, Matrix
from search.strategies.gain import expected_gain, from_scale, to_scale
from search.strategies.levels import Levels
from search.strategies.memory import Memory, Task
from search.strategies.pool import Pool
from search.strategies.process import Process
from search.strategies.threads import one_thread

START = 10
# Results that the model is fitted to, and proposals whose results it imagines.
_FITTED, _IMAGINED = 200, 50
# Lists that the vocabulary is taken from.
_SAMPLE = 400


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
        self._bank: Bank | None = None
        self._pool: Pool | None = None
        # By number in the bank: what the model is fitted to, on the scale of `to_scale`.
        self._target: dict[int, float] = {}
        self._number: dict[Options, int] = {}
        self._imagined: set[Options] = set()
        self._asked = 0

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        while True:
            early = self._asked < self._start and len(self._memory.trials) < self._start
            early = early or len(self._memory.trials) < 2
            if early:
                options = self._levels.propose()
            else:
                with one_thread():
                    options = self._best()
            job = self._memory.claim(options)
            if job is not None:
                self._asked += 1
                return job
            self._forget(options)

    def tell(self, job: Job, result: Result) -> None:
        """Learn a result; a failed one only says not to ask again."""
        trial = self._memory.tell(job, result)
        if trial is None:
            self._forget(job.options)
        elif self._bank is not None:
            with one_thread():
                self._hold(self._bank, job.options, trial.accuracy)
                fitted = np.array(list(self._target))
                targets = np.array(list(self._target.values()))
                self._process.learn(self._bank.likeness.part(fitted, fitted), targets)

    def _best(self) -> Options:
        """Return the list of the pool that promises the largest gain."""
        bank, pool = self._opened()
        pool.renew(self._memory.front())
        if not pool.numbers:
            return self._memory.leftover(self._rng)
        candidates, fitted = np.array(pool.numbers), np.array(list(self._target))
        mean, deviation = self._process.predict(
            bank.likeness.part(fitted, fitted),
            bank.likeness.part(candidates, fitted),
            bank.likeness.own(candidates),
            np.array(list(self._target.values())),
        )
        cost, accuracy = self._front(bank)
        gain = expected_gain(
            cost, accuracy, bank.log_cost[candidates], mean, deviation, chance=self._task.chance
        )
        pool.judge(gain)
        pick = int(np.argmax(gain))
        number = int(candidates[pick])
        options = bank.options[number]
        pool.take(number)
        if len(self._imagined) < _IMAGINED:
            self._imagined.add(options)
            self._number[options], self._target[number] = number, float(mean[pick])
        else:
            bank.drop(number)
        return options

    def _opened(self) -> tuple[Bank, Pool]:
        """Return the bank and the pool, made when the model is first needed."""
        if self._bank is None or self._pool is None:
            table, interval = self._task.table, self._task.interval
            sample = table.sample_level(self._rng, _SAMPLE // 2, *interval)
            sample += table.sample(self._rng, _SAMPLE // 2, *interval)
            self._bank = Bank(Encoder(table, sample), _FITTED + _IMAGINED + Pool.SIZE)
            self._pool = Pool(self._bank, self._memory, self._rng)
            # Many at once, as after a study was told again: the front first, then the newest.
            best = self._memory.front()
            for trial in dict.fromkeys([*best, *reversed(self._memory.trials)][:_FITTED]):
                self._hold(self._bank, trial.options, trial.accuracy)
        return self._bank, self._pool

    def _hold(self, bank: Bank, options: Options, accuracy: float) -> None:
        """Fit the model to a result from now on, in the place of an old one if there are many."""
        fresh = options not in self._number or options in self._imagined
        if fresh and len(self._target) - len(self._imagined) >= _FITTED:
            self._forget(self._dispensable())
        self._imagined.discard(options)
        if options not in self._number:
            if self._pool is not None:
                self._pool.leave(options)
            self._number[options] = bank.add([options])[0]
        self._target[self._number[options]] = float(to_scale(np.array(accuracy)))

    def _dispensable(self) -> Options:
        """Return a fitted list that is neither imagined nor on the front."""
        keep = {trial.options for trial in self._memory.front()} | self._imagined
        others = [options for options in self._number if options not in keep]
        others = others or [options for options in self._number if options not in self._imagined]
        return others[int(self._rng.integers(len(others)))]

    def _forget(self, options: Options) -> None:
        """Fit the model no longer to a list, if it was."""
        self._imagined.discard(options)
        number = self._number.pop(options, None)
        if number is not None and self._bank is not None:
            del self._target[number]
            self._bank.drop(number)

    def _front(self, bank: Bank) -> tuple[Matrix, Matrix]:
        """Return log-costs and accuracies of the front, imagined results among it."""
        points = [(trial.cost, trial.accuracy) for trial in self._memory.front()]
        for options in sorted(self._imagined, key=self._number.__getitem__):
            target = self._target[self._number[options]]
            points.append((self._task.table.cost(options), float(from_scale(np.array(target)))))
        chosen = [points[i] for i in front(points)]
        return bank.share([cost for cost, _ in chosen]), np.array([a for _, a in chosen])
