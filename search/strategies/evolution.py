"""Ageing evolution with parents from the Pareto front."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from search.errors import UserError
from search.jobs import Job, Options, Result
from search.pareto import front
from search.strategies.history import (
    History,
    Observation,
    Problem,
    generator_state,
    restore_generator,
)
from search.strategies.log_cost import LogCostLevels

POPULATION = 32
_CROSSOVER = 0.5
# Known children in a row after which any unknown encoding is proposed.
_TRIES = 8


class Evolution:
    """Ageing evolution (arXiv:1802.01548) for two objectives.

    The population is the newest `population` results; it starts with encodings that cover the
    log-cost evenly. Parents are its non-dominated members. A child is a mutation, inside the
    budget, of a parent or of two parents' crossover.
    """

    def __init__(self, problem: Problem, population: int | None = None) -> None:
        self._history = History(problem)
        self._levels = LogCostLevels(self._history, problem.generator(0))
        self._rng = problem.generator(3)
        self._population: deque[Observation] = deque(
            maxlen=POPULATION if population is None else population
        )
        self._asked = 0

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        job = self._history.first_new(self._propose)
        self._asked += 1
        return job

    def tell(self, job: Job, result: Result) -> None:
        """Add a result in place of the oldest; failed results never join the population."""
        observation = self._history.tell(job, result)
        if observation is not None:
            self._population.append(observation)

    def snapshot(self) -> dict[str, Any]:
        """Return the state beside jobs and results; see `search.jobs.Resumable`."""
        return {
            "known": self._history.snapshot(),
            "levels": self._levels.snapshot(),
            "rng": generator_state(self._rng),
            "asked": self._asked,
        }

    def restore(
        self, state: Mapping[str, Any], asked: Sequence[Job], told: Sequence[tuple[Job, Result]]
    ) -> None:
        """Go on from a snapshot."""
        self._history.restore(state["known"], asked, told, self.tell)
        self._levels.restore(state["levels"])
        restore_generator(self._rng, state["rng"])
        self._asked = int(state["asked"])

    def _propose(self) -> Options:
        if self._asked < (self._population.maxlen or 0) // 2 or not self._population:
            return self._levels.propose()
        parents = self._parents()
        for _ in range(_TRIES):
            child = self._child(parents)
            if child is not None and child not in self._history.known:
                return child
        return self._history.leftover(self._rng)

    def _parents(self) -> list[Options]:
        """Return the population's first front, and further ones while there are under four."""
        rest = list(self._population)
        parents: list[Options] = []
        while rest and len(parents) < 4:
            best = front([(member.cost, member.accuracy) for member in rest])
            parents += [rest[i].options for i in best]
            rest = [member for i, member in enumerate(rest) if i not in set(best)]
        return parents

    def _child(self, parents: list[Options]) -> Options | None:
        table, interval = self._history.problem.table, self._history.problem.interval
        picks = self._rng.integers(len(parents), size=2)
        one, other = (parents[int(i)] for i in picks)
        try:
            if one != other and self._rng.random() < _CROSSOVER:
                one = table.crossover(self._rng, one, other, *interval)
            return table.mutate(self._rng, one, *interval)
        except UserError:
            # The parents are all there is inside the budget.
            return None
