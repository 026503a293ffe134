"""Evolution with Pareto parents that age."""

from collections import deque

from search.errors import UserError
from search.jobs import Job, Options, Result
from search.pareto import front
from search.strategies.history import History, Observation, Problem
from search.strategies.log_cost import LogCostLevels

POPULATION = 32
_CROSSED = 0.5
# Children that were known already before any unknown encoding will do.
_TRIES = 8


class Evolution:
    """Ageing evolution (arXiv:1802.01548) for a front: parents are the living's non-dominated.

    The newest `population` results live; the first ones are spread over the costs. A child is a
    mutation of a parent, or of a cross of two, inside the budget.
    """

    def __init__(self, problem: Problem, population: int | None = None) -> None:
        self._history = History(problem)
        self._levels = LogCostLevels(self._history, problem.generator(0))
        self._rng = problem.generator(3)
        self._living: deque[Observation] = deque(
            maxlen=POPULATION if population is None else population
        )
        self._asked = 0

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        while True:
            job = self._history.claim(self._propose())
            if job is not None:
                self._asked += 1
                return job

    def tell(self, job: Job, result: Result) -> None:
        """Let a result live in the place of the oldest; a failed one is never born."""
        trial = self._history.tell(job, result)
        if trial is not None:
            self._living.append(trial)

    def _propose(self) -> Options:
        if self._asked < (self._living.maxlen or 0) // 2 or not self._living:
            return self._levels.propose()
        parents = self._parents()
        for _ in range(_TRIES):
            child = self._child(parents)
            if child is not None and child not in self._history.known:
                return child
        return self._history.leftover(self._rng)

    def _parents(self) -> list[Options]:
        """Return the living's first front, and its second where the first is short."""
        living = list(self._living)
        parents: list[Options] = []
        while living and len(parents) < 4:
            best = front([(trial.cost, trial.accuracy) for trial in living])
            parents += [living[i].options for i in best]
            living = [trial for i, trial in enumerate(living) if i not in set(best)]
        return parents

    def _child(self, parents: list[Options]) -> Options | None:
        table, interval = self._history.problem.table, self._history.problem.interval
        picks = self._rng.integers(len(parents), size=2)
        one, other = (parents[int(i)] for i in picks)
        try:
            if one != other and self._rng.random() < _CROSSED:
                one = table.crossover(self._rng, one, other, *interval)
            return table.mutate(self._rng, one, *interval)
        except UserError:
            # Nothing else is inside the budget.
            return None
