"""Multi-objective local search."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from search.jobs import Job, Options, Result
from search.strategies.history import History, Problem, generator_state, restore_generator
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
        self._orders: dict[Options, list[int]] = {}
        self._turns: dict[Options, int] = {}
        self._asked = 0

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        early = self._asked < self._start or not self._history.observations
        job = self._history.first_new(self._levels.propose if early else self._near)
        self._asked += 1
        return job

    def tell(self, job: Job, result: Result) -> None:
        """Learn a result; neighbours of failed ones are not tried for their sake."""
        self._history.tell(job, result)

    def snapshot(self) -> dict[str, Any]:
        """Return the state beside jobs and results; see `search.jobs.Resumable`."""
        return {
            "known": self._history.snapshot(),
            "levels": self._levels.snapshot(),
            "rng": generator_state(self._rng),
            "asked": self._asked,
            # Who left the front does not return: each encoding has one result.
            "members": [
                [options, self._turns[options], self._orders.get(options)]
                for options in (member.options for member in self._history.front())
                if options in self._turns
            ],
        }

    def restore(
        self, state: Mapping[str, Any], asked: Sequence[Job], told: Sequence[tuple[Job, Result]]
    ) -> None:
        """Go on from a snapshot."""
        self._history.restore(state["known"], asked, told, self.tell)
        self._levels.restore(state["levels"])
        restore_generator(self._rng, state["rng"])
        self._asked = int(state["asked"])
        for options, turns, order in state["members"]:
            self._turns[tuple(options)] = turns
            if order is not None:
                self._orders[tuple(options)] = order

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
            order = self._orders.get(member)
            if order is None:
                order = self._orders[member] = self._rng.permutation(len(found)).tolist()
            # After a restore from the first again: those proposed are known, and skipped.
            self._neighbours_left[member] = iter([found[i] for i in order])
        return self._neighbours_left[member]
