"""Points of the unit cube: round trips, boxes, and points that are refused."""

import numpy as np
import pytest
from chains import PriceList, RandomChain, enumerate_chain
from hypothesis import given, settings
from hypothesis import strategies as st

from search.errors import UserError
from search.spaces import tabulate


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_round_trip(seed, data):
    chain = RandomChain(seed)
    costs = enumerate_chain(chain)
    low, high = sorted(data.draw(st.sampled_from(sorted(costs.values()))) for _ in range(2))
    table = tabulate(chain)
    for options, price in costs.items():
        if low <= price <= high:
            point = table.encode(options, low, high)
            assert len(point) == table.dimension
            assert all(0 <= u < 1 for u in point)
            assert table.decode(point, low, high) == options
        else:
            with pytest.raises(UserError, match="not inside"):
                table.encode(options, low, high)


def test_the_rarest_encoding_has_points_of_its_own():
    # One encoding among 2^200 costs nothing; without a least share no point would decode to it.
    table = tabulate(PriceList(*[{"no": 0, "yes": 1}] * 200))
    for options in (("no",) * 200, ("yes",) * 200, ("yes", *["no"] * 199)):
        assert table.decode(table.encode(options)) == options


def test_corners_and_long_ranges():
    # 9^7 encodings over half a million cells: sums over blocks, not only over single cells.
    table = tabulate(PriceList(*[{j: 1 + j * 9**i for j in range(9)} for i in range(6)]))
    rng = np.random.default_rng(0)
    for low, high in ((0, 400_000), (100_000, 100_500), (123_456, 300_000)):
        for point in (np.zeros(6), np.full(6, np.nextafter(1, 0)), rng.random(6)):
            options = table.decode(point, low, high)
            assert low <= table.cost(options) <= high
            assert table.decode(table.encode(options, low, high), low, high) == options
    # Every cost occurs once: the first point decodes to the first encoding, the last to the last.
    assert table.decode(np.zeros(6)) == (0,) * 6
    assert table.decode(np.full(6, np.nextafter(1, 0))) == (8,) * 6


@pytest.mark.parametrize("point", [(0.5,), (0.5, 1.0), (0.5, -0.1), (0.5, float("nan"))])
def test_invalid_points_are_refused(point):
    table = tabulate(PriceList({"a": 1, "b": 2}, {"a": 1, "b": 2}))
    with pytest.raises(UserError, match="it must have 2, each from 0 to below 1"):
        table.decode(point)
