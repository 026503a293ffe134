"""From a configuration to the strategy it names."""

from search.config.strategy import StrategyConfig
from search.jobs import Strategy
from search.spaces.budget_table import BudgetTable
from search.strategies.history import Task


def build(
    config: StrategyConfig,
    table: BudgetTable,
    low: int,
    high: int,
    *,
    seed: int,
    epochs: int,
    chance: float,
) -> Strategy:
    """Return the strategy that `config` names, for lists that cost from `low` to `high`.

    Jobs carry `epochs` and `seed`, which also seeds the strategy; `chance` is the accuracy of
    guessing. Raises `UserError` where the configuration is wrong, nothing lies in the interval, or
    a package is missing.
    """
    config.validate()
    task = Task(table, low, min(high, table.dearest()[0]), seed, epochs, chance)
    return _named(config.name, config, task)


def _named(name: str, config: StrategyConfig, task: Task) -> Strategy:
    # Imported where it is built: Optuna is an extra, and each brings what only it needs.
    match name:
        case "random":
            from search.strategies.random import Random

            return Random(task)
        case "evolution":
            from search.strategies.evolution import Evolution

            return Evolution(task, config.population)
        case "local":
            from search.strategies.local_search import Local

            return Local(task, config.start)
        case "grid":
            from search.strategies.grid import Grid

            return Grid(task)
        case "surrogate":
            from search.strategies.surrogate.strategy import Surrogate

            return Surrogate(task, config.start)
        case "optuna":
            from search.strategies.optuna import Optuna

            return Optuna(task, config.sampler)
        case "halving":
            return _halving(config, task)
    raise AssertionError(name)


def _halving(config: StrategyConfig, task: Task) -> Strategy:
    from search.strategies.halving import REDUCTION, RUNGS, Halving
    from search.strategies.rungs import lengths, most_rungs

    reduction = REDUCTION if config.reduction is None else config.reduction
    rungs = config.rungs
    if rungs is None:
        rungs = max(2, min(RUNGS, most_rungs(task.epochs, reduction)))
    steps = lengths(task.epochs, rungs, reduction)
    if config.proposer == "surrogate":
        from search.strategies.surrogate.multi_fidelity import START, Paced
        from search.strategies.surrogate.strategy import Surrogate

        # It has a model to ask who goes on; of the others the ranks decide.
        start = START if config.start is None else config.start
        return Paced(task, Surrogate(task, start), steps)
    return Halving(task, lambda: _named(config.proposer, config, task), steps, reduction)
