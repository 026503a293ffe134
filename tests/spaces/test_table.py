"""Counts, extremes, ends of the interval, and the errors where nothing is inside."""

import numpy as np
import pytest
from chains import PriceList, RandomChain, enumerate_chain
from hypothesis import given, settings
from hypothesis import strategies as st

from search.errors import UserError
from search.networks.arch import Arch, Head, Input, Stem
from search.spaces import budget_table, cost, tabulate, value_id

SEEDS = st.integers(0, 2**32)
SETTINGS = settings(max_examples=60, deadline=None)


@SETTINGS
@given(seed=SEEDS, scale=st.sampled_from([1, 1, 10**12, 49 * 640]), data=st.data())
def test_counts_equal_enumeration(seed, scale, data):
    chain = RandomChain(seed, scale)
    costs = enumerate_chain(chain)
    table = tabulate(chain)
    assert table.exact
    assert table.size == table.count() == len(costs)
    levels = sorted({0, *costs.values()})
    low = data.draw(st.sampled_from(levels)) + data.draw(st.integers(-1, 1))
    high = max(low, data.draw(st.sampled_from(levels)) + data.draw(st.integers(-1, 1)))
    high = min(high, max(costs.values()) + 1)
    if low <= high:
        inside = {options for options, price in costs.items() if low <= price <= high}
        assert table.count(low, high) == len(inside)


@SETTINGS
@given(seed=SEEDS)
def test_extremes_and_costs(seed):
    chain = RandomChain(seed)
    costs = enumerate_chain(chain)
    table = tabulate(chain)
    for (price, options), expected in (
        (table.cheapest(), min(costs.values())),
        (table.most_expensive(), max(costs.values())),
    ):
        assert price == costs[options] == expected
    assert all(table.cost(options) == cost(chain, options) == costs[options] for options in costs)


@SETTINGS
@given(seed=SEEDS, data=st.data())
def test_a_table_up_to_a_budget_agrees_with_the_whole(seed, data):
    chain = RandomChain(seed)
    costs = enumerate_chain(chain)
    high = data.draw(st.integers(min(costs.values()), max(costs.values())))
    small, whole = tabulate(chain, high), tabulate(chain)
    assert small.count() == whole.count(0, high) == sum(c <= high for c in costs.values())
    assert list(small.encodings()) == list(whole.encodings(0, high))


def test_a_budget_equal_to_a_cost_admits_it_and_one_less_does_not():
    chain = PriceList({"a": 3, "b": 10}, {"a": 0, "b": 20}, end=7)
    table = tabulate(chain)
    assert {table.cost(options) for options in table.encodings()} == {10, 17, 30, 37}
    assert [table.count(17, 17), table.count(0, 17), table.count(0, 16)] == [1, 2, 1]
    assert [table.count(17, 37), table.count(18, 37)] == [3, 2]
    assert list(tabulate(chain, 17).encodings()) == [("a", "a"), ("b", "a")]
    assert list(tabulate(chain, 16).encodings()) == [("a", "a")]


def test_counts_beyond_machine_integers():
    # 200 binary decisions at price 1: binomial coefficients, up to 10^60.
    table = tabulate(PriceList(*[{"no": 0, "yes": 1}] * 200))
    from math import comb

    assert table.size == 2**200
    for low, high in ((100, 100), (0, 99), (3, 180), (0, 200), (200, 200), (0, 1)):
        assert table.count(low, high) == sum(comb(200, k) for k in range(low, high + 1))


def test_more_encodings_than_a_double_holds():
    from math import comb

    table = tabulate(PriceList(*[{"no": 0, "yes": 1}] * 1100))
    assert table.count(550, 550) == comb(1100, 550)
    rng = np.random.default_rng(0)
    assert all(table.cost(options) == 300 for options in table.sample(rng, 5, 300, 300))


def test_an_impossible_interval_names_the_nearest_costs():
    chain = PriceList({"a": 30, "b": 100, "c": 200})
    rng = np.random.default_rng(0)
    for table in (tabulate(chain), tabulate(chain, 90)):
        assert table.count(31, 90) == 0
        with pytest.raises(UserError, match=r"nearest below costs 30, the nearest above 100;"):
            table.sample(rng, 1, 31, 90)
    with pytest.raises(UserError, match="nearest above costs 30;"):
        tabulate(chain).decode((0.5,), 0, 29)
    with pytest.raises(UserError, match="nearest below costs 200;"):
        tabulate(chain).sample_level(rng, 3, 201, 500)
    with pytest.raises(UserError, match=r"budget of 29 is below .* \(a\); give at least 30"):
        tabulate(chain, 29)
    with pytest.raises(UserError, match="upside down"):
        tabulate(chain).count(5, 4)
    with pytest.raises(UserError, match="beyond this table"):
        tabulate(chain, 100).count(0, 101)


def test_degenerate_chains():
    empty = tabulate(PriceList(end=5))
    assert (empty.size, empty.cheapest(), empty.most_expensive()) == (1, (5, ()), (5, ()))
    rng = np.random.default_rng(0)
    assert empty.sample(rng, 2) == [(), ()] == empty.sample_level(rng, 2)
    assert (empty.dimension, empty.decode(()), empty.encode(())) == (0, (), ())
    single = tabulate(PriceList({"a": 2}, {1: 3}))
    assert list(single.encodings()) == [("a", 1)] == single.sample(rng, 1)
    free = tabulate(PriceList(*[{"a": 0, "b": 0}] * 3))
    assert (free.count(), free.count(0, 0), free.most_expensive()[0]) == (8, 8, 0)
    assert free.sample(rng, 0) == [] == free.sample_level(rng, 0)


@pytest.mark.parametrize(
    ("positions", "fragment"),
    [
        ([{"a": -1}], "price is -1"),
        ([{"a": 1.5}], "price is 1.5"),
        ([{"a": True}], "price is True"),
        ([{("a",): 1}], "strings or integers"),
    ],
)
def test_broken_chains_are_refused(positions, fragment):
    with pytest.raises(UserError, match=fragment):
        tabulate(PriceList(*positions))


def test_a_cycle_is_refused():
    class Cycle(PriceList):
        position_free = True

        def options(self, _position, _state):
            return ("on",)

        def step(self, _position, state, _option):
            return state, 1

    with pytest.raises(UserError, match="comes back after itself"):
        tabulate(Cycle())


def test_encodings_of_another_chain_are_refused():
    chain = PriceList({"a": 1, "b": 2}, {"c": 0})
    for ask in (lambda o: cost(chain, o), tabulate(chain).cost):
        with pytest.raises(UserError, match="decides 'x'; allowed here are a, b"):
            ask(("x",))
        with pytest.raises(UserError, match="next comes one of c"):
            ask(("a",))
        with pytest.raises(UserError, match="finished there"):
            ask(("a", "c", "c"))


def test_value_ids():
    arch = Arch(Input(4, 4, 1), Stem(4), (), Head(), 2)
    assert value_id(arch) == arch.id
    assert value_id({"b": 1, "a": [2]}) == value_id({"a": [2], "b": 1}) != value_id([2])
    for value in (object(), float("nan")):
        with pytest.raises(UserError, match="not JSON"):
            value_id(value)


def test_states_that_prices_do_not_depend_on_are_merged():
    class Walk(PriceList):
        """The state is a sum of which only the remainder matters: thousands of states."""

        def start(self):
            return 0

        def options(self, position, _state):
            return tuple(range(5)) if position < 60 else ()

        def step(self, _position, state, option):
            return state + 7 * option, option

        def finish(self, state):
            return state % 5

    table = tabulate(Walk())
    # The remainder changes by 2 · option: at most five nodes for each position.
    assert len(table.graph.nodes) <= 5 * 60 + 1
    assert table.size == 5**60
    assert table.count() == 5**60
    assert 0 < table.count(100, 120) < 5**60


@SETTINGS
@given(seed=SEEDS, data=st.data())
def test_binned_tables_stay_inside(seed, data):
    chain = RandomChain(seed)
    costs = enumerate_chain(chain)
    table = tabulate(chain, memory=8 * data.draw(st.integers(1, 40)))
    low = data.draw(st.integers(0, max(costs.values())))
    high = data.draw(st.integers(low, max(costs.values())))
    inside = {options for options, price in costs.items() if low <= price <= high}
    found = set(table.encodings(low, high)) if table.count(low, high) else set()
    assert len(found) == table.count(low, high)
    assert found <= inside
    # Only encodings within `blur` of an end may be left out.
    far = {o for o in inside if costs[o] >= low + table.blur and costs[o] <= high - table.blur}
    assert far <= found or table.blur == 0
    if table.exact:
        assert found == inside
    if found:
        rng = np.random.default_rng(0)
        drawn = {*table.sample(rng, 20, low, high), *table.sample_level(rng, 5, low, high)}
        drawn |= {table.decode(rng.random(table.dimension), low, high) for _ in range(5)}
        assert drawn <= found
        for options in found:
            assert table.decode(table.encode(options, low, high), low, high) == options
            assert set(table.neighbours(options, low, high)) <= found
    else:
        with pytest.raises(UserError, match="nearest"):
            table.inside(low, high)


def test_a_table_of_costs_as_a_chain():
    """Listed costs, as in a tabular benchmark: the state is the encoding so far."""

    class Tabular:
        costs = np.random.default_rng(0).integers(10**6, 10**8, 3**7).reshape((3,) * 7)

        def start(self):
            return ()

        def options(self, position, _state):
            return range(3) if position < 7 else ()

        def step(self, _position, state, option):
            return (*state, option), 0

        def finish(self, state):
            return self.costs[state]

        def value(self, options):
            return list(options)

    table = tabulate(Tabular())
    assert table.exact
    assert table.filled.cells.nbytes < 1000
    low, high = 2 * 10**7, 3 * 10**7
    inside = {tuple(map(int, found)) for found in np.argwhere(abs(Tabular.costs - 25e6) <= 5e6)}
    assert table.count(low, high) == len(inside)
    assert set(table.encodings(low, high)) == inside
    rng = np.random.default_rng(1)
    assert set(table.sample(rng, 30 * len(inside), low, high)) == inside
    for options in list(inside)[:20]:
        assert table.cost(options) == Tabular.costs[options]
        assert table.decode(table.encode(options, low, high), low, high) == options
        assert table.mutate(rng, options, low, high) in inside - {options}
    best = min(Tabular.costs.flat)
    assert table.sample_at(rng, [0])[0] == tuple(map(int, np.argwhere(Tabular.costs == best)[0]))


@pytest.mark.parametrize("binned", [False, True])
@pytest.mark.parametrize("step", [1, 2**53, 2**58 + 1])
def test_costs_up_to_the_largest_integer(step, binned):
    """Sums of prices share a node with a long table, which has bins; listed costs stay exact."""
    largest = 10**18
    levels = [0, 1, step, step + 2, step + 5, largest - step - 9, largest - 1, largest]

    class Listed(PriceList):
        def start(self):
            return ()

        def step(self, _position, state, option):
            return (*state, option), 0

        def finish(self, state):
            return levels[int("".join(map(str, state)), 2)]

    sums = PriceList({0: 0, 1: step}, {0: 0, 1: 1}, {0: 0, 1: largest - step - 1})
    chain = sums if binned else Listed(*[{0: 0, 1: 0}] * 3)
    costs = enumerate_chain(chain)
    table = tabulate(chain)
    assert table.exact == (not binned)
    assert table.most_expensive() == (largest, (1, 1, 1))
    rng = np.random.default_rng(0)
    for low in costs.values():
        for high in (low, largest):
            inside = {options for options, cost in costs.items() if low <= cost <= high}
            found = set(table.encodings(low, high)) if table.count(low, high) else set()
            assert len(found) == table.count(low, high)
            far = {o for o in inside if low + table.blur <= costs[o] <= high - table.blur}
            assert far <= found <= inside if binned else found == inside
            if found:
                drawn = table.sample(rng, 20, low, high) + table.sample_level(rng, 5, low, high)
                for options in drawn:
                    assert options in found
                    assert table.cost(options) == costs[options]
                    assert table.decode(table.encode(options, low, high), low, high) == options
    nearest = f"below costs {step + 5}, the nearest above {largest - step - 9};"
    with pytest.raises(UserError, match="nearest" if binned else nearest):
        table.sample(rng, 1, step + 6, largest - step - 10)


@pytest.mark.parametrize("beyond", [10**18 + 1, 2**64, 10**5000], ids=range(3))
def test_costs_beyond_it_are_refused(beyond):
    with pytest.raises(UserError, match=r"most expensive encoding costs .* larger unit") as error:
        tabulate(PriceList({"a": 1, "b": 2**58}, {"a": 0, "b": beyond - 2**58}))
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("large", [2**63, 2**64, 10**5000], ids=range(3))
def test_ends_of_any_size(large):
    table = tabulate(PriceList({"a": 1, "b": 3}))
    assert table.count(-large, large) == table.count(2, large) + 1 == 2
    assert tabulate(PriceList({"a": 1, "b": 3}), large).count() == 2
    assert table.count(large, large) == 0
    for ask in (
        lambda: table.inside(large, large + 1),
        lambda: table.inside(-large - 1, -large),
        lambda: table.count(large, 0),
        lambda: tabulate(PriceList({"a": 1, "b": 3}), 1).count(0, large),
        lambda: tabulate(PriceList({"a": 1, "b": 3}), -large),
    ):
        with pytest.raises(UserError) as error:
            ask()
        assert len(str(error.value)) < 400


def test_more_encodings_than_can_be_printed_are_refused():
    assert budget_table._dtype(10**4200) == np.longdouble
    with pytest.raises(UserError, match=r"more than 10\^4215 encodings, too many to weigh"):
        budget_table._dtype(2**14_001)


def test_messages_about_long_values_are_short():
    class Long(PriceList):
        def step(self, position, _state, option):
            return ["x" * 100_000], 0

    for chain in (
        Long({"a": 1}),
        PriceList({"a": "x" * 100_000}),
        PriceList({"a": -(10**5000)}),
        PriceList({("x" * 100_000,): 1}),
    ):
        with pytest.raises(UserError) as error:
            tabulate(chain)
        assert len(str(error.value)) < 400
    table = tabulate(PriceList(dict.fromkeys(map(str, range(10_000)), 1), {"a": 1}))
    for options in (("x" * 100_000,), ("1",), ("1", "a", "b" * 100_000)):
        with pytest.raises(UserError) as error:
            table.cost(options)
        assert len(str(error.value)) < 400
    with pytest.raises(UserError, match="not JSON") as error:
        value_id(["x" * 100_000, object()])
    assert len(str(error.value)) < 400
    with pytest.raises(UserError, match="not JSON"):
        value_id(10**5000)
