"""Names, labels, values and errors of any kind, through every table, picture and page."""

import base64
import hashlib
import io
import json
import re
import xml.dom.minidom
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from search.compare.figures import Comparison, measure
from search.compare.page import page as compare_page
from search.compare.picture import draw as compare_picture
from search.compare.studies import read
from search.compare.table import show as compare_show
from search.errors import UserError, shown
from search.jobs import Job, Result, failed
from search.report.content.front import front_page
from search.report.html import paragraph, table
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


class Scripts(HTMLParser):
    """The script elements of a page as a browser finds them, each with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("iframe", "object", "embed", "img", "link", "base", "a")
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag == "script":
            self.inside = True
            self.found.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.inside:
            attributes, text = self.found[-1]
            self.found[-1] = attributes, text + data

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "script"


def check_page(html: str, scripts: int) -> None:
    """The page has its own scripts alone, each allowed by its hash, and its content as data."""
    found = Scripts()
    found.feed(html)
    content, *own = found.found
    assert content[0] == {"type": "application/json", "id": "content"}
    assert len(own) == scripts
    for attributes, text in own:
        assert attributes == {}
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in html
    assert "unsafe" not in re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "<" not in content[1]
    assert content[1].isascii()


def content_of(html: str) -> Any:
    found = Scripts()
    found.feed(html)
    return json.loads(found.found[0][1])


def texts(value: Any) -> str:
    """Return every text within a JSON value, one a line."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(f"{key}\n{texts(one)}" for key, one in value.items())
    return "\n".join(map(texts, value)) if isinstance(value, list) else ""


def study_of(text: str, info: StudyInfo, trials: list[Trial]) -> Study:
    """Return a study in memory in which everything that can be typed says `text`."""
    study = Study.open(None, {}, info)
    # What cannot be stored never reaches a page.
    typed = text.encode(errors="replace").decode()
    for one in trials:
        study.add(replace(one, value=json.dumps({"mine": typed}), arch_id=f"{one.number:012d}"))
    last = replace(trials[0], number=9, job=Job((9,), 8), result=failed(typed))
    study.add(replace(last, value=json.dumps({"mine": typed})))
    study.record("contact_sheet", "train", {"classes": [{"name": typed, "png": typed}]})
    study.record("curve", "0", {"epochs": [typed], typed: [1]})
    return study


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
    shown_page = page(front_page(study_of(text, info, trials)))
    check(shown_page)
    check_page(shown_page, scripts=9)
    assert shown(text, 80)[:60] in unescape(shown_page) + texts(content_of(shown_page))


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
    svg = compare_picture(named).decode()
    xml.dom.minidom.parseString(svg)
    assert r"$\nope$" in svg
    html = compare_page(named)
    check(html)
    check_page(html, scripts=4)
    said = texts(content_of(html))
    for text in TEXTS:
        assert shown(text)[:60] in said
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


@pytest.mark.parametrize("make", [paragraph, lambda t: table([("a",), (t,)])])
def test_html_escapes_what_it_is_given(make: Making) -> None:
    assert "<script" not in make("<script>")
    assert "&lt;script&gt;" in make("<script>")
