"""Names, labels, values and errors of any kind, through every table, picture and page."""

import io
import json
import xml.dom.minidom
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from rich.console import Console

from search.compare.figures import Comparison, measure
from search.compare.page import page as compare_page
from search.compare.picture import draw as compare_picture
from search.compare.studies import read
from search.compare.table import show as compare_show
from search.errors import UserError, shown
from search.jobs import Job, Result, failed
from search.report.html import document, table
from search.report.loading import Loading
from search.report.page import page
from search.report.picture import draw, plot
from search.report.progress import ProgressEstimate, Watch, describe
from search.report.table import show
from search.study.study import Study, StudyInfo
from search.study.tables import front_content
from search.study.trials import Trial, front_entries

TEXTS = [
    r"$\nope$",
    "$",
    "[/b]",
    "[bold]x[/bold] [link=http://x]y",
    "<script>alert(1)</script>&amp;",
    "\x1b[31mred\x00\x07",
    "two\nlines\ttab",
    "caf\u00e9 \u6f22\u5b57 \U0001f600",
    "not UTF-8: \udc80",
    "_leading",
    "long " * 20_000,
]
SCREEN = 24 * 80


@pytest.fixture(params=TEXTS, ids=[f"{index}" for index in range(len(TEXTS))])
def text(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=100, force_terminal=terminal)


def written(screen: Console) -> str:
    value = screen.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(value, str)
    return value


def check(text: str) -> None:
    """Nothing acts on the terminal, and nothing needs more than a screen for one line."""
    assert "\x1b" not in text
    assert "\x00" not in text
    text.encode()


def rows(text: str) -> list[Trial]:
    value = json.dumps({"mine": text})
    return [
        Trial(n, Job((n,), 8), value, f"{n:012d}", 1000 + n, None, n, Result(0.5 + n / 10))
        for n in range(3)
    ]


def test_the_front_is_printed_drawn_and_laid_out(text: str) -> None:
    info = StudyInfo(100, 10_000, 0, 5_000, 40, True, 0.1, 8, {"name": text, "classes": [text]})
    trials = rows(text)
    found = front_entries(trials, 8)
    content = front_content(text, info, 3, found)
    screen = console()
    show(screen, content, found)
    check(written(screen))
    assert len(written(screen)) < 2 * SCREEN
    drawn = plot(trials, found, 8)
    picture = draw(content, replace(drawn, labels=[shown(text, 40) for _ in found]))
    assert picture.startswith(b"\x89PNG")
    html = page(content, found, picture)
    check(html)
    assert "<script" not in html
    assert shown(text, 80)[:60] in unescape(html)


def test_progress_shows_any_error(text: str, tmp_path: Path) -> None:
    trial = replace(rows("")[0], result=failed(text))
    line = describe(trial, 1, 2, ProgressEstimate(2, None))
    check(line)
    assert len(line) < SCREEN
    for terminal in (True, False):
        screen = console(terminal=terminal)
        with Watch(screen, 2, None, tmp_path / "run.log") as watch:
            watch(trial, True)
        assert "\x00" not in written(screen)


def test_loading_shows_any_name(text: str) -> None:
    name = shown(text)
    for terminal in (True, False):
        with Loading(console(terminal=terminal)) as told:
            told.say(name)
            told.progress(f"decoding {name}", 1, 0)
            told.progress(f"decoding {name}", 2, 2)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    info = StudyInfo(100, 10_000, 0, 5_000, 40, True, 0.1, 8, {})
    paths = []
    for seed in (0, 1):
        for strategy in ("random", "other"):
            path = tmp_path_factory.mktemp("studies") / "study"
            with Study.open(path, {"strategy": strategy, "seed": seed}, info) as study:
                for trial in rows("value"):
                    study.add(trial)
            paths.append(path)
    return measure(read(paths))


def renamed(comparison: Comparison, labels: list[str]) -> Comparison:
    """Return as many groups as labels, with studies of these names, and two of them as a pair."""
    groups = [replace(comparison.groups[0], label=name, studies=[name]) for name in labels]
    pair = replace(comparison.pairs[0], first=labels[0], second=labels[-1])
    return replace(comparison, groups=groups, pairs=[pair], notes=[*comparison.notes, labels[0]])


def test_a_comparison_is_printed(text: str, comparison: Comparison) -> None:
    screen = console()
    compare_show(screen, renamed(comparison, [text, f"x{text}"]))
    check(written(screen))
    assert len(written(screen)) < 3 * SCREEN


def test_a_comparison_is_drawn_and_laid_out(comparison: Comparison) -> None:
    named = renamed(comparison, TEXTS)
    svg = compare_picture(named)
    xml.dom.minidom.parseString(svg)
    assert r"$\nope$" in svg
    html = compare_page(named)
    check(html)
    assert "<script" not in html
    for text in TEXTS:
        assert shown(text)[:60] in unescape(html)
    for text in TEXTS[:3]:
        compare_picture(renamed(comparison, [text]))


def test_a_refusal_is_short(tmp_path: Path, text: str) -> None:
    # A study cannot hold what is not UTF-8.
    text = text.encode(errors="replace").decode()
    info = StudyInfo(100, 10_000, 0, 5_000, 40, True, 0.1, 8, {})
    for name, data in (("a", "x"), ("b", text)):
        with Study.open(tmp_path / name, {"data": {"name": data}, "seed": 0}, info) as study:
            study.add(rows("")[0])
    with pytest.raises(UserError) as error:
        read([tmp_path / "a", tmp_path / "b"])
    check(str(error.value))
    assert "data.name is x and" in str(error.value)
    assert len(str(error.value)) < 300


Making = Callable[[str], str]


@pytest.mark.parametrize("make", [lambda t: document(t, []), lambda t: table([("a",), (t,)])])
def test_html_escapes_what_it_is_given(make: Making) -> None:
    assert "<script" not in make("<script>")
    assert "&lt;script&gt;" in make("<script>")
