"""Progress, table, picture and page: the data of the figure first, then that it can be drawn."""

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from search.jobs import Job, Result, failed
from search.networks.arch import Arch, Block, Head, Input, Stem, to_json
from search.networks.decisions import short_form
from search.report.content.front import front_page
from search.report.notes import classes_unequal, selection_note
from search.report.page import page
from search.report.picture import draw, plot, short_mix
from search.report.progress import ProgressEstimate, Watch, describe, spell
from search.report.table import explanation, front_rows, show
from search.study.study import Study, StudyInfo
from search.study.tables import front_content
from search.study.trials import Trial, front_entries

FACTS = StudyInfo(100, 10_000, 0, 5_000, 40, True, 0.1, 8, {"name": "digits"})
ARCH = Arch(
    Input(8, 8, 1), Stem(4), (Block("conv", 8), Block("separable", 8), Block("conv", 8)), Head(), 10
)


def trial(number: int, multiplies: int, result: Result, epochs: int = 8) -> Trial:
    job = Job((number,), epochs)
    return Trial(number, job, to_json(ARCH), f"{number:012d}", multiplies, 9, number, result)


TRIALS = [
    trial(0, 1000, Result(0.5, seconds=2.0)),
    trial(1, 2000, Result(0.4, seconds=2.0)),
    trial(2, 3000, Result(0.8, seconds=2.0)),
    trial(3, 3000, failed("loss is NaN", 2.0)),
    trial(4, 900, Result(0.9, seconds=1.0), epochs=2),
]
FRONT = front_entries(TRIALS, 8)
CONTENT = front_content("study", FACTS, len(TRIALS), FRONT)


def test_the_plot_holds_full_successes_and_the_front() -> None:
    drawn = plot(TRIALS, FRONT, 8)
    assert drawn.trials == [(1000, 0.5), (2000, 0.4), (3000, 0.8)]
    assert drawn.front == [(1000, 0.5), (3000, 0.8)]
    assert drawn.labels == ["2c 1s", "2c 1s"]


def test_blocks_are_written_in_initials() -> None:
    assert short_mix(to_json(ARCH)) == "2c 1s"
    assert short_mix("[1, 2]") == ""


@pytest.mark.parametrize("count", [0, 1, len(TRIALS)])
def test_any_study_can_be_drawn(count: int) -> None:
    found = front_entries(TRIALS[:count], 8)
    content = front_content("study", FACTS, count, found)
    picture = draw(content, plot(TRIALS[:count], found, 8))
    assert picture.startswith(b"\x89PNG")
    assert picture == draw(content, plot(TRIALS[:count], found, 8))
    with Study.open(None, {}, FACTS) as study:
        for one in TRIALS[:count]:
            study.add(one)
        shown = front_page(study)
        assert [member.trial for member in shown.front] == [row.trial for row in found]
        page(shown)


def test_known_networks_are_drawn_with_their_names() -> None:
    known = {"name": "mobile$net$_v9", "multiplies": 2_500, "accuracy": 0.7}
    unknown = known | {"name": "no figure", "balanced_accuracy": None}
    content = CONTENT | {"landmarks": [known | {"balanced_accuracy": 0.6}, unknown]}
    drawn = plot(TRIALS, FRONT, 8)
    picture = draw(content, drawn, "svg").decode()
    assert "mobile$net$_v9" in picture
    assert "no figure" in picture
    assert "known networks<" in picture
    balanced = replace(FACTS, objective="balanced_accuracy").as_json()
    picture = draw(content | {"facts": balanced, "unseen": 9}, drawn, "svg").decode()
    assert "known networks, on the validation part<" in picture
    assert "no figure" not in picture


def test_the_table_shows_each_member() -> None:
    text = io.StringIO()
    show(Console(file=text, width=100), CONTENT, FRONT)
    printed = text.getvalue()
    assert "2 of 5 trials on digits, budget 5k multiplies" in printed
    for row in FRONT:
        assert row.arch_id in printed
    # Words of one cell, over several lines.
    assert set(short_form(FRONT[0].value).split()) <= set(printed.split())
    assert "on average too high" in " ".join(printed.split())
    json.dumps(CONTENT)


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("width", [80, 200])
def test_the_table_fits_the_terminal(width: int, colour: bool) -> None:
    text = io.StringIO()
    show(Console(file=text, width=width, force_terminal=colour), CONTENT, FRONT)
    printed = text.getvalue()
    assert ("\x1b[" in printed) == colour
    plain = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    assert max(map(len, plain.splitlines())) <= width
    for row in FRONT:
        assert row.arch_id in plain


def test_balanced_accuracy_has_a_column_where_classes_are_unequal() -> None:
    balanced = [
        replace(one, result=replace(one.result, details={"balanced_accuracy": 0.3}))
        for one in TRIALS
    ]
    found = front_entries(balanced, 8)
    assert front_rows(CONTENT, found)[0] == (
        *("arch", "multiplies", "params", "accuracy", "balanced", "decisions"),
    )
    assert front_rows(CONTENT, found)[1][3:5] == ("0.5000", "0.3000")
    assert "balanced" not in front_rows(CONTENT, FRONT)[0]
    counted = {**CONTENT, "facts": {**CONTENT["facts"], "data": {"class_counts": [5, 4]}}}
    assert "balanced" not in front_rows(counted, found)[0]


def test_a_front_by_balanced_accuracy_says_so_and_shows_both() -> None:
    balanced = [
        replace(one, result=replace(one.result, details={"balanced_accuracy": 0.4}))
        for one in TRIALS
    ]
    info = replace(FACTS, objective="balanced_accuracy")
    found = front_entries(balanced, 8, "balanced_accuracy")
    assert len(found) == 1
    content = front_content("study", info, len(TRIALS), found)
    assert content["facts"]["objective"] == "balanced_accuracy"
    equal = {**content, "facts": {**content["facts"], "data": {"class_counts": [5, 5]}}}
    assert front_rows(equal, found)[0][3:5] == ("accuracy", "balanced")
    assert front_rows(equal, found)[1][4] == "0.4000"
    assert any("Ranked by balanced accuracy" in line for line in explanation(content, found))
    assert not any("Ranked by" in line for line in explanation(CONTENT, FRONT))
    drawn = plot(balanced, found, 8, "balanced_accuracy")
    assert {y for _, y in [*drawn.trials, *drawn.front]} == {0.4}


def test_classes_are_unequal_by_their_sizes_where_known() -> None:
    assert classes_unequal({"class_counts": [600, 200]}, [])
    assert not classes_unequal({"class_counts": [29, 28]}, [(0.9, 0.5)])
    assert classes_unequal({}, [(0.9, 0.9), (0.48, 0.21)])
    # A stratified part of 287 images has classes of 28 and 29.
    assert not classes_unequal({}, [(0.9617, 0.9618), (0.5, math.nan)])


def test_what_is_left_of_the_selection_bias_is_said() -> None:
    assert "too high" in selection_note(confirmed=False)
    assert "`convbudget run` with confirm.seeds=3 trains" in selection_note(confirmed=False)
    assert "a part of the selection bias is left" in selection_note(confirmed=True)
    assert "144 images that the search never saw" in selection_note(confirmed=True, unseen=144)
    confirmed = {**CONTENT, "confirmed": True}
    assert "in search" in front_rows(confirmed, FRONT)[0]
    told = explanation(confirmed, FRONT)[0]
    assert told.startswith(selection_note(confirmed=True))
    assert "standard deviation" in told


def test_plain_lines_where_no_terminal_is(tmp_path: Path) -> None:
    text, log = io.StringIO(), tmp_path / "run.log"
    with Watch(Console(file=text, width=60), 5, None, log) as watch:
        watch.tell("device: cpu")
        watch(TRIALS[0], False)
        for one in TRIALS[1:]:
            watch(one, True)
    lines = text.getvalue().splitlines()
    assert lines[0] == "device: cpu"
    # Trials that were there are not told again; at most one a second, and the last in any case.
    assert [line.split()[0] for line in lines[1:]] == ["2/5", "5/5"]
    assert "\x1b" not in text.getvalue()
    logged = log.read_text().splitlines()
    assert len(logged) == 5
    assert "failed: loss is NaN" in logged[3]


def test_a_bar_on_a_terminal() -> None:
    text = io.StringIO()
    with Watch(Console(file=text, width=100, force_terminal=True), 5, None, None) as watch:
        for one in TRIALS:
            watch(one, True)
    assert "5/5" in text.getvalue()
    assert "best 0.9000, 1 failed" in text.getvalue()


def test_the_estimate_counts_what_ran_now() -> None:
    estimate = ProgressEstimate(trials=5, hours=None)
    assert estimate.seconds_left() is None
    estimate.count(TRIALS[0], new=False)
    assert estimate.seconds_left() is None
    estimate.count(TRIALS[1], new=True)
    assert estimate.seconds_left() == pytest.approx(3 * 2.0)
    limited = ProgressEstimate(trials=None, hours=0.001)
    limited.count(TRIALS[0], new=True)
    assert limited.seconds_left() == pytest.approx(1.6)
    assert math.isnan(ProgressEstimate(None, None).best)


def test_several_workers_are_done_sooner() -> None:
    estimate = ProgressEstimate(trials=10, hours=None)
    estimate.workers = lambda: 4
    estimate.count(TRIALS[0], new=True)
    assert estimate.seconds_left() == pytest.approx(9 * 2.0 / 4)
    for one in [TRIALS[0]] * 8:
        estimate.count(one, new=True)
    # One trial is left, for one worker.
    assert estimate.seconds_left() == pytest.approx(2.0)
    limited = ProgressEstimate(trials=None, hours=0.001)
    limited.workers = lambda: 4
    limited.count(TRIALS[0], new=True)
    assert limited.seconds_left() == pytest.approx(0.4)


def test_an_infeasible_candidate_is_not_a_failure() -> None:
    estimate = ProgressEstimate(5, None)
    infeasible = Result(math.nan, status="infeasible", error="too slow")
    estimate.count(trial(0, 100, infeasible), new=True)
    assert estimate.failed == 0
    assert math.isnan(estimate.best)
    assert "infeasible: too slow" in describe(trial(0, 100, infeasible), 1, 5, estimate)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.4, "59s"), (80, "1m20s"), (11_100, "3h05m")]
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert spell(seconds) == text


def test_lines_of_halving_show_epochs_and_rung() -> None:
    estimate = ProgressEstimate(8, None)
    line = describe(trial(0, 1000, Result(0.5, seconds=2.0), epochs=3), 1, 8, estimate, (1, 3, 9))
    assert "1k multiplies  3 epochs (rung 2 of 3)  accuracy 0.5000" in line
    plain = describe(TRIALS[0], 1, 8, estimate)
    assert "1k multiplies  accuracy 0.5000" in plain
    # A study may go on with other rungs than those it began with.
    assert "  2 epochs  accuracy" in describe(TRIALS[4], 1, 8, estimate, (1, 3, 9))
