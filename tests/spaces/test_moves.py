"""Mutation, crossover, neighbours: always inside, never a parent, every encoding reachable."""

import numpy as np
import pytest
from chains import PriceList, RandomChain, enumerate_chain
from hypothesis import given, settings
from hypothesis import strategies as st

from search.errors import UserError
from search.jobs import Options
from search.spaces import tabulate

SEEDS = st.integers(0, 2**32)
SETTINGS = settings(max_examples=40, deadline=None)


def spread(start: Options, steps: dict[Options, set[Options]]) -> set[Options]:
    """Return everything that any number of `steps` leads to from `start`."""
    reached, edge = {start}, {start}
    while edge:
        edge = set().union(*(steps[options] for options in edge)) - reached
        reached |= edge
    return reached


@SETTINGS
@given(seed=SEEDS, data=st.data())
def test_moves_stay_inside_and_move(seed, data):
    chain = RandomChain(seed)
    costs = enumerate_chain(chain)
    low, high = sorted(data.draw(st.sampled_from(sorted(costs.values()))) for _ in range(2))
    table = tabulate(chain)
    inside = {options for options, price in costs.items() if low <= price <= high}
    rng = np.random.default_rng(seed)
    parents = sorted(inside, key=str)[:6]
    for options in parents:
        around = list(table.neighbours(options, low, high))
        assert len(set(around)) == len(around)
        assert set(around) <= inside - {options}
        if len(inside) == 1:
            with pytest.raises(UserError, match="no further architecture"):
                table.mutate(rng, options, low, high)
        else:
            assert around
            for rate in (None, 0.0, 1.0):
                assert table.mutate(rng, options, low, high, rate=rate) in inside - {options}
        other = parents[-1]
        if inside <= {options, other}:
            with pytest.raises(UserError, match="no further architecture"):
                table.crossover(rng, options, other, low, high)
        else:
            assert table.crossover(rng, options, other, low, high) in inside - {options, other}


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=SEEDS, data=st.data())
def test_every_encoding_is_reached_by_mutations(seed, data):
    chain = RandomChain(seed)
    costs = enumerate_chain(chain)
    low, high = sorted(data.draw(st.sampled_from(sorted(costs.values()))) for _ in range(2))
    inside = {options for options, price in costs.items() if low <= price <= high}
    if not 2 <= len(inside) <= 40:
        return
    table = tabulate(chain)
    rng = np.random.default_rng(seed)
    steps = {
        o: {table.mutate(rng, o, low, high) for _ in range(60)} for o in sorted(inside, key=str)
    }
    assert all(spread(start, steps) == inside for start in inside)


def test_any_encoding_follows_from_any_other_in_one_step():
    prices = {"a": 0, "b": 3, "c": 4}
    table = tabulate(PriceList(prices, prices, prices), 8)
    inside = list(table.encodings())
    rng = np.random.default_rng(1)
    for options in inside:
        reached = {table.mutate(rng, options, rate=0.6) for _ in range(1000)}
        assert reached == {*inside} - {options}


def test_a_mutation_keeps_what_it_can():
    prices = {"a": 1, "b": 2, "c": 3}
    table = tabulate(PriceList(*[prices] * 10))
    rng = np.random.default_rng(2)
    options = table.sample(rng, 1)[0]
    for _ in range(50):
        other = table.mutate(rng, options, rate=0.0)
        assert sum(a != b for a, b in zip(options, other, strict=True)) == 1
    assert len(list(table.neighbours(options))) == 20


def test_neighbours_beside_a_tight_budget_give_way_by_the_nearest_price():
    prices = {"a": 0, "b": 2, "c": 5}
    table = tabulate(PriceList(prices, prices), 6)
    # c c costs 10, so a later c becomes the most expensive option that still fits.
    assert list(table.neighbours(("a", "c"))) == [("b", "b"), ("c", "a"), ("a", "a"), ("a", "b")]


def test_crossover_mixes_its_parents():
    prices = dict.fromkeys(range(4), 1)
    table = tabulate(PriceList(*[prices] * 12))
    rng = np.random.default_rng(4)
    first, second = (0,) * 12, (1,) * 12
    for _ in range(30):
        child = table.crossover(rng, first, second)
        assert set(child) == {0, 1}
    assert set(table.crossover(rng, first, first)) != {0}


def test_a_parent_may_lie_outside():
    table = tabulate(PriceList({"a": 1, "b": 50}, {"a": 1, "b": 50}))
    rng = np.random.default_rng(0)
    assert table.mutate(rng, ("b", "b"), 0, 10) == ("a", "a")
    assert list(table.neighbours(("b", "b"), 0, 10)) == [("a", "a")]
    with pytest.raises(UserError, match="allowed here are a, b"):
        table.mutate(rng, ("x",), 0, 10)
