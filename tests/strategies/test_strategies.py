"""Every strategy through the contract, on chains of one length and of many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import search.strategies.grid as grid
import search.strategies.surrogate.training_set as training_set
from search.config.strategy import StrategyConfig
from search.errors import UserError
from search.jobs import Exhausted, Job, Option, Options, Result, Strategy, failed
from search.pareto import front
from search.spaces.budget_table import BudgetTable, tabulate
from search.strategies import build
from search.testing import Factory, check, check_exhausts, play


@dataclass(frozen=True)
class Stages:
    """A small chain with encodings of several lengths: width, depth, an operation a layer."""

    widths: tuple[int, ...] = (2, 3, 5)
    depths: tuple[str, ...] = ("d1", "d2", "d3")
    merge: bool = False

    def start(self) -> tuple[Any, ...]:
        return ("width",)

    def options(self, _position: int, state: tuple[Any, ...]) -> Sequence[Option]:
        match state:
            case ("width",):
                return self.widths
            case ("depth", _):
                return self.depths
            case ("op", _, left) if left:
                return ("wide", "thin", "none")
        return ()

    def step(self, _position: int, state: tuple[Any, ...], option: Option) -> tuple[Any, int]:
        match state:
            case ("width",):
                return ("depth", int(option)), int(option) * 10
            case ("depth", width):
                return ("op", width, int(str(option)[1:])), 0
        _, width, left = state
        price = {"wide": width * width * 9, "thin": width * 9 + width * width, "none": 0}
        return ("op", width, left - 1), price[str(option)]

    def finish(self, _state: tuple[Any, ...]) -> int:
        return 7

    def value(self, options: Options) -> Any:
        # With `merge`, layers that do nothing leave no trace: many encodings are one network.
        return [o for o in options[2:] if o != "none"] + [options[0]] if self.merge else options


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
]


# Optuna takes its time.
SHORT = 10


def factory(config: StrategyConfig) -> Factory:
    def make(table: BudgetTable, low: int, high: int, seed: int) -> Strategy:
        return build(config, table, low, high, seed=seed, epochs=9, chance=0.1)

    return make


def is_optuna(request: pytest.FixtureRequest) -> bool:
    return "optuna" in request.node.name


@pytest.fixture(params=CONFIGS, ids=lambda c: "-".join(filter(None, (c.name, c.sampler, c.inner))))
def make(request: pytest.FixtureRequest) -> Factory:
    return factory(request.param)


def test_contract(make: Factory, request: pytest.FixtureRequest) -> None:
    table = tabulate(Stages())
    check(make, table, 30, 400, limit=SHORT if is_optuna(request) else 30)


def test_values_that_many_lists_share(make: Factory, request: pytest.FixtureRequest) -> None:
    chain = Stages(merge=True)
    table = tabulate(chain)
    check(make, table, 0, 300, limit=SHORT if is_optuna(request) else 20)


@pytest.mark.parametrize("merge", [False, True])
def test_exhausts_a_small_space(make: Factory, merge: bool, request: pytest.FixtureRequest) -> None:
    chain = Stages(widths=(2,) if is_optuna(request) else (2, 3), depths=("d1", "d2"), merge=merge)
    check_exhausts(make, tabulate(chain), 0, 200)


def test_one_list_alone(make: Factory) -> None:
    table = tabulate(Stages())
    most_expensive, options = table.most_expensive()
    strategy = make(table, most_expensive, most_expensive, 0)
    assert {job.options for job in play(strategy, evaluate, limit=10)} == {options}


def test_nothing_in_the_interval(make: Factory) -> None:
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


def test_results_that_are_not_numbers(make: Factory) -> None:
    strategy = make(tabulate(Stages()), 0, 400, 0)
    for i in range(25):
        job = strategy.ask()
        strategy.tell(job, Result(math.nan if i % 3 else accuracy_of(job.options)))


def test_a_result_never_asked_for(make: Factory) -> None:
    """Such as one of another study."""
    table = tabulate(Stages())
    strategy = make(table, 0, 400, 0)
    known = table.sample(np.random.default_rng(0), 5, 0, 400)
    for options in known:
        strategy.tell(Job(options, 9, 0), Result(accuracy_of(options)))
    assert not {job.options for job in play(strategy, evaluate, limit=30)} & set(known)


def test_users_own_strategy_passes_and_a_bad_one_does_not() -> None:
    class Listing:
        def __init__(self, table: BudgetTable, low: int, high: int) -> None:
            self.encodings = table.encodings(low, high)

        def ask(self) -> Job:
            for options in self.encodings:
                return Job(options, 9, 0)
            raise Exhausted("all have been proposed")

        def tell(self, job: Job, result: Result) -> None:
            """Nothing to learn."""

    table = tabulate(Stages(widths=(2, 3), depths=("d1", "d2")))
    check(lambda t, low, high, _: Listing(t, low, high), table, 0, 200)
    check_exhausts(lambda t, low, high, _: Listing(t, low, high), table, 0, 200)
    with pytest.raises(AssertionError):
        check(lambda t, low, high, _: Listing(t, low, high + 200), table, 0, 100)


@pytest.mark.parametrize("name", ["surrogate", "evolution", "local"])
def test_learns(name: str) -> None:
    """After 30 of some 100 encodings the front is nearly the best there is; at random it is not."""
    table = tabulate(Stages())
    everything = list(table.encodings(0, 400))
    strategy = factory(StrategyConfig(name))(table, 0, 400, 0)
    found = [job.options for job in play(strategy, evaluate, limit=30)]
    best = front([(table.cost(o), accuracy_of(o)) for o in everything])
    level = {table.cost(everything[i]): accuracy_of(everything[i]) for i in best}
    reached = front([(table.cost(o), accuracy_of(o)) for o in found])
    exact = [i for i in reached if level.get(table.cost(found[i])) == accuracy_of(found[i])]
    assert len(exact) >= 0.6 * len(best)


def test_surrogate_forgets_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more results than the model is fitted to, and some told again as after halving."""
    monkeypatch.setattr(training_set, "FITTED", 12)
    monkeypatch.setattr(training_set, "PENDING", 3)
    table = tabulate(Stages())
    strategy = factory(StrategyConfig("surrogate", start=4))(table, 0, 400, 0)
    for job in play(strategy, evaluate, limit=60, ahead=6):
        if len(job.options) % 2:
            strategy.tell(job, evaluate(job))


def test_failures_are_no_parents() -> None:
    """Of two families one always fails: nothing around it is tried because of it."""
    table = tabulate(Stages())
    for name in ("local", "evolution", "surrogate"):
        strategy = factory(StrategyConfig(name))(table, 0, 400, 0)
        for _ in range(20):
            job = strategy.ask()
            strategy.tell(job, failed("no") if "wide" in job.options else Result(0.5))
        history = strategy._history  # type: ignore[attr-defined]
        assert all("wide" not in trial.options for trial in history.observations)
