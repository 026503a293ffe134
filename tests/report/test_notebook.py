"""What a notebook is given: members, plain rows, a page in a frame, a table of a study."""

import csv
import html
import json
import re
from dataclasses import replace
from pathlib import Path

import page_studies
import pytest

import search
from search.jobs import Job, Result
from search.report.notebook import Front
from search.study.study import Study, StudyInfo, locate
from search.study.tables import FRONT_COLUMNS, export, study_content
from search.study.trials import Trial

INFO = StudyInfo(100, 10_000, 0, 5_000, 40, True, 0.1, 8, {})
TEXT = '</iframe><script>alert(1)</script>"'


def trial(number: int, accuracy: float) -> Trial:
    job = Job((number,), 8)
    text, name = json.dumps(TEXT), f"{number:012x}"
    return Trial(number, job, text, name, 1000 + number, 7, number, Result(accuracy, 0.7, 2.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Study.open(tmp_path / "seen", {"seed": 0}, INFO) as study:
        study.add(trial(0, 0.5))
        study.add(trial(1, 0.75))
        content, _ = study_content(study, study.trials())
        study.write("front.json", json.dumps(content))
    return tmp_path / "seen"


def test_a_front_is_its_members_and_rows_of_plain_values(folder: Path) -> None:
    found = search.front(folder)
    assert [row.accuracy for row in found] == [0.5, 0.75]
    assert list(found.rows[0]) == [*FRONT_COLUMNS, "options"]
    assert found.rows[1]["multiplies"] == 1001
    assert found.rows[1]["options"] == [1]


def test_rows_have_the_columns_of_the_csv(tmp_path: Path) -> None:
    info = replace(INFO, objective="balanced_accuracy")
    with Study.open(tmp_path / "seen", {"seed": 0}, info) as study:
        result = Result(0.75, 0.7, 2.0, details={"balanced_accuracy": 0.5})
        study.add(replace(trial(0, 0.75), result=result))
        record = page_studies.final(f"{0:012x}")
        study.record("final", record["folder"], record)
        export(study, study.trials())
    found = search.front(tmp_path / "seen")
    with (tmp_path / "seen" / "front.csv").open() as file:
        (written,) = csv.DictReader(file)
    assert [*found.rows[0]] == [*written, "options"]
    assert found.rows[0]["test_accuracy"] == float(written["test_accuracy"]) == 0.91
    assert found.rows[0]["search_balanced_accuracy"] == 0.5


def test_a_shipped_front_shows_the_page_that_lies_beside_it() -> None:
    found = search.front("digits")
    assert found.html == (locate("digits") / "front.html").read_text()


def test_the_page_is_shown_in_a_frame_that_it_cannot_leave(folder: Path) -> None:
    found = search.front(folder)
    shown = found._repr_html_()
    assert shown == found.figure._repr_html_()
    assert "allow-same-origin" not in shown
    match = re.fullmatch(r'<iframe [^>]*srcdoc="([^"]*)"></iframe>', shown)
    assert match is not None
    assert html.unescape(match[1]) == found.html
    assert "<script>alert" not in shown


def test_where_only_tables_were_kept_there_is_a_table(folder: Path) -> None:
    whole = search.front(folder)
    (folder / "study.db").unlink()
    found = search.front(folder)
    assert isinstance(found, Front)
    assert found == whole
    assert found.html == ""
    assert "<table>" in found._repr_html_()
    assert "<script>alert" not in found._repr_html_()


def test_a_study_shows_its_front(folder: Path) -> None:
    with Study.read(folder) as study:
        shown = study._repr_html_()
    assert "2 of 2 trials" in shown
    assert "<script>alert" not in shown
    with Study.open(None, {"seed": 0}, INFO) as study:
        assert "0 of 0 trials" in study._repr_html_()
