"""Intervals of means over seeds: by hand, against SciPy, and their coverage by simulation."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_ind

from search.compare.statistics import Estimate, difference, estimate, interval

Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]
SAMPLES = 4000


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    return rng.normal(0.95, 0.01, shape)


def skewed(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Accuracies near 1, with a long tail below: mean 0.95."""
    return 1 - rng.gamma(2, 0.025, shape)


def covers(found: Estimate, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def test_one_seed_has_no_interval() -> None:
    assert estimate([0.5]) == Estimate(0.5, None, None, 1)
    assert interval(np.array([[0.1, 0.2]])) == (None, None)
    assert difference([0.1], [0.2], paired=True).low is None
    assert difference([0.1], [0.2, 0.3], paired=False).low is None


def test_students_interval_by_hand() -> None:
    # Standard errors 0.2 and 0.1·√(1/3); the quantiles of one and two degrees of freedom.
    found = estimate([0.2, 0.6])
    assert (found.mean, found.low, found.high) == pytest.approx(
        (0.4, 0.4 - 12.7062 * 0.2, 0.4 + 12.7062 * 0.2), abs=1e-4
    )
    found = estimate([0.4, 0.5, 0.6])
    assert found.low == pytest.approx(0.5 - 4.30265 * 0.1 / 3**0.5, abs=1e-5)


def test_welchs_interval_is_scipys() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(0, 1, 4), rng.normal(1, 3, 7)
    found = difference(first, second, paired=False)
    expected = ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.n == 4


def test_equal_seeds_have_an_interval_without_width() -> None:
    found = difference([0.5, 0.5, 0.5], [0.7, 0.7, 0.7], paired=False)
    assert (found.mean, found.low, found.high) == pytest.approx((0.2, 0.2, 0.2))


@pytest.mark.parametrize(
    ("draw", "least"), [(normal, 0.935), (skewed, 0.90)], ids=["normal", "skewed"]
)
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_students_interval_covers_the_mean(draw: Draw, least: float, seeds: int) -> None:
    """A percentile bootstrap covers 49 % at two seeds, 76 % at three."""
    low, high = interval(draw(np.random.default_rng(seeds), (seeds, SAMPLES)))
    assert low is not None
    assert high is not None
    covered = np.mean((low <= 0.95) & (high >= 0.95))
    assert least <= covered <= 0.97


@pytest.mark.parametrize("draw", [normal, skewed])
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("paired", [True, False])
def test_intervals_of_differences_cover(draw: Draw, seeds: int, paired: bool) -> None:
    rng = np.random.default_rng(seeds)
    first, second = draw(rng, (2000, seeds)), draw(rng, (2000, seeds)) + 0.02
    if paired:
        # What both share does not count, however large.
        shared = rng.normal(0, 0.1, (2000, seeds))
        first, second = first + shared, second + shared
    found = [difference(a, b, paired=paired) for a, b in zip(first, second, strict=True)]
    assert np.mean([covers(one, 0.02) for one in found]) >= 0.935


@pytest.mark.parametrize(("few", "many"), [(2, 10), (3, 10)])
@pytest.mark.parametrize("ratio", [0.33, 1.0, 3.0])
def test_intervals_of_unequal_groups_cover(few: int, many: int, ratio: float) -> None:
    """With Welch's degrees of freedom, two seeds against ten were covered in 89 %."""
    rng = np.random.default_rng(few * many)
    found = [
        difference(rng.normal(0, 1, few), rng.normal(1, ratio, many), paired=False)
        for _ in range(4000)
    ]
    assert np.mean([covers(one, 1.0) for one in found]) >= 0.925


def test_pairing_leaves_out_what_both_share() -> None:
    shared = np.array([0.1, 0.5, 0.9, 0.3])
    paired = difference(shared, shared + 0.05, paired=True)
    alone = difference(shared, shared + 0.05, paired=False)
    assert (paired.mean, paired.low, paired.high) == pytest.approx((0.05, 0.05, 0.05))
    assert alone.mean == pytest.approx(0.05)
    assert alone.low is not None
    assert alone.low < -0.1
