"""The problem that a strategy is given, and the history of what it asked for and was told."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from search.jobs import Candidate, Exhausted, Job, Option, Options, Result
from search.pareto import Aim, front
from search.spaces.budget_table import BudgetTable

# Draws of 64 before the encodings are enumerated instead: only a space of which nearly everything
# was asked for comes that far.
_DRAWS = 8


@dataclass(frozen=True)
class Problem:
    """A space within [low, high] multiplies, and the epochs and seed of its jobs.

    `chance` is the accuracy of guessing, from which the area of a front is measured. `aim`: what
    to improve, the area of the front, the best accuracy within the budget, or both in turn.
    """

    table: BudgetTable
    low: int
    high: int
    seed: int
    epochs: int
    chance: float
    aim: Aim = "front"

    @property
    def interval(self) -> tuple[int, int]:
        """Both ends of the budget."""
        return self.low, self.high

    def generator(self, salt: int) -> np.random.Generator:
        """Return a random generator determined by the problem's seed and `salt`."""
        return np.random.default_rng((self.seed, salt))


@dataclass(frozen=True)
class Observation:
    """An evaluated encoding: its cost in multiplies and its accuracy in [0, 1]."""

    options: Options
    cost: int
    accuracy: float


def is_known(result: Result) -> bool:
    """Return whether a result is a success with a finite accuracy."""
    return result.status == "ok" and math.isfinite(result.accuracy)


def generator_state(rng: np.random.Generator) -> str:
    """Return the state of a generator as JSON text: its integers are too long for most readers."""
    return json.dumps(rng.bit_generator.state)


def restore_generator(rng: np.random.Generator, state: str) -> None:
    """Set a generator to the state that `generator_state` returned."""
    rng.bit_generator.state = json.loads(state)


class History:
    """Everything that a strategy asked for and was told; keeps it from asking twice.

    `known`: the candidate of each encoding that was claimed or told, or that stands for the value
    of another (different encodings of a user's chain may be one network). `observations`: the
    successful results in the order told; a second result for an encoding replaces the first.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.known: dict[Options, Candidate] = {}
        self.observations: list[Observation] = []
        self._ids: set[str] = set()
        self._place: dict[Options, int] = {}
        self._front: list[Observation] = []
        self._rest: Iterator[Options] | None = None
        # Claimed in vain: known, but neither asked for nor told.
        self._same_value: list[Options] = []

    def claim(self, options: Options) -> Job | None:
        """Return the job of an encoding, or None where its value was asked for already."""
        if options in self.known:
            return None
        if not self._is_new(self.problem.table.candidate(options)):
            self._same_value.append(options)
            return None
        return self.job(options)

    def first_new(self, propose: Callable[[], Options]) -> Job:
        """Return the job of the first proposal whose value was not asked for before.

        `propose` raises `Exhausted` when nothing is left.
        """
        while True:
            job = self.claim(propose())
            if job is not None:
                return job

    def job(self, options: Options, epochs: int | None = None) -> Job:
        """Return a job of a known encoding, by default at full length."""
        epochs = self.problem.epochs if epochs is None else epochs
        return Job(options, epochs, self.problem.seed, self.known[options])

    def note(self, job: Job) -> Candidate:
        """Mark an encoding as known, also if it was not asked for here; return its candidate."""
        known = self.known.get(job.options)
        if known is None:
            known = job.carried or self.problem.table.candidate(job.options)
            self._is_new(known)
        return known

    def tell(self, job: Job, result: Result) -> Observation | None:
        """Keep a result; return it as an observation, or None for a failure."""
        candidate = self.note(job)
        if not is_known(result):
            return None
        trial = Observation(job.options, candidate.multiplies, float(result.accuracy))
        if job.options in self._place:
            self.observations[self._place[job.options]] = trial
            self._front = _best(self.observations)
        else:
            self._place[job.options] = len(self.observations)
            self.observations.append(trial)
            self._front = _best([*self._front, trial])
        return trial

    def front(self) -> list[Observation]:
        """Return the non-dominated observations, cheapest first."""
        return list(self._front)

    def leftover(self, rng: np.random.Generator) -> Options:
        """Return any encoding inside that is not known, uniform while that is easy.

        Raises `Exhausted` when there is none.
        """
        problem = self.problem
        for _ in range(_DRAWS):
            for options in problem.table.sample(rng, 64, *problem.interval):
                if options not in self.known:
                    return options
        # One pass is enough for the life of the strategy: what is known stays known.
        self._rest = self._rest or problem.table.encodings(*problem.interval)
        for options in self._rest:
            if options not in self.known:
                return options
        raise self.exhausted()

    def snapshot(self) -> list[Options]:
        """Return the known encodings that jobs and results do not tell."""
        return self._same_value

    def restore(
        self,
        state: Sequence[Sequence[Option]],
        asked: Sequence[Job],
        told: Sequence[tuple[Job, Result]],
        tell: Callable[[Job, Result], object],
    ) -> None:
        """Know what was asked for and what `snapshot` returned, and `tell` each result anew."""
        for job in asked:
            self.note(job)
        self._same_value = [tuple(options) for options in state]
        for options in self._same_value:
            self._is_new(self.problem.table.candidate(options))
        for job, result in told:
            tell(job, result)

    def place(self, options: Options) -> int:
        """Return the index of an encoding in `observations`."""
        return self._place[options]

    def exhausted(self) -> Exhausted:
        """Return what to raise when every encoding inside has been proposed."""
        return Exhausted(
            f"every architecture from {self.problem.low} to {self.problem.high} multiplies has been"
            " proposed; widen the budget or the space for more"
        )

    def _is_new(self, candidate: Candidate) -> bool:
        self.known[candidate.options] = candidate
        if candidate.id in self._ids:
            return False
        self._ids.add(candidate.id)
        return True


def _best(trials: Sequence[Observation]) -> list[Observation]:
    return [trials[i] for i in front([(trial.cost, trial.accuracy) for trial in trials])]
