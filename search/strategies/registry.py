"""From a configuration to the strategy it names."""

from search.config.strategy import StrategyConfig
from search.jobs import Strategy
from search.pareto import Aim
from search.spaces.budget_table import BudgetTable
from search.strategies.history import Problem


def build(
    config: StrategyConfig,
    table: BudgetTable,
    low: int,
    high: int,
    *,
    seed: int,
    epochs: int,
    chance: float,
    aim: Aim = "front",
) -> Strategy:
    """Return the strategy that `config` names, for encodings that cost from `low` to `high`.

    Jobs carry `epochs` and `seed`, which also seeds the strategy; `chance` is the accuracy of
    guessing; `aim` says what the surrogate improves, see `Problem`. Raises `UserError` where the
    configuration is wrong, nothing lies in the interval, or a package is missing.
    """
    problem = Problem(table, low, min(high, table.most_expensive()[0]), seed, epochs, chance, aim)
    return _named(config.name, config, problem)


def _named(name: str, config: StrategyConfig, problem: Problem) -> Strategy:
    # Imported where it is built: Optuna is an extra, and each brings what only it needs.
    match name:
        case "random":
            from search.strategies.random import Random

            return Random(problem)
        case "evolution":
            from search.strategies.evolution import Evolution

            return Evolution(problem, config.population)
        case "local":
            from search.strategies.local_search import LocalSearch

            return LocalSearch(problem, config.start)
        case "grid":
            from search.strategies.grid import Grid

            return Grid(problem)
        case "surrogate":
            from search.strategies.surrogate.strategy import Surrogate

            return Surrogate(problem, config.start)
        case "optuna":
            from search.strategies.optuna import Optuna

            return Optuna(problem, config.sampler)
        case "population":
            from search.strategies.population import Population

            return Population(problem, config.lengths or (), config.repeats or 1, config.twin)
        case "halving":
            return _halving(config, problem)
    raise AssertionError(name)


def rung_lengths(config: StrategyConfig, epochs: int) -> tuple[int, ...]:
    """Return the epochs of each rung of successive halving, ascending; empty for other strategies.

    `epochs`: those of a full training. Raises `UserError` if they are too few.
    """
    if config.name != "halving":
        return ()
    from search.strategies.halving import REDUCTION, RUNGS
    from search.strategies.rungs import lengths, most_rungs

    reduction = REDUCTION if config.reduction is None else config.reduction
    rungs = config.rungs
    if rungs is None:
        rungs = max(2, min(RUNGS, most_rungs(epochs, reduction)))
    return lengths(epochs, rungs, reduction)


def _halving(config: StrategyConfig, problem: Problem) -> Strategy:
    from search.strategies.halving import REDUCTION, Halving

    reduction = REDUCTION if config.reduction is None else config.reduction
    steps = rung_lengths(config, problem.epochs)
    if config.proposer == "surrogate":
        from search.strategies.surrogate.multi_fidelity import START, MultiFidelity
        from search.strategies.surrogate.strategy import Surrogate

        # It has a model to ask who goes on; of the others the ranks decide.
        start = START if config.start is None else config.start
        return MultiFidelity(problem, Surrogate(problem, start), steps)
    return Halving(problem, lambda: _named(config.proposer, config, problem), steps, reduction)
