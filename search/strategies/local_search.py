"""Multi-objective local search from an even start."""

from collections.abc import Iterator

from search.jobs import Job, Options, Result
from search.strategies.history import History, Problem
from search.strategies.log_cost import LogCostLevels

START = 10


class LocalSearch:
    """Tries the neighbours of the non-dominated results (arXiv:2004.08996, with a front).

    After `start` encodings at even levels of log-cost, members of the front take turns, those with
    the fewest neighbours tried so far first; each turn tries one neighbour, in random order.
    """

    def __init__(self, problem: Problem, start: int | None = None) -> None:
        self._history = History(problem)
        self._levels = LogCostLevels(self._history, problem.generator(0))
        self._rng = problem.generator(4)
        self._start = START if start is None else start
        self._around: dict[Options, Iterator[Options]] = {}
        self._turns: dict[Options, int] = {}
        self._asked = 0

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        while True:
            early = self._asked < self._start or not self._history.observations
            job = self._history.claim(self._levels.propose() if early else self._near())
            if job is not None:
                self._asked += 1
                return job

    def tell(self, job: Job, result: Result) -> None:
        """Learn a result; a failed one is never searched around."""
        self._history.tell(job, result)

    def _near(self) -> Options:
        members = [trial.options for trial in self._history.front()]
        for centre in sorted(members, key=lambda options: self._turns.get(options, 0)):
            self._turns[centre] = self._turns.get(centre, 0) + 1
            for options in self._neighbours(centre):
                if options not in self._history.known:
                    return options
        # The front is a local optimum: go on at even levels.
        return self._levels.propose()

    def _neighbours(self, centre: Options) -> Iterator[Options]:
        if centre not in self._around:
            problem = self._history.problem
            found = list(problem.table.neighbours(centre, *problem.interval))
            order = self._rng.permutation(len(found))
            self._around[centre] = iter([found[i] for i in order])
        return self._around[centre]
