"""The pool of unevaluated encodings over which the acquisition function is maximised."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from search.errors import UserError
from search.jobs import Options
from search.strategies.history import History, Observation
from search.strategies.surrogate.arrays import FloatArray
from search.strategies.surrogate.kernel_cache import KernelCache

# With more results than this the pool is good and changes less at a time, because every new
# encoding takes a third of a millisecond.
_FEW = 200
# Offspring at each refresh while there are few results, and later; their parents are the front and
# so many of the pool's best.
_OFFSPRING, _OFFSPRING_LATER = 32, 4
_ELITE = 12
_CROSSOVER = 0.25
# Every so many refreshes, so many encodings stratified by log-cost replace the worst.
_PERIOD, _STRATIFIED, _STRATIFIED_LATER = 16, 32, 6


class Pool:
    """Up to `SIZE` unevaluated encodings inside the budget, as rows of a kernel cache."""

    SIZE = 200

    def __init__(self, cache: KernelCache, history: History, rng: np.random.Generator) -> None:
        self._cache, self._history, self._rng = cache, history, rng
        self._value: dict[int, float] = {}  # acquisition value by row
        self._options: set[Options] = set()
        self._refreshes = 0

    def snapshot(self) -> dict[str, Any]:
        """Return the rows with their acquisition values, None for those not scored yet."""
        values = [[row, None if math.isinf(one) else one] for row, one in self._value.items()]
        return {"values": values, "refreshes": self._refreshes}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` returned; the cache is restored already."""
        self._value = {row: math.inf if one is None else one for row, one in state["values"]}
        self._options = {self._cache.options[row] for row in self._value}
        self._refreshes = int(state["refreshes"])

    @property
    def rows(self) -> list[int]:
        """Rows of the kernel cache that belong to the pool."""
        return list(self._value)

    def score(self, value: FloatArray) -> None:
        """Set the acquisition value of each of `rows`."""
        self._value = dict(zip(self._value, value.tolist(), strict=True))

    def take(self, row: int) -> None:
        """Remove an encoding from the pool but not from the cache."""
        del self._value[row]
        self._options.discard(self._cache.options[row])

    def discard(self, options: Options) -> None:
        """Drop an encoding that was evaluated without being taken from here, if it is held."""
        if options in self._options:
            row = next(row for row in self._value if self._cache.options[row] == options)
            self._drop(row)

    def refresh(self, front: list[Observation]) -> None:
        """Drop what has been proposed elsewhere; replace the worst by new encodings."""
        for row in self.rows:
            if self._cache.options[row] in self._history.known:
                self._drop(row)
        problem, interval = self._history.problem, self._history.problem.interval
        few = len(self._history.observations) <= _FEW
        if self._refreshes == 0:
            self._add(problem.table.sample_level(self._rng, self.SIZE, *interval))
        elif self._refreshes % _PERIOD == 0:
            count = _STRATIFIED if few else _STRATIFIED_LATER
            self._add(problem.table.sample_level(self._rng, count, *interval))
        self._refreshes += 1
        parents = [observation.options for observation in front] + self._elite()
        count = _OFFSPRING if few else _OFFSPRING_LATER
        self._add([child for _ in range(count) if (child := self._child(parents))])

    def _drop(self, row: int) -> None:
        self.take(row)
        self._cache.drop(row)

    def _elite(self) -> list[Options]:
        best = sorted(self._value, key=lambda row: -self._value[row])
        return [self._cache.options[row] for row in best[:_ELITE]]

    def _child(self, parents: list[Options]) -> Options | None:
        if not parents:
            return None
        table, interval = self._history.problem.table, self._history.problem.interval
        picks = self._rng.integers(len(parents), size=2)
        one, other = parents[int(picks[0])], parents[int(picks[1])]
        try:
            if one != other and self._rng.random() < _CROSSOVER:
                return table.crossover(self._rng, one, other, *interval)
            return table.mutate(self._rng, one, *interval)
        except UserError:
            # The parents are all there is inside the budget.
            return None

    def _add(self, encodings: list[Options]) -> None:
        known = self._history.known
        new = [o for o in dict.fromkeys(encodings) if o not in known and o not in self._options]
        excess = max(0, len(self._value) + len(new) - self.SIZE)
        for row in sorted(self._value, key=self._value.__getitem__)[:excess]:
            self._drop(row)
        # Not scored yet, so not to be dropped as the worst.
        self._value.update(dict.fromkeys(self._cache.add(new), math.inf))
        self._options.update(new)
