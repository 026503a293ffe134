"""Models at matched multiplies: the distance by definition, its p-value by enumeration and null."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from search.compare import populations
from search.compare.populations import Matched, Population, matched
from search.report.matching import weights

RNG = np.random.default_rng(0)


def pool(
    costs: Sequence[float] | np.ndarray,
    accuracies: Sequence[float] | np.ndarray,
    study: Sequence[int] | None = None,
) -> Population:
    """Return a population of one study, unless `study` says which."""
    studies = np.zeros(len(costs), int) if study is None else np.asarray(study)
    costs, accuracies = np.asarray(costs, float), np.asarray(accuracies, float)
    return Population(costs, accuracies, studies, 1 + int(studies.max()))


def compare(
    first: Population,
    second: Population,
    *,
    paired: bool = True,
    independent: bool = True,
    rng: np.random.Generator = RNG,
) -> Matched:
    found = matched(first, second, paired=paired, independent=independent, rng=rng)
    assert found is not None
    return found


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
)
def test_at_one_cost_the_distance_is_that_of_the_two_sample_test(
    first: list[int], second: list[int]
) -> None:
    found = compare(pool([7] * len(first), first), pool([7] * len(second), second))
    # By its definition: SciPy's function warns where it can't have the p-value, not asked for here.
    shares = [
        abs(np.mean(np.array(first) <= value) - np.mean(np.array(second) <= value))
        for value in {*first, *second}
    ]
    assert found.distance == pytest.approx(max(shares))
    assert (found.strata, found.first, found.second) == (1, len(first), len(second))
    assert found.gain == pytest.approx(np.mean(second) - np.mean(first))
    assert found.ratio == pytest.approx(1)


def test_the_p_value_of_one_study_is_close_to_the_exact_one() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(0, 1, 40), rng.normal(0.6, 1, 50)
    found = compare(pool(np.full(40, 9), first), pool(np.full(50, 9), second), rng=rng)
    assert found.p == pytest.approx(ks_2samp(first, second).pvalue, abs=0.01)


def distance(first: Sequence[float], second: Sequence[float]) -> float:
    """The plain two-sample distance."""
    return float(
        max(
            abs(np.mean(np.array(first) <= v) - np.mean(np.array(second) <= v))
            for v in {*first, *second}
        )
    )


def test_models_are_exchanged_within_their_study_by_enumeration() -> None:
    """Two seeds of three and three models each: 20 × 20 equally likely exchanges."""
    first = [[0.1, 0.2, 0.3], [0.6, 0.7, 0.8]]
    second = [[0.35, 0.4, 0.45], [0.85, 0.9, 0.95]]
    all_first, all_second = first[0] + first[1], second[0] + second[1]
    observed = distance(all_first, all_second)
    ways = []
    for a, b in zip(first, second, strict=True):
        both = a + b
        picks = combinations(range(6), 3)
        ways.append(
            [([both[i] for i in p], [both[i] for i in range(6) if i not in p]) for p in picks]
        )
    reached = [
        distance(one[0] + two[0], one[1] + two[1]) >= observed - 1e-12
        for one, two in product(*ways)
    ]
    study = [0, 0, 0, 1, 1, 1]
    found = compare(
        pool([7] * 6, all_first, study),
        pool([7] * 6, all_second, study),
        rng=np.random.default_rng(1),
    )
    assert found.distance == pytest.approx(observed)
    assert found.exchanged == "models"
    assert found.p == pytest.approx(np.mean(reached), abs=0.04)
    # The exchange across studies, which is wrong here, would give another.
    assert abs(np.mean(reached) - ks_2samp(all_first, all_second).pvalue) > 0.1


def study_pool(shifts: Sequence[float], models: int = 12) -> Population:
    """Studies of equal models, each shifted as a whole."""
    base = np.linspace(0, 0.1, models)
    return pool(
        np.full(models * len(shifts), 9),
        np.concatenate([base + shift for shift in shifts]),
        np.repeat(np.arange(len(shifts)), models).tolist(),
    )


@pytest.mark.parametrize(
    ("first", "second", "paired", "p"),
    [
        # All the first's studies are below the second's: of C(8, 4) assignments two are as far.
        ([0, 1, 2, 3], [4, 5, 6, 7], False, 2 / 70),
        ([0, 1, 2], [4, 5, 6, 7, 8], False, 2 / 56),
        # Six seeds, each second study far above: of 2^6 exchanges two are as far.
        ([0] * 6, [1] * 6, True, 2 / 64),
        # Too few: the smallest possible p would be 0.057, 0.1, 0.0625, 1.
        ([0, 1, 2], [4, 5, 6, 7], False, None),
        ([0, 1, 2], [4, 5, 6], False, None),
        ([0] * 5, [1] * 5, True, None),
        ([0], [1], False, None),
    ],
)
def test_whole_studies_are_exchanged_exactly(
    first: list[float], second: list[float], paired: bool, p: float | None
) -> None:
    found = compare(study_pool(first), study_pool(second), paired=paired, independent=False)
    assert found.exchanged == "studies"
    assert found.p == (None if p is None else pytest.approx(p))


def test_many_studies_are_exchanged_at_random() -> None:
    rng = np.random.default_rng(0)
    low, high = study_pool([0] * 11), study_pool([1] * 11)
    assert compare(low, high, independent=False, rng=rng).p == pytest.approx(0.001, abs=0.002)
    assert compare(low, high, paired=False, rng=rng).p == pytest.approx(0.001)


def simulated(
    rng: np.random.Generator,
    effects: np.ndarray,
    shift: float = 0.0,
    mode: float = 4.0,
    models: int = 25,
) -> Population:
    """Studies of random models: accuracy grows with cost, and has the study's own effect."""
    costs = 10 ** rng.triangular(3, mode, 5, (len(effects), models))
    noise = 0.02 * rng.normal(size=costs.shape)
    accuracy = 0.2 + 0.1 * np.log10(costs) + effects[:, None] + shift + noise
    study = np.repeat(np.arange(len(effects)), models)
    return Population(costs.ravel(), accuracy.ravel(), study, len(effects))


def rejections(
    studies: int,
    *,
    paired: bool,
    independent: bool,
    shift: float = 0.0,
    modes: tuple[float, float] = (4.0, 4.0),
    own: float = 0.0,
    count: int = 300,
) -> float:
    """The share of p ≤ 0.05: studies have a random effect, shared by equal seeds where paired."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        effect = 0.02 * rng.normal(size=(2, studies))
        if paired:
            effect[1] = effect[0]
        effect += own * rng.normal(size=effect.shape)
        first = simulated(rng, effect[0], 0.0, modes[0])
        second = simulated(rng, effect[1], shift, modes[1])
        one = compare(first, second, paired=paired, independent=independent, rng=rng)
        assert one.p is not None
        found.append(one.p <= 0.05)
    return float(np.mean(found))


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(populations, "_PERMUTATIONS", 199)


# Costs alike, and one group mostly cheap where the other is mostly expensive.
@pytest.mark.usefixtures("fewer")
@pytest.mark.parametrize("modes", [(4.0, 4.0), (3.2, 4.8)])
def test_false_alarms_stay_at_their_level(modes: tuple[float, float]) -> None:
    """Permuting all models freely gave 31 to 54 % where studies differ."""
    assert rejections(3, paired=True, independent=True, modes=modes) <= 0.07
    unpaired = rejections(4, paired=False, independent=True, modes=modes, count=150)
    assert unpaired <= 0.07
    # Studies of one seed with effects of their own, such as the luck of a learning strategy.
    learning = rejections(6, paired=True, independent=False, modes=modes, own=0.01, count=150)
    assert learning <= 0.07


@pytest.mark.usefixtures("fewer")
def test_real_differences_are_found() -> None:
    assert rejections(3, paired=True, independent=True, shift=0.02, count=60) > 0.6
    assert rejections(6, paired=True, independent=False, shift=0.02, count=60) > 0.4
    assert rejections(6, paired=False, independent=True, shift=0.06, count=60) > 0.6


def test_a_difference_in_cost_alone_does_not_pass_for_one_in_accuracy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Accuracy depends on cost alone; the second population is mostly expensive."""
    monkeypatch.setattr(populations, "_PERMUTATIONS", 199)
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        first = 10 ** rng.triangular(3, 3.2, 6, 150)
        second = 10 ** rng.triangular(3, 5.8, 6, 150)
        accuracy = [np.log10(cost) + 0.2 * rng.normal(size=150) for cost in (first, second)]
        assert ks_2samp(*accuracy).pvalue < 0.001
        one = compare(pool(first, accuracy[0]), pool(second, accuracy[1]), rng=rng)
        found.append(one)
    # Of 40 tests at 5 % two err on average.
    assert sum(one.p is not None and one.p < 0.05 for one in found) <= 6
    assert np.mean([one.ratio for one in found]) == pytest.approx(1, abs=0.02)
    assert {one.strata for one in found} <= {8, 9, 10}


def test_a_true_difference_is_found_whichever_way_cost_lies() -> None:
    rng = np.random.default_rng(0)
    first = 10 ** rng.triangular(3, 3.2, 6, 200)
    second = 10 ** rng.triangular(3, 5.8, 6, 200)
    found = compare(
        pool(first, np.log10(first) + 0.2 * rng.normal(size=200)),
        pool(second, np.log10(second) - 0.5 + 0.2 * rng.normal(size=200)),
        rng=rng,
    )
    assert found.gain == pytest.approx(-0.5, abs=0.15)
    assert found.p == pytest.approx(0.001)


def test_large_populations_are_permuted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    first, second = (
        pool(np.full(40, 9), rng.normal(0, 1, 40)),
        pool(np.full(50, 9), rng.normal(0.6, 1, 50)),
    )
    whole = compare(first, second, rng=np.random.default_rng(1))
    monkeypatch.setattr(populations, "_CELLS", 90 * 100)
    assert compare(first, second, rng=np.random.default_rng(1)) == whole


def test_equal_populations_are_at_distance_zero() -> None:
    both = pool([10, 100, 1000] * 10, list(range(30)))
    found = compare(both, both)
    assert found.distance == pytest.approx(0)
    assert found.p == 1


def test_costs_that_do_not_overlap_are_not_compared() -> None:
    first, second = pool([10, 20], [0.1, 0.2]), pool([30, 40], [0.1, 0.2])
    assert matched(first, second, paired=True, independent=True, rng=RNG) is None


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
