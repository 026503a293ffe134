"""Encodings whose log-costs cover the budget evenly: a low-discrepancy sequence."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from search.jobs import Options
from search.strategies.history import History, generator_state, restore_generator

# Multiples of the golden ratio modulo 1 are evenly spread after any number of them.
_GOLDEN = (math.sqrt(5) - 1) / 2
# Tries around a level whose encodings are known already, each from a wider range.
_TRIES = 16


class LogCostLevels:
    """Proposes encodings at levels of log-cost: both ends of the budget first, then in between.

    A front is judged by its area over log-multiplies, but most encodings cost nearly the whole
    budget, so uniform ones would neglect the rest. The cheapest comes first, because no other
    encoding dominates the area that begins there.
    """

    def __init__(self, history: History, rng: np.random.Generator) -> None:
        self._history, self._rng = history, rng
        problem = history.problem
        ends = problem.table.sample_at(rng, list(problem.interval), *problem.interval)
        self._ends = ends
        low, high = (math.log(max(1, problem.table.cost(end))) for end in ends)
        self._low, self._span = low, high - low
        self._cheapest = problem.table.cost(ends[0])
        self._offset = float(rng.random())
        self._taken = 0

    def cost_at(self, share: float) -> float:
        """Return the cost at a share in [0, 1] of the log-interval, in multiplies."""
        return math.exp(self._low + self._span * min(1.0, max(0.0, share)))

    def budget_at(self, share: float) -> int:
        """Return `cost_at(share)`, or the cost of the cheapest encoding inside if that is more."""
        return max(self._cheapest, round(self.cost_at(share)))

    def snapshot(self) -> dict[str, Any]:
        """Return the number of levels taken and the generator's state."""
        return {"taken": self._taken, "rng": generator_state(self._rng)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` returned."""
        self._taken = int(state["taken"])
        restore_generator(self._rng, state["rng"])

    def propose(self) -> Options:
        """Return an unknown encoding at the next level; raises `Exhausted` when none is left."""
        number = self._taken
        self._taken += 1
        if number < len(self._ends):
            if self._ends[number] not in self._history.known:
                return self._ends[number]
            level = float(number)
        else:
            level = (self._offset + number * _GOLDEN) % 1
        offsets = np.linspace(0, 0.2, _TRIES) * (2 * self._rng.random(_TRIES) - 1)
        costs = [self.cost_at(level + offset) for offset in offsets]
        problem = self._history.problem
        for cost in costs:
            found = problem.table.sample_at(self._rng, [cost], *problem.interval)[0]
            if found not in self._history.known:
                return found
        return self._history.leftover(self._rng)
