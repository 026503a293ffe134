"""Costs that cover the logarithm of the budget evenly, however many of them are taken."""

import math

import numpy as np

from search.jobs import Options
from search.strategies.history import History

# Steps of the golden ratio leave no gap and no cluster after any number of them.
_GOLDEN = (math.sqrt(5) - 1) / 2
# Tries around a level whose encodings are known already, each reaching further.
_TRIES = 16


class LogCostLevels:
    """Proposes encodings at evenly covered levels of log-cost: both ends first, then in between.

    Fronts are judged by their area over log-multiplies, and uniform encodings crowd at the top of
    the budget. The cheapest encoding comes first: no other can cover the area that begins there.
    """

    def __init__(self, history: History, rng: np.random.Generator) -> None:
        self._history, self._rng = history, rng
        problem = history.problem
        ends = problem.table.sample_at(rng, list(problem.interval), *problem.interval)
        self._ends = ends
        low, high = (math.log(max(1, problem.table.cost(end))) for end in ends)
        self._low, self._span = low, high - low
        self._cheapest = problem.table.cost(ends[0])
        self._shift = float(rng.random())
        self._taken = 0

    def cost_at(self, share: float) -> float:
        """Return the cost at a share in [0, 1] of the log-interval, in multiplies."""
        return math.exp(self._low + self._span * min(1.0, max(0.0, share)))

    def reach(self, share: float) -> int:
        """Return `cost_at(share)` as a budget that the cheapest encoding inside fits."""
        return max(self._cheapest, round(self.cost_at(share)))

    def propose(self) -> Options:
        """Return an unknown encoding at the next level; raises `Exhausted` when none is left."""
        number = self._taken
        self._taken += 1
        if number < len(self._ends):
            if self._ends[number] not in self._history.known:
                return self._ends[number]
            level = float(number)
        else:
            level = (self._shift + number * _GOLDEN) % 1
        reach = np.linspace(0, 0.2, _TRIES) * (2 * self._rng.random(_TRIES) - 1)
        costs = [self.cost_at(level + step) for step in reach]
        problem = self._history.problem
        for cost in costs:
            found = problem.table.sample_at(self._rng, [cost], *problem.interval)[0]
            if found not in self._history.known:
                return found
        return self._history.leftover(self._rng)
