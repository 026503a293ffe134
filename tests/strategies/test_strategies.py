"""Every strategy keeps the contract, on chains of one length and of many."""

import math

import numpy as np
import pytest
from chains import Stages

import search.strategies.grid as grid
import search.strategies.surrogate.strategy as strategy_module
import search.strategies.surrogate.training_set as training_set
from search.config.strategy import StrategyConfig
from search.errors import UserError
from search.jobs import Job, Options, Result, Strategy, failed
from search.pareto import front
from search.spaces.budget_table import BudgetTable, tabulate
from search.strategies import build
from search.testing import StrategyFactory, check_strategy, check_strategy_exhausts, play


def accuracy_of(options: Options) -> float:
    layers = sum({"wide": 3, "thin": 2, "none": 0}.get(str(o), 0) for o in options)
    return min(0.99, 0.3 + 0.05 * layers + 0.02 * int(options[0]))


def evaluate(job: Job) -> Result:
    return Result(accuracy_of(job.options))


CONFIGS = [
    StrategyConfig("random"),
    StrategyConfig("evolution", population=6),
    StrategyConfig("local", start=4),
    StrategyConfig("grid"),
    StrategyConfig("surrogate", start=4),
    StrategyConfig("optuna", sampler="tpe"),
    StrategyConfig("optuna", sampler="nsgaii"),
    StrategyConfig("halving", inner="random"),
    StrategyConfig("halving", inner="surrogate", start=4),
    StrategyConfig("halving", inner="evolution", rungs=2, reduction=4),
    StrategyConfig("population", lengths=[2, 5], repeats=2),
]


# Optuna takes long for each proposal.
SHORT = 10


def factory(config: StrategyConfig) -> StrategyFactory:
    def make(table: BudgetTable, low: int, high: int, seed: int) -> Strategy:
        return build(config, table, low, high, seed=seed, epochs=9, chance=0.1)

    return make


def is_optuna(request: pytest.FixtureRequest) -> bool:
    return "optuna" in request.node.name


@pytest.fixture(params=CONFIGS, ids=lambda c: "-".join(filter(None, (c.name, c.sampler, c.inner))))
def make(request: pytest.FixtureRequest) -> StrategyFactory:
    return factory(request.param)


def test_contract(make: StrategyFactory, request: pytest.FixtureRequest) -> None:
    table = tabulate(Stages())
    check_strategy(make, table, 30, 400, limit=SHORT if is_optuna(request) else 30)


def test_values_that_many_encodings_share(
    make: StrategyFactory, request: pytest.FixtureRequest
) -> None:
    chain = Stages(merge=True)
    table = tabulate(chain)
    check_strategy(make, table, 0, 300, limit=SHORT if is_optuna(request) else 20)


@pytest.mark.parametrize("merge", [False, True])
def test_exhausts_a_small_space(
    make: StrategyFactory, merge: bool, request: pytest.FixtureRequest
) -> None:
    chain = Stages(widths=(2,) if is_optuna(request) else (2, 3), depths=("d1", "d2"), merge=merge)
    check_strategy_exhausts(make, tabulate(chain), 0, 200)


def test_one_encoding_alone(make: StrategyFactory) -> None:
    table = tabulate(Stages())
    most_expensive, options = table.most_expensive()
    strategy = make(table, most_expensive, most_expensive, 0)
    assert {job.options for job in play(strategy, evaluate, limit=10)} == {options}


def test_nothing_in_the_interval(make: StrategyFactory) -> None:
    table = tabulate(Stages())
    with pytest.raises(UserError, match="nearest"):
        make(table, 28, 29, 0).ask()


def test_grid_refuses_what_it_cannot_enumerate(monkeypatch: pytest.MonkeyPatch) -> None:
    table = tabulate(Stages())
    many = table.count(0, 400)
    make = factory(StrategyConfig("grid"))
    monkeypatch.setattr(grid, "LIMIT", many)
    assert len(list(play(make(table, 0, 400, 0), evaluate, limit=2 * many))) == many
    monkeypatch.setattr(grid, "LIMIT", many - 1)
    with pytest.raises(UserError, match=f"{many:,} .* {many - 1:,}; lower the budget"):
        make(table, 0, 400, 0)


def test_a_result_without_a_number_counts_as_a_failure(make: StrategyFactory) -> None:
    """The same results, once as NaN and once as failures, lead to the same jobs."""
    table = tabulate(Stages())
    asked = []
    for lost in (Result(math.nan), failed("no number")):
        strategy = make(table, 0, 400, 0)
        asked.append([])
        for i in range(25):
            job = strategy.ask()
            asked[-1].append(job)
            strategy.tell(job, lost if i % 3 else evaluate(job))
    assert asked[0] == asked[1]
    assert len(set(asked[0])) == 25


def test_a_result_never_asked_for(make: StrategyFactory) -> None:
    """A result of another study, for example, is not asked for again."""
    table = tabulate(Stages())
    strategy = make(table, 0, 400, 0)
    known = table.sample(np.random.default_rng(0), 5, 0, 400)
    for options in known:
        strategy.tell(Job(options, 9, 0), Result(accuracy_of(options)))
    assert not {job.options for job in play(strategy, evaluate, limit=30)} & set(known)


def share_of_the_front(name: str) -> float:
    """Return the share of the best front's members that 30 of some 100 encodings hold."""
    table = tabulate(Stages())
    everything = list(table.encodings(0, 400))
    strategy = factory(StrategyConfig(name))(table, 0, 400, 0)
    found = [job.options for job in play(strategy, evaluate, limit=30)]
    best = front([(table.cost(o), accuracy_of(o)) for o in everything])
    level = {table.cost(everything[i]): accuracy_of(everything[i]) for i in best}
    reached = front([(table.cost(o), accuracy_of(o)) for o in found])
    exact = [i for i in reached if level.get(table.cost(found[i])) == accuracy_of(found[i])]
    return len(exact) / len(best)


@pytest.mark.parametrize("name", ["surrogate", "evolution", "local"])
def test_learns(name: str) -> None:
    assert share_of_the_front(name) >= 0.6 > share_of_the_front("random")


@pytest.mark.parametrize("ahead", [2, 6, 20])
def test_the_surrogate_keeps_its_training_set_small(
    monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """With more results than it is fitted to, some told twice, and a cache that has to grow."""
    monkeypatch.setattr(strategy_module, "FITTED", 12)
    monkeypatch.setattr(training_set, "FITTED", 12)
    monkeypatch.setattr(strategy_module, "_SPARE", 3)
    table = tabulate(Stages())
    strategy = factory(StrategyConfig("surrogate", start=4))(table, 0, 400, 0)
    sizes, asked = [], []
    for job in play(strategy, evaluate, limit=60, ahead=ahead):
        asked.append(job)
        if len(job.options) % 2:
            strategy.tell(job, evaluate(job))
        if (model := strategy._model) is not None:  # type: ignore[attr-defined]
            held = model.training_set
            assert len(held.pending) <= ahead + 1
            rows, targets, noise = held.arrays()
            assert len(rows) == len(set(rows.tolist())) == len(targets) == len(noise)
            # No row belongs to an encoding of the training set and to one of the pool.
            assert not set(rows.tolist()) & set(model.pool.rows)
            used = len(held.row) + len(model.pool.rows)
            assert used + len(model.cache._free) == len(model.cache.options)
            sizes.append(len(rows))
    assert len(set(asked)) == len(asked) == 60
    assert max(sizes) <= 12 + ahead + 1
    assert len(held._values) == 12


def test_failures_are_not_observed() -> None:
    """Where one operation always fails, neither the front nor the parents ever hold it."""
    table = tabulate(Stages())
    for name in ("local", "evolution", "surrogate"):
        strategy = factory(StrategyConfig(name))(table, 0, 400, 0)
        failures = 0
        for _ in range(20):
            job = strategy.ask()
            failures += "wide" in job.options
            strategy.tell(job, failed("no") if "wide" in job.options else Result(0.5))
        assert 0 < failures < 20
        history = strategy._history  # type: ignore[attr-defined]
        assert len(history.observations) == 20 - failures
        assert all("wide" not in observation.options for observation in history.observations)
        if name == "evolution":
            population = strategy._population  # type: ignore[attr-defined]
            assert len(population) == 20 - failures
            assert all("wide" not in member.options for member in population)
