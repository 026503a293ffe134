"""Costs that cover the logarithm of the budget evenly, however many of them are taken."""

import math

import numpy as np

from search.jobs import Options
from search.strategies.history import Memory

# Steps of the golden ratio leave no gap and no cluster after any number of them.
_GOLDEN = (math.sqrt(5) - 1) / 2
# Tries around a level whose lists are known already, each reaching further.
_TRIES = 16


class Levels:
    """Proposes lists at evenly covered levels of log-cost: both ends first, then in between.

    Fronts are judged by their area over log-multiplies, and uniform lists crowd at the top of the
    budget. The cheapest list comes first: no other can cover the area that begins there.
    """

    def __init__(self, memory: Memory, rng: np.random.Generator) -> None:
        self._memory, self._rng = memory, rng
        task = memory.task
        ends = task.table.sample_at(rng, list(task.interval), *task.interval)
        self._ends = ends
        low, high = (math.log(max(1, task.table.cost(end))) for end in ends)
        self._low, self._span = low, high - low
        self._cheapest = task.table.cost(ends[0])
        self._shift = float(rng.random())
        self._taken = 0

    def cost_at(self, share: float) -> float:
        """Return the cost at a share in [0, 1] of the log-interval, in multiplies."""
        return math.exp(self._low + self._span * min(1.0, max(0.0, share)))

    def reach(self, share: float) -> int:
        """Return `cost_at(share)` as a budget that the cheapest list inside fits."""
        return max(self._cheapest, round(self.cost_at(share)))

    def propose(self) -> Options:
        """Return an unknown list at the next level; raises `Exhausted` when none is left."""
        number = self._taken
        self._taken += 1
        if number < len(self._ends):
            if self._ends[number] not in self._memory.known:
                return self._ends[number]
            level = float(number)
        else:
            level = (self._shift + number * _GOLDEN) % 1
        reach = np.linspace(0, 0.2, _TRIES) * (2 * self._rng.random(_TRIES) - 1)
        costs = [self.cost_at(level + step) for step in reach]
        task = self._memory.task
        for cost in costs:
            found = task.table.sample_at(self._rng, [cost], *task.interval)[0]
            if found not in self._memory.known:
                return found
        return self._memory.leftover(self._rng)
