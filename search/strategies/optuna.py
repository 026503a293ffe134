"""Optuna's samplers, held inside the budget by decoding their points."""

import math
from typing import TYPE_CHECKING

from search.errors import UserError
from search.jobs import Job, Options, Result
from search.strategies.history import History, Problem
from search.strategies.log_cost import LogCostLevels

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

# Proposals known already, whose results Optuna is told again, before an encoding at an even level.
_TRIES = 4
_LARGEST_SEED = 2**32
_BELOW_ONE = math.nextafter(1.0, 0.0)


class Optuna:
    """Lets Optuna's multi-objective TPE or NSGA-II choose among encodings inside the budget.

    Its point in the unit cube says how much to spend, evenly in log-cost, and then decodes to a
    list that costs at most that. The two objectives are log-cost and accuracy.
    """

    def __init__(self, problem: Problem, sampler: str | None = None) -> None:
        try:
            import optuna
        except ImportError:
            raise UserError(
                "strategy=optuna needs Optuna, which is not installed; pip install"
                " 'convbudget[optuna]', or choose strategy=surrogate"
            ) from None
        # It would announce the study and each trial on stderr.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._failed = optuna.trial.TrialState.FAIL
        self._problem = problem
        self._history = History(problem)
        self._rng = problem.generator(5)
        self._levels = LogCostLevels(self._history, problem.generator(0))
        seed = int(self._rng.integers(_LARGEST_SEED))
        chosen: BaseSampler = optuna.samplers.TPESampler(seed=seed)
        if sampler == "nsgaii":
            chosen = optuna.samplers.NSGAIISampler(seed=seed)
        self._study = optuna.create_study(directions=["minimize", "maximize"], sampler=chosen)
        self._waiting: dict[Options, Trial] = {}
        self._values: dict[Options, list[float]] = {}

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        for _ in range(_TRIES):
            trial = self._study.ask()
            options = self._decode(trial)
            job = self._history.claim(options)
            if job is not None:
                self._waiting[options] = trial
                return job
            # Known already: Optuna learns the result again, or that there is none.
            self._close(trial, self._values.get(options))
        while True:
            job = self._history.claim(self._levels.propose())
            if job is not None:
                return job

    def tell(self, job: Job, result: Result) -> None:
        """Hand a result to Optuna; a failed one as failed."""
        told = self._history.tell(job, result)
        trial = self._waiting.pop(job.options, None)
        if told is not None:
            self._values[job.options] = [math.log(max(1, told.cost)), told.accuracy]
        if trial is not None:
            self._close(trial, self._values.get(job.options))

    def _close(self, trial: "Trial", values: list[float] | None) -> None:
        if values is None:
            self._study.tell(trial, state=self._failed)
        else:
            self._study.tell(trial, values)

    def _decode(self, trial: "Trial") -> Options:
        table, (low, high) = self._problem.table, self._problem.interval
        # Just below 1, which is where the cube ends.
        share, *point = (
            min(trial.suggest_float(f"u{i}", 0.0, 1.0), _BELOW_ONE)
            for i in range(table.dimension + 1)
        )
        return table.decode(point, low, min(high, self._levels.reach(share)))
