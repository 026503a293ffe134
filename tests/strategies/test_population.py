"""Populations: every network at every length and seed, and its twin of one shape."""

from collections import Counter
from itertools import islice, pairwise
from math import log

import pytest
from chains import PriceList

from search.config.space import SpaceConfig
from search.config.strategy import StrategyConfig
from search.errors import UserError
from search.jobs import Exhausted, Job, Result, Strategy
from search.networks.arch import Input
from search.networks.cost import cost_of
from search.spaces.budget_table import BudgetTable, tabulate
from search.spaces.stages import build as build_space
from search.strategies import build


def table_of(*ops: str) -> BudgetTable:
    space = SpaceConfig(ops=list(ops), expansions=[2])
    return tabulate(build_space(space, Input(8, 8, 1), 10), 200_000)


def population(
    config: StrategyConfig, table: BudgetTable, low: int = 0, high: int = 200_000, epochs: int = 4
) -> Strategy:
    return build(config, table, low, high, seed=7, epochs=epochs, chance=0.1)


def jobs(strategy: Strategy, count: int) -> list[Job]:
    return list(islice(iter(strategy.ask, None), count))


def test_each_network_is_trained_at_each_length_with_each_seed() -> None:
    config = StrategyConfig("population", lengths=[1, 2], repeats=3)
    found = jobs(population(config, table_of("conv")), 36)
    for start in range(0, 36, 9):
        own = found[start : start + 9]
        assert len({job.options for job in own}) == 1
        assert [(job.epochs, job.seed) for job in own] == [
            (epochs, seed) for seed in (7, 8, 9) for epochs in (1, 2, 4)
        ]
    assert len({job.options for job in found}) == 4


def test_costs_are_even_on_the_logarithm() -> None:
    found = jobs(population(StrategyConfig("population"), table_of("conv", "separable")), 100)
    levels = sorted(log(job.candidate.multiplies) for job in found)
    span = levels[-1] - levels[0]
    share = Counter(min(4, int(5 * (level - levels[0]) / span)) for level in levels)
    assert all(15 <= share[band] <= 25 for band in range(5)), share
    assert max(b - a for a, b in pairwise(levels)) < span / 20


def test_a_twin_differs_in_its_blocks_alone() -> None:
    config = StrategyConfig("population", twin="separable", lengths=[1])
    found = jobs(population(config, table_of("conv")), 80)
    for own in zip(*[iter(found)] * 4, strict=True):
        assert [job.epochs for job in own] == [1, 4, 1, 4]
        first, twin = (job.candidate.value for job in own[1::2])
        assert {b.op for b in first.blocks} == {"conv"}
        assert {b.op for b in twin.blocks} == {"separable"}
        assert first.stem == twin.stem
        for one, other in zip(first.blocks, twin.blocks, strict=True):
            shape = [(b.channels, b.kernel, b.stride, b.skip) for b in (one, other)]
            assert shape[0] == shape[1]
        # Named and priced as the space of the twins would.
        assert own[3].candidate == table_of("separable").candidate(own[3].options)
        assert own[3].candidate.id == twin.id
        assert own[3].candidate.multiplies == cost_of(twin).multiplies


def test_networks_whose_twin_is_outside_are_left_out() -> None:
    config = StrategyConfig("population", twin="separable")
    found = jobs(population(config, table_of("conv"), 10_000, 150_000), 40)
    assert all(10_000 <= job.candidate.multiplies <= 150_000 for job in found)
    assert [i for i, job in enumerate(found) if "separable" in job.options] == list(range(1, 40, 2))


def test_where_no_twin_is_inside_it_ends() -> None:
    chain_table, config = table_of("separable"), StrategyConfig("population", twin="conv")
    cheapest = chain_table.cheapest()[0]
    with pytest.raises(Exhausted, match="has been proposed"):
        population(config, chain_table, cheapest, cheapest).ask()


def test_a_twin_goes_on_from_a_snapshot() -> None:
    config = StrategyConfig("population", twin="separable", lengths=[2])
    original, restored = (population(config, table_of("conv")) for _ in range(2))
    asked = jobs(original, 7)
    # As a study returns them, which knows the candidates of what was recorded.
    told = [(job, Result(0.5)) for job in asked[:5]]
    restored.restore(original.snapshot(), asked, told)  # type: ignore[attr-defined]
    assert jobs(restored, 20) == jobs(original, 20)


@pytest.mark.parametrize("lengths", [[4], [2, 2], [3, 1], [5]])
def test_lengths_that_do_not_ascend_below_the_full_one(lengths: list[int]) -> None:
    with pytest.raises(UserError, match=r"must ascend, each below epochs=4"):
        population(StrategyConfig("population", lengths=lengths), table_of("conv"))


@pytest.mark.parametrize(
    ("ops", "twin", "said"),
    [
        (("conv", "separable"), "separable", "is a block of the space"),
        (("inverted",), "conv", "cannot take the place of inverted"),
    ],
)
def test_twins_that_cannot_be(ops: tuple[str, ...], twin: str, said: str) -> None:
    strategy = population(StrategyConfig("population", twin=twin), table_of(*ops))
    with pytest.raises(UserError, match=said):
        jobs(strategy, 50)


def test_a_twin_of_what_is_no_network() -> None:
    table = tabulate(PriceList({"a": 1, "b": 3}))
    with pytest.raises(UserError, match="values are not an Arch"):
        population(StrategyConfig("population", twin="conv"), table, 0, 3).ask()


@pytest.mark.parametrize("option", ["lengths", "repeats", "twin"])
def test_options_belong_to_it_alone(option: str) -> None:
    value = {"lengths": [1], "repeats": 2, "twin": "conv"}[option]
    with pytest.raises(UserError, match=f"strategy.{option}=.* belongs to population"):
        StrategyConfig("random", **{option: value})
