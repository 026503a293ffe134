"""Areas over what was spent, groups and their names, and what may be compared."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.compare.compute import Reference, compute, curve, reference, seconds
from search.compare.figures import as_json, measure, population
from search.compare.groups import group, label, short_labels
from search.compare.page import page
from search.compare.studies import read
from search.errors import UserError
from search.pareto import hypervolume
from search.study.trials import Trial

Maker = Callable[..., Path]
MakeTrial = Callable[..., Trial]
WITHIN = Reference(1000, 100_000, 0.1)


def test_the_area_rises_by_steps_that_a_hand_can_reckon(make: Maker, trial: MakeTrial) -> None:
    trials = [
        trial(0, 10_000, 0.55),
        trial(1, 50_000, 0.5),
        trial(2, 1000, 0.325),
        trial(3, 10_000, math.nan, arch="f" * 12, status="failed"),
        trial(4, 100_000, 1.0),
    ]
    (entry,) = read([make("s", trials=trials)])
    found = curve(entry, WITHIN, compute)
    # Half of the width from 10k on; of the height, a half; then a quarter of the first half.
    assert found.area == pytest.approx([0.25, 0.25, 0.375, 0.375, 0.375])
    assert found.spent == pytest.approx(12 * np.cumsum([10_000, 50_000, 1000, 10_000, 100_000]))
    grid = np.array([0, 119_999, 120_000, 732_000, 1e9])
    assert found.at(grid) == pytest.approx([0, 0, 0.25, 0.375, 0.375])
    assert curve(entry, WITHIN, seconds).spent == pytest.approx([2, 4, 6, 8, 10])


def test_the_curve_is_the_area_of_every_beginning(make: Maker) -> None:
    (entry,) = read([make("s", count=40)])
    points = [(t.multiplies, t.result.accuracy) for t in entry.trials]
    expected = [hypervolume(points[: n + 1], low=1000, high=100_000, chance=0.1) for n in range(40)]
    assert curve(entry, WITHIN, compute).area == pytest.approx(expected)


def test_what_goes_on_from_a_shorter_training_pays_for_the_rest(
    make: Maker, trial: MakeTrial
) -> None:
    trials = [
        trial(0, 100, 0.2, epochs=1, arch="a" * 12),
        trial(1, 100, 0.3, epochs=4, arch="a" * 12),
        trial(2, 100, 0.3, epochs=4, arch="a" * 12, same_as=1),
        trial(3, 200, 0.3, epochs=4),
    ]
    (plain,) = read([make("plain", trials=trials)])
    assert compute(plain) == [300, 900, 0, 2400]
    (decayed,) = read([make("decayed", trials=trials, settings={"train": {"decay": 0.5}})])
    assert compute(decayed) == [300, 1050, 0, 2400]
    averaging = {"train": {"decay": 0.5, "finish": "average"}}
    (averaged,) = read([make("averaged", trials=trials, settings=averaging)])
    assert compute(averaged) == compute(plain)
    # Shorter trainings are estimates on the way.
    assert curve(plain, WITHIN, compute).area[0] == 0


def test_the_reference_is_common(make: Maker) -> None:
    entries = read([make("a", cheapest=500, high=50_000), make("b", seed=1, cheapest=900)])
    assert reference(entries) == Reference(500, 100_000, 0.1)


def test_groups_are_named_after_what_differs() -> None:
    base: dict[str, Any] = {"space.name": "small", "space.ops": ["conv"], "budget": 200_000}
    assert label([base, {**base, "space.ops": ["conv", "separable"]}]) == [
        "space.ops=[conv]",
        "space.ops=[conv,separable]",
    ]
    assert label([base, {**base, "budget": 50_000}]) == ["budget=200k", "budget=50k"]
    assert label([base, {**base, "space.name": "medium", "space.ops": ["basic"]}]) == [
        "space=small",
        "space=medium",
    ]
    assert label([base]) == ["all"]
    counted = [{"budget": 10, "space.within": 3}, {"budget": 20, "space.within": 6}]
    assert label(counted) == ["budget=10", "budget=20"]
    assert label([{"space.within": 3}, {"space.within": 6}]) == ["space.within=3", "space.within=6"]
    strategies: list[Mapping[str, Any]] = [
        {"strategy.name": "random", "strategy.sampler": None},
        {"strategy.name": "optuna", "strategy.sampler": "tpe"},
        {"strategy.name": "optuna", "strategy.sampler": "nsgaii"},
    ]
    assert label(strategies) == [
        "strategy=random",
        "strategy=optuna strategy.sampler=tpe",
        "strategy=optuna strategy.sampler=nsgaii",
    ]
    assert label([{"strategy": "Mine"}, {"strategy": "Yours"}]) == [
        "strategy=Mine",
        "strategy=Yours",
    ]


def test_seeds_of_equal_settings_are_one_group(make: Maker) -> None:
    paths = [make(f"{name}{seed}", seed=seed, strategy=name) for name in "xy" for seed in (2, 0, 1)]
    groups = group(read([*paths, paths[0]]))
    assert [(g.label, g.seeds) for g in groups] == [
        ("strategy=x", (0, 1, 2)),
        ("strategy=y", (0, 1, 2)),
    ]


def test_figures_say_which_is_better_and_by_how_much(make: Maker) -> None:
    paths = [
        make(f"{name}{seed}", seed=seed, strategy=name, bonus=bonus, count=60)
        for name, bonus in (("low", 0.0), ("high", 0.05))
        for seed in range(3)
    ]
    found = measure(read(paths), [2000, 50_000])
    low, high = found.groups
    (pair,) = found.pairs
    assert (low.label, high.label) == ("strategy=low", "strategy=high")
    assert pair.paired
    assert pair.difference.low is not None
    # Accuracy fills 0.9 of the height; equal costs gain the same everywhere but at the left end.
    assert 0.03 < pair.difference.low <= pair.difference.mean < 0.056
    assert pair.matched is not None
    assert pair.matched.gain == pytest.approx(0.05, abs=0.005)
    # Three seeds of a strategy that learns are three draws, not 180.
    assert (pair.matched.exchanged, pair.matched.p) == ("studies", None)
    assert any("A p-value is missing" in note for note in found.notes)
    # One of each may lie where the other has no model.
    assert 170 < pair.matched.first <= 180
    assert low.accuracy_at[1] is not None
    assert low.accuracy_at[1].mean == pytest.approx(0.68, abs=0.02)
    assert pair.accuracy_won[1] is not None
    assert pair.accuracy_won[1].mean == pytest.approx(0.05)
    assert low.over_compute.low is not None
    assert all(np.diff(low.over_compute.area) >= 0)
    assert low.over_compute.area[-1] == pytest.approx(low.area_end.mean, abs=0.02)
    assert measure(read(paths), [2000, 50_000]) == found
    text = json.dumps(as_json(found), allow_nan=False)
    assert json.loads(text)["groups"][0]["seeds"] == [0, 1, 2]


def test_random_models_of_equal_seeds_have_a_p_value(make: Maker) -> None:
    paths = [
        make(f"{ops}{seed}", seed=seed, bonus=bonus, settings={"space": {"ops": [ops]}})
        for ops, bonus in (("conv", 0.0), ("separable", 0.05))
        for seed in range(3)
    ]
    (pair,) = measure(read(paths)).pairs
    assert pair.matched is not None
    assert (pair.matched.exchanged, pair.matched.p) == ("models", pytest.approx(0.001))
    # Other seeds have other validation parts.
    (other,) = measure(read(paths[:5])).pairs
    assert other.matched is not None
    assert (other.matched.exchanged, other.matched.p, other.paired) == ("studies", None, False)
    shown = page(measure(read(paths)))
    assert "exchanging models within each seed" in shown
    assert "seed by seed" in shown
    assert "Welch" not in shown


def test_an_architecture_counts_once_in_each_study(make: Maker, trial: MakeTrial) -> None:
    trials = [
        trial(0, 100, 0.2, arch="a" * 12),
        trial(1, 100, 0.4, arch="a" * 12),
        trial(2, 100, 0.9, arch="a" * 12, same_as=1),
        trial(3, 200, 0.5, epochs=1),
        trial(4, 300, 0.6),
    ]
    entries = read([make(f"s{seed}", seed=seed, trials=trials) for seed in range(2)])
    found = population(entries)
    assert found.multiplies.tolist() == [100, 300, 100, 300]
    assert found.accuracy == pytest.approx([0.3, 0.6, 0.3, 0.6])
    assert found.study.tolist() == [0, 0, 1, 1]


def test_balanced_accuracy_stands_beside_where_classes_are_unequal(
    make: Maker, trial: MakeTrial
) -> None:
    trials = [trial(0, 100, 0.5), trial(1, 200, 0.7)]
    values = [0.2, 0.4]
    measured = [
        replace(t, result=replace(t.result, details={"balanced_accuracy": value}))
        for t, value in zip(trials, values, strict=True)
    ]
    found = measure(read([make("a", trials=measured)]), [150, 50_000])
    assert found.groups[0].balanced_at is not None
    assert [one and one.mean for one in found.groups[0].balanced_at] == values
    assert [one and one.mean for one in found.groups[0].accuracy_at] == [0.5, 0.7]
    assert "Balanced accuracy of the same networks" in page(found)
    plain = measure(read([make("b", trials=trials)]))
    assert plain.groups[0].balanced_at is None
    assert "Balanced accuracy" not in page(plain)


def test_the_objective_is_what_is_compared(make: Maker, trial: MakeTrial) -> None:
    trials = [
        replace(t, result=replace(t.result, details={"balanced_accuracy": value}))
        for t, value in ((trial(0, 100, 0.5), 0.4), (trial(1, 200, 0.7), 0.3))
    ]
    entries = read([make("a", trials=trials, settings={"objective": "balanced_accuracy"})])
    found = measure(entries, [50_000])
    assert found.objective == "balanced_accuracy"
    (best,) = found.groups[0].accuracy_at
    assert best is not None
    assert best.mean == 0.4
    assert found.groups[0].models == [(100, 0.4), (200, 0.3)]
    assert "Best balanced accuracy within a cost" in page(found)
    other = read(
        [
            make("b", trials=trials),
            make("c", trials=trials, settings={"objective": "balanced_accuracy"}),
        ]
    )
    mixed = measure(other, [50_000])
    assert mixed.objective == "accuracy"
    assert any("different objectives are compared by accuracy" in note for note in mixed.notes)


def test_a_study_from_before_a_setting_joins_those_with_its_default(make: Maker) -> None:
    now = {"objective": "accuracy", "train": {"batch": 32, "class_weights": None}}
    before = {"train": {"batch": 32}}
    weighed = {"objective": "accuracy", "train": {"batch": 32, "class_weights": "balanced"}}
    made = [make("a", settings=before), make("b", seed=1, settings=now)]
    assert len(group(read(made))) == 1
    groups = group(read([*made, make("c", seed=2, settings=weighed)]))
    assert [len(one.entries) for one in groups] == [2, 1]
    assert groups[1].label == "train.class_weights=balanced"


def test_names_in_tables_are_short_and_distinct() -> None:
    assert short_labels(["space.ops=[conv]", "space.ops=[conv,separable]"]) == [
        "[conv]",
        "[conv,separable]",
    ]
    assert short_labels(["default", "flip=True"]) == ["default", "flip=True"]
    assert short_labels(["a=1 b=2", "a=2 b=2"]) == ["a=1 b=2", "a=2 b=2"]
    long = [f"strategy=optuna strategy.sampler={name}" for name in ("tpe", "nsgaii")]
    assert short_labels(long) == ["A", "B"]
    assert short_labels(["x=", "x=1"]) == ["A", "B"]
    assert short_labels([f"{'x' * 50}{n}" for n in range(28)])[25:] == ["Z", "G27", "G28"]


def test_close_budgets_are_told_apart() -> None:
    assert label([{"budget": 200_001}, {"budget": 200_002}]) == ["budget=200001", "budget=200002"]
    assert label([{"budget_low": 0}, {"budget_low": 50_000}]) == [
        "budget_low=0",
        "budget_low=50k",
    ]


def test_one_seed_is_said_to_have_no_interval(make: Maker) -> None:
    found = measure(read([make("a"), make("b", strategy="other", bonus=0.1)]))
    assert found.groups[0].area.low is None
    assert found.groups[0].over_compute.low is None
    assert found.pairs[0].difference.low is None
    assert any("One seed alone has no interval" in note for note in found.notes)
    assert found.levels[-1] == 100_000
    (shown,) = re.findall(
        r"<script type=\"application/json\"[^>]*>(.*?)</script>", page(found), re.S
    )
    assert json.loads(shown)["groups"]
    assert "NaN" not in shown


def test_nothing_so_cheap_is_no_accuracy(make: Maker) -> None:
    found = measure(read([make("a")]), [10])
    assert found.groups[0].accuracy_at == [None]
    assert "–" in page(found)


def test_a_study_of_ones_own_space_without_seconds_or_prices(make: Maker, trial: MakeTrial) -> None:
    trials = [trial(n, n, 0.5 + n / 10, seconds=0.0) for n in range(3)]
    for seed in range(2):
        make(f"s{seed}", seed=seed, trials=trials, cheapest=0, high=2, data={})
    found = measure(read([make("x", trials=trials, cheapest=0, high=2), *_paths(make)]))
    assert found.groups[0].area.mean > 0
    assert "Infinity" not in content_of(page(found))


def content_of(html: str) -> str:
    """Return the JSON that a page draws."""
    (found,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    return found


def _paths(make: Maker) -> list[Path]:
    return [make("more", seed=5, cheapest=0, high=2)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"name": "mnist"}}, "data.name is digits and mnist; .* other data"),
        ({"data": {"validation_fraction": 0.5}}, "validation_fraction is 0.2 and 0.5; .* split"),
        ({"chance": 0.5}, "chance is 0.1 and 0.5"),
        ({"fingerprint": "else"}, r"both have seed 0 but other train images \(t0 and else\)"),
        ({"strategy": "random"}, "settings and seeds are the same"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(
    make: Maker, changes: dict[str, Any], said: str
) -> None:
    paths = [make("first"), make("second", **{"strategy": "other", **changes})]
    with pytest.raises(UserError, match=f"first and second cannot be compared: .*{said}") as error:
        read(paths)
    assert "\n" not in str(error.value)


def test_treatment_while_training_is_a_setting_like_others(make: Maker) -> None:
    entries = read([make("a"), make("b", data={"flip": True})])
    assert [g.label for g in group(entries)] == ["default", "data.flip=True"]


def test_other_counting_is_refused(make: Maker, trial: MakeTrial) -> None:
    first = make("first", trials=[trial(0, 2000, 0.5, arch="a" * 12)])
    second = make("second", seed=1, trials=[trial(0, 3000, 0.5, arch="a" * 12)])
    with pytest.raises(UserError, match=r"2,000 multiplies in one and 3,000 in the other"):
        read([first, second])


def test_an_arch_is_counted_again(make: Maker, trial: MakeTrial) -> None:
    from search.networks import zoo
    from search.networks.arch import to_json
    from search.networks.cost import multiplies_of

    arch = zoo.network("cifar_resnet20")
    right = replace(trial(0, multiplies_of(arch), 0.5), value=to_json(arch))
    read([make("right", trials=[right])])
    wrong = replace(right, multiplies=right.multiplies + 1)
    with pytest.raises(UserError, match="wrong was counted by another rule"):
        read([make("wrong", trials=[wrong])])


def test_what_is_no_study_is_refused(make: Maker, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a study"):
        read([make("a"), tmp_path])
    with pytest.raises(UserError, match="no finished trial"):
        read([make("empty", trials=[])])
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "front.json").write_text("{}")
    with pytest.raises(UserError, match="keeps its front alone"):
        read([tmp_path / "tables"])
