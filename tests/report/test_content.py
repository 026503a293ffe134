"""What the pages show, computed before anything is drawn, against other ways to compute it."""

import json
from pathlib import Path

import numpy as np
import page_studies
import pytest
from scipy.stats import t

from search.__main__ import main
from search.errors import UserError
from search.jobs import Candidate
from search.networks.arch import from_json
from search.networks.cost import cost_of
from search.pareto import area_after_each, hypervolume
from search.report.content.front import FrontPage, front_page
from search.report.content.over_time import over_time
from search.report.content.trials import half_width
from search.report.matching import distribution
from search.report.page import as_json, page
from search.study.latency import latencies
from search.study.study import Study


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_studies.study_folder(tmp_path_factory.mktemp("content") / "study")


@pytest.fixture(scope="module")
def content(folder: Path) -> FrontPage:
    with Study.read(folder) as study:
        return front_page(study)


def test_networks_have_the_exact_cost_of_their_layers(folder: Path, content: FrontPage) -> None:
    with Study.read(folder) as study:
        values = {trial.arch_id: trial.value for trial in study.trials()}
    assert {row.id for row in content.networks.rows} == set(values)
    for row in content.networks.rows:
        cost = cost_of(from_json(values[row.id]))
        layers = [one for part in row.parts for one in content.networks.parts[part].layers]
        assert sum(one.multiplies for one in layers) == cost.multiplies
        assert sum(one.params for one in layers) == cost.params
        assert row.memory == cost.peak_activation


def test_members_have_students_interval(folder: Path, content: FrontPage) -> None:
    with Study.read(folder) as study:
        found, confirmed = study.front(study.trials())
    assert confirmed
    assert content.confirmed
    for member, row in zip(content.front, found, strict=True):
        half = t.ppf(0.975, 2) * row.accuracy_std / np.sqrt(3)
        assert member.low == pytest.approx(row.accuracy - half, abs=2e-6)
        assert member.high == pytest.approx(row.accuracy + half, abs=2e-6)
    assert half_width(float("nan"), 1) is None


def test_members_have_the_curves_of_their_fresh_seeds(folder: Path, content: FrontPage) -> None:
    with Study.read(folder) as study:
        again = {one.number: one.arch_id for one in study.confirmations()}
        kept = study.confirmation_curves()
    places = dict(zip(content.trials.number, content.trials.network, strict=True))
    ids = [content.networks.rows[places[member.trial]].id for member in content.front]
    assert ids
    assert set(content.fresh_curves) == set(ids)
    for arch_id, lists in content.fresh_curves.items():
        own = [kept[number] for number, of in again.items() if of == arch_id]
        assert len(own) == 3
        assert sorted(one["train_accuracy"] for one in lists) == sorted(
            one.as_json()["train_accuracy"] for one in own
        )


def test_latencies_are_those_that_were_measured(folder: Path, content: FrontPage) -> None:
    with Study.read(folder) as study:
        kept = latencies(study)
    assert len(kept) > 2
    assert [one.name for one in content.latencies] == [
        "jax on cpu, batch 1",
        "jax on cpu, batch 64",
    ]
    for series, batch in zip(content.latencies, (1, 64), strict=True):
        assert series.milliseconds == {
            one.arch_id: (one.median, one.lower, one.upper) for one in kept if one.batch == batch
        }
        assert "rank correlation 1.00" in series.note
        assert series.where.endswith(", 2 threads")
    # Said once: where it is drawn.
    assert not any("Spearman" in note for note in content.notes)


def test_figures_are_of_the_objective(tmp_path: Path) -> None:
    about = page_studies.balanced_elsewhere()
    folder = page_studies.study_folder(tmp_path / "study", 30, about)
    with Study.read(folder) as study:
        found, _ = study.front(study.trials())
        content = front_page(study)
    assert (content.objective, content.unseen) == ("balanced_accuracy", 1234)
    for member, row in zip(content.front, found, strict=True):
        half = t.ppf(0.975, 2) * row.balanced_accuracy_std / np.sqrt(3)
        assert member.low == pytest.approx(row.balanced_accuracy - half, abs=2e-6)
        assert member.high == pytest.approx(row.balanced_accuracy + half, abs=2e-6)
        assert member.search_balanced_accuracy == pytest.approx(
            row.search_balanced_accuracy, abs=1e-6
        )
    assert [one.balanced_accuracy for one in content.landmarks] == [0.8, 0.8]
    svg = tmp_path / "front.svg"
    assert main(["front", str(folder), "--picture", str(svg)]) == 0
    assert "± standard deviation over seeds" in svg.read_text()


def test_the_search_over_time_is_the_front_of_what_was_there(folder: Path) -> None:
    with Study.read(folder) as study:
        trials, info = study.trials(), study.info
    found = over_time(trials, info, "accuracy")
    for count in (1, 7, 20, len(trials)):
        points = [
            (one.multiplies, one.result.accuracy)
            for one in trials[:count]
            if one.completed(info.epochs)
        ]
        area = hypervolume(points, low=info.cheapest, high=info.high, chance=info.chance)
        place = np.searchsorted(found.area.trials, count, side="right") - 1
        assert found.area.value[place] == pytest.approx(area, abs=1e-6)
        for best in found.best:
            within = [value for cost, value in points if cost <= best.budget]
            place = int(np.searchsorted(best.steps.trials, count, side="right")) - 1
            shown = best.steps.value[place] if place >= 0 else 0.0
            assert shown == pytest.approx(max(within, default=0.0), abs=1e-6)


def test_the_area_after_each_point_is_that_of_all_so_far() -> None:
    points = [(50, 0.5), None, (20, 0.6), (90, float("nan")), (70, 0.7), (30, 0.65)]
    areas = area_after_each(points, low=10, high=100, chance=0.1)
    for count in range(1, len(points) + 1):
        seen = [one for one in points[:count] if one is not None]
        area = hypervolume(seen, low=10, high=100, chance=0.1)
        assert areas[count - 1] == pytest.approx(area)


def test_a_distribution_function_is_short_and_ends_at_one() -> None:
    rng = np.random.default_rng(0)
    values, weight = rng.random(5000), rng.random(5000)
    weight[values < 0.2] = 0
    found = distribution(values, weight / weight.sum())
    assert len(found.value) <= 200
    assert found.share[-1] == pytest.approx(1)
    middle = len(found.value) // 2
    below = weight[values <= found.value[middle] + 1e-6].sum() / weight.sum()
    assert found.share[middle] == pytest.approx(below, abs=1e-3)


def test_records_that_came_otherwise_are_left_out(tmp_path: Path) -> None:
    with Study.open(None, {}, page_studies.info()) as study:
        for trial in page_studies.trials(8):
            study.add(trial)
        study.record("curve", "0", {"epochs": [1, 2], "train_loss": [1.0]})
        study.record("curve", "1", {"epochs": ["<b>"], "train_loss": [1.0]})
        study.record("curve", "2", {"epochs": [1], "train_loss": [None]})
        study.record("contact_sheet", "train", {"classes": [{"name": "a", "png": 'x" onerror="'}]})
        found = front_page(study)
    assert list(found.curves) == ["2"]
    assert found.finals == {}
    assert found.provenance.sheet == []


def test_a_damaged_final_is_one_line() -> None:
    with Study.open(None, {}, page_studies.info()) as study:
        study.record("final", "x", {"arch_id": "0" * 12, "accuracy": "high"})
        with pytest.raises(UserError, match=r"study\.db is damaged \(final\[0\] lacks 'key'\)"):
            front_page(study)


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "\u2028\u2029", "]]>", "&lt;"])
def test_no_text_ends_the_element_of_the_content(text: str) -> None:
    written = as_json({text: [text]})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {text: [text]}


def test_a_page_is_one_small_file(content: FrontPage) -> None:
    html = page(content)
    assert len(html) < 6_000_000
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in html
    assert not any(word in html for word in ("<link", 'src="http', "@import"))


def test_the_command_draws_a_study(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for form, begin in names.items():
        target = tmp_path / f"front.{form}"
        assert main(["front", str(folder), "--picture", str(target)]) == 0
        first = target.read_bytes()
        assert first.startswith(begin)
        assert main(["front", str(folder), "--picture", str(target)]) == 0
        assert target.read_bytes() == first
    assert main(["front", str(folder), "--page", str(tmp_path / "now.html")]) == 0
    assert "front.pdf" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--picture", "front.jpg"], "must end in .png, .svg or .pdf"),
        (["--page", "front.txt"], "ends in .html"),
        (["{folder}", "--page", "x.html"], "do not share one picture or page"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    folder: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.format(folder=folder) for word in words]
    assert main(["front", str(folder), *given]) == 2
    assert reason in capsys.readouterr().err


def test_a_front_without_its_trials_has_no_page(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["front", str(folder), "--json"]) == 0
    (tmp_path / "front.json").write_text(capsys.readouterr().out)
    assert main(["front", str(tmp_path), "--page", str(tmp_path / "x.html")]) == 2
    assert "keeps its front alone" in capsys.readouterr().err


def test_candidates_of_the_tests_are_within_their_budget() -> None:
    for trial in page_studies.trials(20):
        arch = from_json(trial.value)
        assert Candidate.of(arch).multiplies == trial.multiplies <= 60_000
