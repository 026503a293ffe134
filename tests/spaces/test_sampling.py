"""Sampling is uniform, or level in log-cost; a biased sampler must fail the very same test."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from chains import PriceList, RandomChain, enumerate_chain
from hypothesis import given, settings
from hypothesis import strategies as st

from search.jobs import Option, Options
from search.spaces import BudgetTable, tabulate

SEEDS = st.integers(0, 2**32)


def deviation_from_uniform(drawn: Sequence[Options], inside: Sequence[Options]) -> float:
    """Chi-square statistic against uniformity, in standard deviations above its mean."""
    counts = Counter(drawn)
    assert set(counts) <= set(inside)
    if len(inside) == 1:
        return 0.0
    expected = len(drawn) / len(inside)
    chi_square = sum((counts[options] - expected) ** 2 / expected for options in inside)
    freedom = len(inside) - 1
    return float((chi_square - freedom) / np.sqrt(2 * freedom))


def biased(table: BudgetTable, rng: np.random.Generator, n: int, last: int) -> list[Options]:
    """Always inside as well, but each possible option equally likely: the control."""
    found: list[Options] = []
    for _ in range(n):
        options: list[Option] = []
        here, spent = table.graph.root, 0
        while table.graph.nodes[here].options:
            node, prices = table.graph.nodes[here], table.layout.prices[here]
            ways = [
                i
                for i, child in enumerate(node.children)
                if table.filled.feasible(child, 0, last - spent - prices[i])
            ]
            pick = ways[int(rng.integers(len(ways)))]
            options.append(node.options[pick])
            here, spent = node.children[pick], spent + prices[pick]
        found.append(tuple(options))
    return found


@pytest.fixture
def stepped() -> BudgetTable:
    """A chain of 3^4 encodings in which the budget cuts unevenly."""
    prices: dict[Option, int] = {"a": 0, "b": 2, "c": 5}
    return tabulate(PriceList(prices, prices, {"x": 1, "y": 1, "z": 6}, prices))


def test_sampling_is_uniform_and_the_control_is_not(stepped):
    rng = np.random.default_rng(7)
    for low, high in ((0, 12), (5, 9), (6, 6), (0, 21), (8, 21)):
        inside = list(stepped.encodings(low, high))
        assert deviation_from_uniform(stepped.sample(rng, 60 * len(inside), low, high), inside) < 4
    inside = list(stepped.encodings(0, 12))
    last = stepped.units(0, 12)[1]
    assert deviation_from_uniform(biased(stepped, rng, 60 * len(inside), last), inside) > 10


def test_decoding_uniform_points_is_uniform(stepped):
    rng = np.random.default_rng(8)
    for low, high in ((0, 12), (5, 9)):
        inside = list(stepped.encodings(low, high))
        points = rng.random((40 * len(inside), stepped.dimension))
        assert deviation_from_uniform([stepped.decode(p, low, high) for p in points], inside) < 4


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=SEEDS, data=st.data())
def test_sampling_is_uniform_on_random_chains(seed, data):
    chain = RandomChain(seed)
    costs = enumerate_chain(chain)
    low, high = sorted(data.draw(st.sampled_from(sorted(costs.values()))) for _ in range(2))
    table = tabulate(chain)
    inside = [options for options, price in costs.items() if low <= price <= high]
    drawn = table.sample(np.random.default_rng(seed), 30 * len(inside), low, high)
    # Ten thousand drawings of this many examples would see one beyond it, if all is well.
    assert deviation_from_uniform(drawn, inside) < 6.5


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=SEEDS, data=st.data())
def test_sampling_at_a_cost_takes_the_nearest(seed, data):
    chain = RandomChain(seed)
    costs = enumerate_chain(chain)
    low, high = sorted(data.draw(st.sampled_from(sorted(costs.values()))) for _ in range(2))
    held = np.array([price for price in costs.values() if low <= price <= high])
    table = tabulate(chain)
    wanted = np.linspace(low - 3, high + 3, 20)
    for options, aim in zip(
        table.sample_at(np.random.default_rng(seed), wanted, low, high), wanted, strict=True
    ):
        assert low <= costs[options] <= high
        assert abs(costs[options] - aim) == np.abs(held - aim).min()
    one = int(held[0])
    inside = [options for options, price in costs.items() if price == one]
    drawn = table.sample_at(np.random.default_rng(seed), [one] * 30 * len(inside), low, high)
    assert deviation_from_uniform(drawn, inside) < 6.5


def test_levels_cover_the_logarithm_of_the_cost():
    # 4^8 encodings of every cost from 8 to about 10^5: uniform sampling crowds at the top.
    table = tabulate(PriceList(*[{j: 1 + j * 4**i for j in range(4)} for i in range(8)]))
    rng = np.random.default_rng(3)
    logs = np.log([table.cost(options) for options in table.sample_level(rng, 400)])
    shares = np.histogram(logs, bins=8)[0] / 400
    assert np.abs(shares - 1 / 8).max() < 0.01
    assert (np.diff(logs) > -0.2).all()
    uniform = np.log([table.cost(options) for options in table.sample(rng, 400)])
    assert np.histogram(uniform, bins=8)[0][-2:].sum() > 300


def test_sampling_depends_on_the_generator_alone(stepped):
    first, second = (stepped.sample(np.random.default_rng(5), 50, 3, 12) for _ in range(2))
    assert first == second
    assert first != stepped.sample(np.random.default_rng(6), 50, 3, 12)
