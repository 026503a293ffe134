"""Multi-objective local search."""

from collections.abc import Iterator

from search.jobs import Job, Options, Result
from search.strategies.history import History, Problem
from search.strategies.log_cost import LogCostLevels

START = 10


class LocalSearch:
    """Evaluates neighbours of the front's members (arXiv:2004.08996, for two objectives).

    After `start` encodings that cover the log-cost evenly, the member of the front with the fewest
    turns so far is next; a turn proposes one of its unknown neighbours, in random order.
    """

    def __init__(self, problem: Problem, start: int | None = None) -> None:
        self._history = History(problem)
        self._levels = LogCostLevels(self._history, problem.generator(0))
        self._rng = problem.generator(4)
        self._start = START if start is None else start
        self._neighbours_left: dict[Options, Iterator[Options]] = {}
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
        """Learn a result; neighbours of failed ones are not tried for their sake."""
        self._history.tell(job, result)

    def _near(self) -> Options:
        members = [member.options for member in self._history.front()]
        for member in sorted(members, key=lambda options: self._turns.get(options, 0)):
            self._turns[member] = self._turns.get(member, 0) + 1
            for options in self._neighbours(member):
                if options not in self._history.known:
                    return options
        # The front is a local optimum.
        return self._levels.propose()

    def _neighbours(self, member: Options) -> Iterator[Options]:
        if member not in self._neighbours_left:
            problem = self._history.problem
            found = list(problem.table.neighbours(member, *problem.interval))
            order = self._rng.permutation(len(found))
            self._neighbours_left[member] = iter([found[i] for i in order])
        return self._neighbours_left[member]
