"""The candidates that a model compares: kept, renewed a little at a time, the best ones varied."""

import math

import numpy as np

from search.errors import UserError
from search.jobs import Options
from search.strategies.history import History, Observation
from search.strategies.surrogate.encoding import Matrix
from search.strategies.surrogate.kernel_cache import KernelCache

# Results from which on the pool is renewed less at a time: it is good by then, and each new
# candidate takes a third of a millisecond.
_FEW = 200
# Candidates made new at each renewal while there are few results, and later; they come from this
# many of the pool's best and the front.
_FRESH, _FRESH_LATER = 32, 4
_ELITE = 12
_CROSSED = 0.25
# Every so often many of the worst make room for encodings at even levels of log-cost.
_SWEEP, _SWEPT, _SWEPT_LATER = 16, 32, 6


class CandidatePool:
    """Up to `SIZE` unevaluated encodings inside the budget, by their numbers in a kernel cache."""

    SIZE = 200

    def __init__(self, cache: KernelCache, history: History, rng: np.random.Generator) -> None:
        self._cache, self._history, self._rng = cache, history, rng
        self._gain: dict[int, float] = {}
        self._options: set[Options] = set()
        self._renewals = 0

    @property
    def numbers(self) -> list[int]:
        """The candidates' numbers."""
        return list(self._gain)

    def score(self, gain: Matrix) -> None:
        """Note the gain of each candidate, in the order of `numbers`."""
        self._gain = dict(zip(self._gain, gain.tolist(), strict=True))

    def take(self, number: int) -> None:
        """Take a candidate out, which stays in the cache."""
        del self._gain[number]
        self._options.discard(self._cache.options[number])

    def discard(self, options: Options) -> None:
        """Drop an encoding that was evaluated without having been chosen here."""
        if options in self._options:
            number = next(n for n in self._gain if self._cache.options[n] == options)
            self._drop(number)

    def refresh(self, front: list[Observation]) -> None:
        """Drop what was asked for meanwhile; bring in new candidates for the worst ones."""
        for number in self.numbers:
            if self._cache.options[number] in self._history.known:
                self._drop(number)
        problem, interval = self._history.problem, self._history.problem.interval
        few = len(self._history.observations) <= _FEW
        if self._renewals == 0:
            self._bring(problem.table.sample_level(self._rng, self.SIZE, *interval))
        elif self._renewals % _SWEEP == 0:
            swept = _SWEPT if few else _SWEPT_LATER
            self._bring(problem.table.sample_level(self._rng, swept, *interval))
        self._renewals += 1
        parents = [trial.options for trial in front] + self._elite()
        fresh = _FRESH if few else _FRESH_LATER
        self._bring([child for _ in range(fresh) if (child := self._child(parents))])

    def _drop(self, number: int) -> None:
        self.take(number)
        self._cache.drop(number)

    def _elite(self) -> list[Options]:
        best = sorted(self._gain, key=lambda number: -self._gain[number])
        return [self._cache.options[number] for number in best[:_ELITE]]

    def _child(self, parents: list[Options]) -> Options | None:
        if not parents:
            return None
        table, interval = self._history.problem.table, self._history.problem.interval
        picks = self._rng.integers(len(parents), size=2)
        one, other = parents[int(picks[0])], parents[int(picks[1])]
        try:
            if one != other and self._rng.random() < _CROSSED:
                return table.crossover(self._rng, one, other, *interval)
            return table.mutate(self._rng, one, *interval)
        except UserError:
            # Nothing else is inside the budget.
            return None

    def _bring(self, encodings: list[Options]) -> None:
        known = self._history.known
        new = [o for o in dict.fromkeys(encodings) if o not in known and o not in self._options]
        excess = max(0, len(self._gain) + len(new) - self.SIZE)
        for number in sorted(self._gain, key=self._gain.__getitem__)[:excess]:
            self._drop(number)
        # Not judged yet, hence not among the worst.
        self._gain.update(dict.fromkeys(self._cache.add(new), math.inf))
        self._options.update(new)
