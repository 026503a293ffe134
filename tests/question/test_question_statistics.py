"""The statistics of the answer: against brute force, at a known answer, and where there is none."""

import math
from dataclasses import replace

import numpy as np
import pytest
from question_rows import HIGH, LOW, population, training

from search.question.answer import answer, as_json
from search.question.crossing import curve
from search.question.differences import bands, by_band, difference, within
from search.question.figures import FIGURES
from search.question.latency import in_time
from search.question.reading import Material
from search.question.regression import fit, holm
from search.question.shapes import matched_on, place_of_standard
from search.question.trainings import Training
from search.question.twins import twins

MIDDLE = math.sqrt(LOW * HIGH)


def test_standard_errors_are_those_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    y = 1 + 2 * x + x * rng.normal(size=40)
    found = fit(y, {"x": x})
    assert found is not None
    design = np.column_stack([np.ones(40), x])
    inverse = np.linalg.inv(design.T @ design)
    values = inverse @ design.T @ y
    meat = np.zeros((2, 2))
    for row, response in zip(design, y, strict=True):
        error = (response - row @ values) / (1 - row @ inverse @ row)
        meat += error**2 * np.outer(row, row)
    errors = np.sqrt(np.diag(inverse @ meat @ inverse))
    term = found.term("x")
    assert term.value == pytest.approx(values[1])
    assert (term.high - term.low) / 2 == pytest.approx(2.0244 * errors[1], rel=1e-4)
    # The spread grows with |x|, which the test of equal spread has to see only by chance; that of
    # a spread that grows with x it must see.
    wedge = fit(y := x + (x - x.min()) * rng.normal(size=40), {"x": x})
    assert wedge is not None
    assert wedge.spread_p < 0.05
    assert fit(y, {"x": x, "again": 3 * x}) is None
    assert fit(y[:4], {"x": x[:4]}) is None


def test_inflation_is_that_of_regressing_a_term_on_the_others() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=60)
    z = x + 0.5 * rng.normal(size=60)
    found = fit(x + rng.normal(size=60), {"x": x, "z": z})
    assert found is not None
    assert found.term("x").inflation == pytest.approx(1 / (1 - np.corrcoef(x, z)[0, 1] ** 2))


def test_holm_is_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_bands_are_even_in_log_and_hold_every_network_once() -> None:
    edges = bands(LOW, HIGH)
    ratios = [high / low for low, high in edges]
    assert ratios == pytest.approx([ratios[0]] * 5, rel=1e-4)
    own = population("conv", 200, np.random.default_rng(0))
    own += [
        training("conv", LOW, 0.8),
        training("conv", HIGH, 0.9),
        training("conv", edges[1][0], 0.8),
    ]
    counts = [
        len(within(own, low, high, last=place == 4)) for place, (low, high) in enumerate(edges)
    ]
    assert sum(counts) == len(own)


def test_a_known_difference_is_found_with_its_size() -> None:
    rng = np.random.default_rng(3)
    networks = {
        "conv": population("conv", 100, rng),
        "separable": population("separable", 100, rng, mean=lambda at: 0.87 + 0.02 * at),
    }
    for one in by_band(networks, bands(LOW, HIGH)):
        assert one.low < 2 < one.high
        assert one.delta == pytest.approx(2 * one.better - 1)
        assert one.comparisons == 5
    whole = difference(networks["conv"], networks["separable"], degree=2)
    assert whole is not None
    assert whole.points == pytest.approx(2, abs=0.5)
    assert whole.found
    assert difference(networks["conv"][:3], networks["separable"]) is None


def test_without_a_difference_alarms_are_as_rare_as_said() -> None:
    rng = np.random.default_rng(4)
    alarms, smallest = 0, []
    for _ in range(400):
        found = difference(population("conv", 15, rng), population("inverted", 15, rng))
        assert found is not None
        alarms += found.p < 0.05
        smallest.append(found.detectable)
    # Binomial with p = 0.05: outside 8 to 33 once in a thousand.
    assert 8 <= alarms <= 33
    # And a true difference of that size is found in about 80 % of samples.
    size = float(np.mean(smallest)) / 100
    found_again = 0
    for _ in range(200):
        one = difference(
            population("conv", 15, rng),
            population("inverted", 15, rng, mean=lambda at: 0.85 + size + 0.02 * at),
        )
        assert one is not None
        found_again += one.p < 0.05
    assert 0.68 <= found_again / 200 <= 0.92


def test_a_crossing_is_found_where_it_is() -> None:
    rng = np.random.default_rng(5)
    found = curve(
        population("conv", 100, rng),
        population("separable", 100, rng, mean=lambda at: 0.85 + 0.008 * at),
        LOW,
        HIGH,
    )
    assert found is not None
    assert found.crosses
    assert [region.sign for region in found.regions] == [1, -1]
    (one,) = found.crossings
    assert one.low is not None
    assert one.high is not None
    assert one.low < MIDDLE < one.high
    assert not one.rising
    assert one.at == pytest.approx(MIDDLE, rel=0.5)


def test_the_band_of_a_curve_holds_zero_where_there_is_no_difference() -> None:
    rng = np.random.default_rng(6)
    outside = 0
    for _ in range(60):
        found = curve(population("conv", 40, rng), population("mixed", 40, rng), LOW, HIGH)
        assert found is not None
        outside += bool(found.regions)
    # At 5 %, more than 9 of 60 come once in two thousand.
    assert outside <= 9


def test_too_few_networks_have_no_curve() -> None:
    rng = np.random.default_rng(7)
    assert curve(population("conv", 9, rng), population("mixed", 40, rng), LOW, HIGH) is None


def test_what_depth_and_width_explain_is_taken_apart() -> None:
    rng = np.random.default_rng(8)

    def family(name: str, saved: float) -> list[Training]:
        """Accuracy follows depth and width alone; what a block saves buys more of them."""
        own = []
        for _ in range(300):
            depth, width = int(rng.integers(3, 12)), float(rng.uniform(3, 7))
            cost = int(60_000 * depth * 2 ** (width / 2) / saved)
            accuracy = 0.7 + 0.01 * depth + 0.01 * width + 0.005 * rng.standard_normal()
            own.append(training(name, cost, accuracy, depth=depth, width=width))
        return own

    networks = {"conv": family("conv", 1), "separable": family("separable", 3)}
    low, high = 300_000, 2_000_000
    free, shape, both = matched_on(networks, low, high, "conv")
    assert (free.on, shape.on) == ("multiplies", "depth and width")
    assert free.points is not None
    assert free.low is not None
    assert free.low > 0
    assert shape.points is not None
    assert abs(shape.points) < free.points / 3
    assert shape.ratio is not None
    assert shape.ratio < 0.7
    # Blocks of a third of the cost share no stratum of all three, and nothing is made up for it.
    assert (both.strata, both.n_first, both.points) == (0, 0, None)


def test_where_standard_blocks_belong_is_measured_from_end_to_end() -> None:
    rng = np.random.default_rng(9)
    own = [
        replace(one, place=place, standard=share, accuracy=one.accuracy + 0.01 * place)
        for one in population("mixed", 120, rng, mean=lambda at: 0.85)
        for place, share in [(float(rng.uniform(-1, 1)), float(rng.uniform()))]
    ]
    found = place_of_standard({"mixed": own}, LOW, HIGH, 4)
    assert found is not None
    assert found.n == 120
    assert found.place.low < 2 < found.place.high
    assert place_of_standard({"conv": own}, LOW, HIGH, 4) is None


def test_twins_are_paired_by_shape_and_seeds_are_averaged() -> None:
    rows = [
        training(
            family,
            cost // (4 if family == "separable" else 1),
            0.9 - loss + noise * seed,
            design="twins",
            study="pairs",
            shape=str(cost),
            seed=seed,
            arch_id=f"{family}{cost}",
        )
        for cost in range(100_000, 900_000, 100_000)
        for family, loss, noise in (("conv", 0.0, 0.0), ("separable", 0.02, 0.003))
        for seed in (-1, 0, 1)
    ]
    found = twins(rows, 4)
    assert found is not None
    assert found.whole.n == 8
    assert found.whole.seeds == 3
    assert found.whole.points == pytest.approx(-2)
    assert found.whole.ratio == pytest.approx(0.25, rel=1e-4)
    assert [one.n for one in found.by_size] == [2, 2, 2, 2]
    # One side alone is no pair.
    alone = [one for one in rows if one.shape != "100000" or one.family == "conv"]
    left = twins(alone, 4)
    assert left is not None
    assert left.whole.n == 7
    assert twins(rows, 1) is None


def test_latency_is_compared_within_one_way_of_measuring() -> None:
    rng = np.random.default_rng(10)
    networks = {
        name: [
            replace(one, latency_ms=factor * one.multiplies / 1e6, latency_of=way)
            for one in population(name, 40, rng)
            for way in ("cpu",)
        ]
        for name, factor in (("conv", 1.0), ("separable", 3.0))
    }
    (found,) = in_time(networks, "conv")
    assert 2**found.slower.value == pytest.approx(3)
    # Three times the time buys conv 1.58 doublings of 0.02.
    assert found.points.value == pytest.approx(-100 * 0.02 * math.log2(3), abs=1)
    mixed = {
        "conv": networks["conv"],
        "separable": [replace(o, latency_of="gpu") for o in networks["separable"]],
    }
    assert in_time(mixed, "conv") == []


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_trainings_does_not_matter(seed: int) -> None:
    rows = [
        one
        for family in ("conv", "separable", "mixed")
        for epochs in (1, 4)
        for one in population(family, 15, np.random.default_rng(len(family)), epochs=epochs)
    ]
    expected = as_json(answer(Material.of(rows, [])))
    np.random.default_rng(seed).shuffle(rows)  # type: ignore[arg-type]
    assert as_json(answer(Material.of(rows, []))) == expected


def test_differences_are_drawn_where_the_longer_training_has_too_few_networks() -> None:
    rng = np.random.default_rng(4)
    rows = [
        replace(one, epochs=1)
        for name in ("conv", "separable")
        for one in population(name, 30, rng)
    ]
    rows += [replace(one, epochs=4) for one in [*rows[:30], *rows[30:60:4]]]
    found = answer(Material.of(rows, []))
    assert any(one.curves for one in found.lengths)
    assert not found.lengths[-1].curves
    figure = FIGURES["differences"](found, rows)
    assert figure is not None
