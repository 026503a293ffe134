"""Optuna's samplers, kept inside the budget: points of the unit cube are decoded."""

import math
from typing import TYPE_CHECKING

from search.errors import UserError
from search.jobs import Job, Options, Result
from search.strategies.history import History, Problem
from search.strategies.log_cost import LogCostLevels

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

# Known encodings in a row after which one is proposed without Optuna.
_TRIES = 4
_LARGEST_SEED = 2**32
_BELOW_ONE = math.nextafter(1.0, 0.0)


class Optuna:
    """Optuna's multi-objective TPE or NSGA-II over the encodings inside the budget.

    Its parameters are uniform in [0, 1]. The first sets a budget, uniform in log-cost; the others
    decode to an encoding within it, see `BudgetTable.decode`. Objectives: log-cost, accuracy.
    """

    def __init__(self, problem: Problem, sampler: str | None = None) -> None:
        try:
            import optuna
        except ImportError:
            raise UserError(
                "strategy=optuna needs Optuna, which is not installed; pip install"
                " 'convbudget[optuna]', or choose strategy=surrogate"
            ) from None
        # Otherwise it logs the study and each trial to stderr.
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
            # Known already: Optuna is told its result again, or that it failed.
            self._close(trial, self._values.get(options))
        return self._history.first_new(self._levels.propose)

    def tell(self, job: Job, result: Result) -> None:
        """Tell Optuna a result; a failure as a failed trial."""
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
        # Optuna includes 1, the unit cube does not.
        share, *point = (
            min(trial.suggest_float(f"u{i}", 0.0, 1.0), _BELOW_ONE)
            for i in range(table.dimension + 1)
        )
        return table.decode(point, low, min(high, self._levels.budget_at(share)))
