"""Dominance and hypervolume against brute force."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.jobs import Result
from search.pareto import Point, front, hypervolume, value_of

POINTS = st.lists(
    st.tuples(
        st.integers(1, 40), st.one_of(st.integers(0, 20).map(lambda n: n / 20), st.just(math.nan))
    ),
    max_size=25,
)


def dominates(first: Point, second: Point) -> bool:
    """Whether `first` is no worse than `second` in both and better in one; NaN never is."""
    no_worse = first[0] <= second[0] and first[1] >= second[1]
    return no_worse and first != second


def slow_area(points: list[Point], low: int, high: int, chance: float, cells: int) -> float:
    """The share of the centres of a fine grid that some point covers."""
    usable = [p for p in points if not math.isnan(p[1])]
    width = math.log10(high) - math.log10(low)
    covered = 0
    for i in range(cells):
        multiplies = 10 ** (math.log10(low) + (i + 0.5) / cells * width)
        best = max((a for m, a in usable if m <= multiplies), default=chance)
        covered += round(max(0.0, best - chance) / (1 - chance) * cells)
    return covered / cells**2


@given(POINTS)
@settings(deadline=None, max_examples=200)
def test_front_is_what_nothing_dominates(points: list[Point]) -> None:
    expected = {
        point
        for point in points
        if not math.isnan(point[1]) and not any(dominates(other, point) for other in points)
    }
    found = front(points)
    assert {points[i] for i in found} == expected
    assert len(found) == len(expected)
    assert all(points.index(points[i]) == i for i in found)
    assert [points[i][0] for i in found] == sorted(points[i][0] for i in found)


@given(POINTS, st.integers(1, 5), st.integers(20, 60))
@settings(deadline=None, max_examples=50)
def test_hypervolume_is_the_covered_area(points: list[Point], low: int, high: int) -> None:
    fast = hypervolume(points, low=low, high=high, chance=0.1)
    assert fast == pytest.approx(slow_area(points, low, high, 0.1, 400), abs=0.01)


def test_hypervolume_of_one_point_by_hand() -> None:
    # From 1000 of 100..10,000 on: half of the logarithm; 0.55 is half-way from 0.1 to 1.
    area = hypervolume([(1000, 0.55)], low=100, high=10_000, chance=0.1)
    assert area == pytest.approx(0.25)


def test_hypervolume_of_nothing_and_of_failures_is_zero() -> None:
    assert hypervolume([], low=1, high=10, chance=0.0) == 0.0
    assert hypervolume([(5, math.nan), (5, 0.1), (11, 0.9)], low=1, high=10, chance=0.1) == 0.0


def test_hypervolume_of_a_single_cost_is_the_accuracy() -> None:
    assert hypervolume([(0, 0.75)], low=0, high=0, chance=0.5) == pytest.approx(0.5)


def test_the_objective_chooses_what_is_read() -> None:
    result = Result(0.9, details={"balanced_accuracy": 0.6})
    assert value_of(result) == 0.9
    assert value_of(result, "balanced_accuracy") == 0.6
    assert math.isnan(value_of(Result(0.9), "balanced_accuracy"))
