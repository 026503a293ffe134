"""The pages in a real browser: what they show, that they answer, and that nothing breaks out."""

import csv
import io
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import page_studies
import pytest
import question_studies
from PIL import Image

from search.compare.figures import measure
from search.compare.page import page as compare_page
from search.compare.studies import read
from search.networks.arch import Arch
from search.networks.cost import multiplies_of
from search.question.answer import answer
from search.question.page import page as question_page
from search.question.reading import read_material
from search.report.study import study_page
from search.study.study import Study

pytestmark = pytest.mark.browser
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (375, 768, 1280)
SCHEMES = ("light", "dark")
KINDS = ("front", "compare", "question")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with driver.sync_playwright() as started:
        found = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def front_html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = page_studies.study_folder(tmp_path_factory.mktemp("page") / "study")
    with Study.read(folder) as study:
        (folder / "front.html").write_text(study_page(study))
    return folder / "front.html"


@pytest.fixture(scope="module")
def compare_html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("compare")
    comparison = measure(read(page_studies.group_folders(place)))
    (place / "compare.html").write_text(compare_page(comparison))
    return place / "compare.html"


@pytest.fixture(scope="module")
def question_html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("question")

    def accuracy(arch: Arch, epochs: int, family: str) -> float:
        slope = 0.1 if family == "conv" else 0.05
        return slope * math.log10(multiplies_of(arch)) + 0.01 * epochs + int(arch.id[0], 16) / 1e3

    for at, op in enumerate(question_studies.KINDS[:2]):
        found = question_studies.networks([op], 30, seed=at)
        question_studies.study(place / op, [op], found, accuracy)
    material = read_material([str(place / op) for op in question_studies.KINDS[:2]])
    (place / "question.html").write_text(question_page(answer(material), material.trainings))
    return place / "question.html"


class Opened:
    """A page in a window, with everything that the browser complained of or asked for."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = self.context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_function("document.querySelectorAll('canvas').length > 2")

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert self.messages == []
            # Images in data URIs are part of the page.
            asked = [url for url in self.requests if not url.startswith(("data:", "blob:"))]
            assert len(asked) == 1, asked

    def run(self, script: str) -> Any:
        return self.page.evaluate(script)

    def rows(self) -> int:
        """Number of rows that the table has, as the page says it."""
        return int(self.page.locator("#shown").inner_text().split()[0])

    def drawn(self, condition: str) -> int:
        """Number of points of the main chart's series that meets the condition."""
        count = self.run(
            f"plot.instance.getOption().series.find(({{name, type}}) => {condition}).data.length"
        )
        return int(count)

    def card(self) -> str:
        """Id of the network whose card is open."""
        return str(self.page.locator("#card-title code").inner_text())

    def pixel(self, at: int) -> tuple[float, float]:
        """Where the trial `at` is drawn."""
        self.page.evaluate("plot.host.scrollIntoView({block: 'center'})")
        x, y = self.run(
            f"""(() => {{
              const box = plot.host.getBoundingClientRect();
              const place = [log(trials.multiplies[{at}]), trials.accuracy[{at}]];
              const [x, y] = plot.instance.convertToPixel({{xAxisIndex: 0, yAxisIndex: 0}}, place);
              return [box.x + x, box.y + y];
            }})()"""
        )
        return x, y


def test_nothing_that_was_typed_runs_and_all_of_it_is_shown(browser: Any, front_html: Path) -> None:
    with Opened(browser, front_html) as opened:
        assert opened.run("window.broken") is None
        # Of a study: data, its classes, an error, a landmark, the strategy in the configuration.
        text = opened.page.locator("main").inner_text()
        assert "</script><img src=x" in text
        assert opened.run("document.querySelectorAll('img:not(.sheet img)').length") == 0
        assert opened.run("document.querySelectorAll('.sheet img').length") == 3
        failed = int(opened.run("trials.status.indexOf('failed')"))
        opened.run(f"open({failed})")
        assert "onerror" in opened.page.locator("#card").inner_text()
        assert opened.run("window.broken") is None


def test_every_member_of_the_front_is_drawn_and_can_be_walked_to(
    browser: Any, front_html: Path
) -> None:
    with Study.read(front_html.parent) as study:
        found, confirmed = study.front(study.trials())
    assert confirmed
    assert len(found) > 1
    with Opened(browser, front_html) as opened:
        assert opened.drawn("name === 'front members'") == len(found)
        assert opened.drawn("name === 'known networks'") == 2
        # The intervals of the confirmed means.
        assert opened.drawn("type === 'custom'") == len(found)
        opened.page.locator(".walk").focus()
        for _ in found:
            opened.page.keyboard.press("ArrowLeft")
        seen = [opened.card()]
        for _ in found[1:]:
            opened.page.keyboard.press("ArrowRight")
            seen.append(opened.card())
        assert seen == [row.arch_id for row in found]
        assert "On the front" in opened.page.locator("[role=status]").inner_text()


def test_a_click_opens_the_card_and_pointing_shows_the_figures(
    browser: Any, front_html: Path
) -> None:
    with Opened(browser, front_html) as opened:
        # The most expensive trial of full length that is no member stands apart from others.
        at = int(
            opened.run(
                "everything.filter((at) => full(at) && trials.status[at] === 'ok'"
                " && !memberOf.has(trials.number[at]))"
                ".sort((a, b) => trials.accuracy[a] - trials.accuracy[b])[0]"
            )
        )
        wanted = opened.run(f"networkOf({at}).id")
        opened.page.mouse.move(*opened.pixel(at))
        opened.page.wait_for_selector(".tip", state="visible")
        tip = opened.page.locator(".tip").first.inner_text()
        assert wanted in tip
        assert opened.run(f"networkOf({at}).short") in tip
        assert opened.card() != wanted
        opened.page.mouse.click(*opened.pixel(at))
        assert opened.card() == wanted
        card = opened.page.locator("#card")
        assert card.locator("svg.drawing rect").count() > 2
        assert f"{opened.run(f'trials.multiplies[{at}]'):,}" in card.inner_text()
        member = opened.run("membersHere[membersHere.length - 1].at")
        opened.run(f"open({member})")
        assert "Learning curve" in card.inner_text()
        assert "Thin lines: its 3 trainings with fresh seeds" in card.inner_text()
        lines = opened.run(
            "drawn.find((one) => one.host.ariaLabel === 'Accuracy over 8 epochs')"
            ".instance.getOption().series.map((one) => one.lineStyle.width)"
        )
        assert lines == [2, 1, 1, 1]
        assert "Test split" in card.inner_text()
        assert card.locator(".confusion tbody tr").count() == 3
        median = 0.1 + opened.run(f"trials.multiplies[{member}]") * 64 / 1e5
        assert "jax on cpu, batch 64" in card.inner_text()
        assert (
            f"{float(f'{median:.3g}'):g} ms ({float(f'{0.9 * median:.3g}'):g}" in card.inner_text()
        )


def test_filters_and_a_range_choose_what_is_shown(browser: Any, front_html: Path) -> None:
    with Opened(browser, front_html) as opened:
        page = opened.page
        whole = opened.rows()
        separable = opened.run(
            "everything.filter((at) => passes(at) && networkOf(at).family === 'separable').length"
        )
        assert 0 < separable < whole
        page.locator("input[data-filter=separable]").uncheck()
        assert opened.rows() == whole - separable
        assert opened.drawn("name === 'separable'") == 0
        page.get_by_role("button", name="Reset").click()
        assert opened.rows() == whole
        # Shorter trainings are estimates, and are asked for.
        page.get_by_role("combobox", name="epochs").select_option("all")
        assert opened.rows() == 60
        page.get_by_role("button", name="Reset").click()
        page.get_by_label("most blocks").fill("1")
        page.get_by_label("most blocks").press("Enter")
        assert 0 < opened.rows() < whole
        page.get_by_role("button", name="Reset").click()
        page.get_by_role("button", name="Select a range").click()
        opened.pixel(0)
        box = page.locator(".chart").first.bounding_box()
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"], steps=5)
        page.mouse.up()
        page.wait_for_function("state.range !== null")
        inside = opened.run("everything.filter((at) => passes(at) && inRange(at)).length")
        assert opened.rows() == inside
        assert opened.rows() < whole


def test_a_mark_far_below_the_others_does_not_press_them_flat(browser: Any, tmp_path: Path) -> None:
    with Study.open(None, {}, page_studies.info()) as study:
        for trial in page_studies.trials(30):
            study.add(trial)
        study.add_landmark(replace(page_studies.landmark("far below", 30_000), accuracy=0.1))
        found = [one.result.accuracy for one in study.trials() if one.completed(8)]
        (tmp_path / "front.html").write_text(study_page(study))
    with Opened(browser, tmp_path / "front.html") as opened:
        # They fill a third of the height, less the margin.
        assert max(found) - min(found) > 0.3 * (max(found) - opened.run("frameBottom"))
        assert (
            opened.page.locator("#shown")
            .inner_text()
            .endswith("; one mark lies below the frame, at its edge")
        )
        at_edge = (
            "plot.instance.getOption().series.find((one) => one.name === 'known networks').data[0]"
        )
        assert opened.run(f"{at_edge}.value[1]") > opened.run("frameBottom")
        assert opened.run("fence([0.9, 0.91, 0.92])") == -math.inf
        assert opened.run("fence([0.1, 0.9, 0.92, 0.94, 0.96])") == pytest.approx(0.9 - 2 * 0.06)


def test_other_axes_can_be_chosen(browser: Any, front_html: Path) -> None:
    with Opened(browser, front_html) as opened:
        for text, name in (
            ("parameters", "params"),
            ("memory", "memory"),
            ("batch 64", "latency1"),
        ):
            labels = (
                opened.page.get_by_role("combobox", name="across")
                .locator("option")
                .all_inner_texts()
            )
            chosen = next(label for label in labels if text in label)
            opened.page.get_by_role("combobox", name="across").select_option(chosen)
            assert opened.run("state.x.key") == name
            assert text in opened.run("plot.instance.getOption().xAxis[0].name")
        opened.page.get_by_role("combobox", name="up").select_option("balanced accuracy")
        assert opened.run("state.y") == "balanced_accuracy"


def test_the_page_says_what_was_measured_where(browser: Any, tmp_path: Path) -> None:
    about = page_studies.balanced_elsewhere()
    folder = page_studies.study_folder(tmp_path / "study", 30, about)
    with Study.read(folder) as study:
        (folder / "front.html").write_text(study_page(study))
    with Opened(browser, folder / "front.html") as opened:
        assert opened.run("plot.instance.getOption().title[0].text") == "balanced accuracy"
        caption = opened.page.locator("figcaption").first.inner_text()
        assert "95 % intervals of the mean balanced accuracy" in caption
        assert "rings on 1,234 images that the search did not use" in caption
        assert "balanced accuracy in search" in opened.page.locator("#card").inner_text()
        # Landmarks stand at the height of what is drawn.
        height = "plot.instance.getOption().series.find((one) => one.name === 'known networks')"
        assert opened.run(f"{height}.data[0].value[1]") == 0.8
        opened.page.get_by_role("combobox", name="up").select_option("accuracy")
        assert opened.run(f"{height}.data[0].value[1]") == 0.85


def test_latency_is_drawn_over_multiplies(browser: Any, front_html: Path) -> None:
    with Opened(browser, front_html) as opened, Study.read(front_html.parent) as study:
        found, _ = study.front(study.trials())
        section = opened.page.get_by_role("region", name="Latency beside multiplies")
        section.scroll_into_view_if_needed()
        assert section.inner_text().count("Spearman's rank correlation 1.00") == 2
        assert "2 threads" in section.inner_text()
        series = opened.run(
            "drawn.map((one) => one.instance && one.instance.getOption().series)"
            ".find((all) => all && all.some((one) => one.name === 'jax on cpu, batch 64'))"
        )
        points = [one["data"] for one in series if one["type"] == "scatter"]
        assert [len(data) for data in points] == [len(found)] * 2
        assert {one["id"] for one in points[1]} == {row.arch_id for row in found}


def test_lines_are_copied_and_the_table_is_sorted_and_saved(browser: Any, front_html: Path) -> None:
    with Opened(browser, front_html) as opened:
        page = opened.page
        page.get_by_role("button", name="Copy: load").click()
        copied = opened.run("navigator.clipboard.readText()")
        assert copied == f'model = search.load({str(front_html.parent)!r}, id="{opened.card()}")'
        page.get_by_role("button", name="Copy: retrain").click()
        line = f"convbudget retrain {front_html.parent} --id {opened.card()}"
        assert opened.run("navigator.clipboard.readText()") == line
        head = page.get_by_role("columnheader", name="multiplies").first
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        with page.expect_download() as saving:
            page.get_by_role("button", name="Download as CSV").click()
        rows = list(csv.DictReader(io.StringIO(Path(saving.value.path()).read_text())))
        assert len(rows) == opened.rows()
        costs = [int(row["multiplies"]) for row in rows]
        assert costs == sorted(costs)
        assert sum(row["front"] == "1" for row in rows) == len(opened.run("content.front"))
        assert any("onerror" in row["error"] for row in rows)


@pytest.fixture(scope="module")
def pages(front_html: Path, compare_html: Path, question_html: Path) -> dict[str, Path]:
    return {"front": front_html, "compare": compare_html, "question": question_html}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_pages_can_be_read_by_everyone(
    browser: Any, pages: dict[str, Path], scheme: str, kind: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    with Opened(browser, pages[kind], scheme=scheme) as opened:
        for details in opened.page.locator("details").all():
            details.evaluate("(element) => { element.open = true; }")
        found = axe.Axe().run(opened.page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not serious, json.dumps(serious, indent=1)[:3000]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_pages_fit_every_window(
    browser: Any, pages: dict[str, Path], scheme: str, width: int, kind: str
) -> None:
    with Opened(browser, pages[kind], width, scheme) as opened:
        opened.page.wait_for_timeout(200)
        assert opened.run("document.documentElement.scrollWidth") <= width
        pixels = np.asarray(Image.open(io.BytesIO(opened.page.screenshot())).convert("L"))
        background = int(np.bincount(pixels.ravel()).argmax())
        assert background > 200 if scheme == "light" else background < 60
        for chart in opened.page.locator(".chart").all():
            drawn = np.asarray(Image.open(io.BytesIO(chart.screenshot())).convert("RGB"))
            colours = np.unique(drawn.reshape(-1, 3), axis=0)
            assert len(colours) > 20, "a chart is blank"
            # Something is drawn in each quarter of the chart's height.
            for quarter in np.array_split(drawn, 4):
                assert quarter.std() > 1


def test_a_comparison_names_its_groups_in_the_order_of_their_budgets(
    browser: Any, compare_html: Path
) -> None:
    with Opened(browser, compare_html) as opened:
        names = opened.page.locator(".legend b").all_inner_texts()
        assert names == ["9k", "60k"]
        assert "budget: 9k against 60k" in opened.page.locator("h1").inner_text()
        assert opened.page.locator("table").count() >= 4
        assert "convbudget run" in opened.page.locator(".notes code").all_inner_texts()
        assert "`" not in opened.page.locator("main").inner_text()
        assert opened.run("h('p', {}, ...prose('a `b` c ` d')).innerHTML") == (
            "a <code>b</code> c ` d"
        )
        box = opened.page.locator(".chart").first.bounding_box()
        opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        opened.page.wait_for_selector(".tip", state="visible")
        assert "60k" in opened.page.locator(".tip").first.inner_text()


def test_a_study_without_a_trial_has_a_page(browser: Any, tmp_path: Path) -> None:
    with Study.open(None, {}, page_studies.info()) as study:
        (tmp_path / "front.html").write_text(study_page(study))
    context = browser.new_context()
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto((tmp_path / "front.html").as_uri())
    assert "No trial has ended yet" in page.locator("main").inner_text()
    assert messages == []
    context.close()
