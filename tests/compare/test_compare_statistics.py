"""The statistics against what SciPy and arithmetic say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from search.compare import statistics
from search.compare.statistics import difference, estimate, interval, matched, weights

RNG = np.random.default_rng(0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
)
def test_at_one_cost_the_distance_is_that_of_the_two_sample_test(
    first: list[int], second: list[int]
) -> None:
    found = matched(([7] * len(first), first), ([7] * len(second), second), RNG)
    assert found is not None
    # By its definition: SciPy's function warns where it can't have the p-value, not asked for here.
    shares = [
        abs(np.mean(np.array(first) <= value) - np.mean(np.array(second) <= value))
        for value in {*first, *second}
    ]
    assert found.distance == pytest.approx(max(shares))
    assert (found.strata, found.first, found.second) == (1, len(first), len(second))
    assert found.gain == pytest.approx(np.mean(second) - np.mean(first))
    assert found.ratio == pytest.approx(1)


def test_the_p_value_is_close_to_the_exact_one() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(0, 1, 40), rng.normal(0.6, 1, 50)
    found = matched((np.full(40, 9), first), (np.full(50, 9), second), rng)
    assert found is not None
    assert found.p == pytest.approx(ks_2samp(first, second).pvalue, abs=0.01)


def test_a_difference_in_cost_alone_does_not_pass_for_one_in_accuracy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Accuracy depends on cost alone; the second population is mostly dear."""
    monkeypatch.setattr(statistics, "_PERMUTATIONS", 199)
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        first = 10 ** rng.triangular(3, 3.2, 6, 150)
        second = 10 ** rng.triangular(3, 5.8, 6, 150)
        accuracy = [np.log10(cost) + 0.2 * rng.normal(size=150) for cost in (first, second)]
        assert ks_2samp(*accuracy).pvalue < 0.001
        one = matched((first, accuracy[0]), (second, accuracy[1]), rng)
        assert one is not None
        found.append(one)
    # Of 40 tests at 5 % two err on average.
    assert sum(one.p < 0.05 for one in found) <= 6
    assert np.mean([one.ratio for one in found]) == pytest.approx(1, abs=0.02)
    assert {one.strata for one in found} <= {8, 9, 10}


def test_a_true_difference_is_found_whichever_way_cost_lies() -> None:
    rng = np.random.default_rng(0)
    first = 10 ** rng.triangular(3, 3.2, 6, 200)
    second = 10 ** rng.triangular(3, 5.8, 6, 200)
    found = matched(
        (first, np.log10(first) + 0.2 * rng.normal(size=200)),
        (second, np.log10(second) - 0.5 + 0.2 * rng.normal(size=200)),
        rng,
    )
    assert found is not None
    assert found.gain == pytest.approx(-0.5, abs=0.15)
    assert found.p == pytest.approx(0.001)


def test_equal_populations_are_at_distance_zero() -> None:
    costs, accuracies = [10, 100, 1000] * 10, list(range(30))
    found = matched((costs, accuracies), (costs, accuracies), RNG)
    assert found is not None
    assert found.distance == pytest.approx(0)
    assert found.p == 1


def test_costs_that_do_not_overlap_are_not_compared() -> None:
    assert matched(([10, 20], [0.1, 0.2]), ([30, 40], [0.1, 0.2]), RNG) is None


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(1, 10**6), min_size=1, max_size=60).map(np.array),
        min_size=2,
        max_size=4,
    )
)
def test_weights_give_every_population_the_same_strata(costs: list[np.ndarray]) -> None:
    weighed = weights(costs)
    if weighed is None:
        return
    found, strata = weighed
    used = set(strata[0][strata[0] >= 0])
    for weight, stratum in zip(found, strata, strict=True):
        assert weight.sum() == pytest.approx(1)
        assert set(stratum[stratum >= 0]) == used
        assert (weight[stratum < 0] == 0).all()
        for one in used:
            assert weight[stratum == one].sum() == pytest.approx(1 / len(used))


def test_one_seed_has_no_interval() -> None:
    assert estimate([0.5], RNG).low is None
    assert interval(np.array([[0.1, 0.2]]), RNG) == (None, None)
    assert difference([0.1], [0.2], paired=True, rng=RNG).low is None
    assert difference([0.1], [0.2, 0.3], paired=False, rng=RNG).low is None


def test_two_seeds_reach_from_one_to_the_other() -> None:
    found = estimate([0.2, 0.6], RNG)
    assert (found.mean, found.low, found.high) == pytest.approx((0.4, 0.2, 0.6))


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    samples = rng.exponential(1, (40, 300))
    low, high = interval(samples, rng)
    assert low is not None
    assert high is not None
    assert np.mean((low <= 1) & (high >= 1)) == pytest.approx(0.93, abs=0.04)


def test_pairing_leaves_out_what_both_share() -> None:
    shared = np.array([0.1, 0.5, 0.9, 0.3])
    paired = difference(shared, shared + 0.05, paired=True, rng=RNG)
    alone = difference(shared, shared + 0.05, paired=False, rng=RNG)
    assert (paired.mean, paired.low, paired.high) == pytest.approx((0.05, 0.05, 0.05))
    assert alone.mean == pytest.approx(0.05)
    assert alone.low is not None
    assert alone.low < -0.1
