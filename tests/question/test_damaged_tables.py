"""Tables that are not what `question` wrote, and places where it cannot write: one line each."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from search.__main__ import main
from search.files import write_all
from search.question.reading import BEST, TRIALS

GOLDEN = Path(__file__).parent / "golden" / TRIALS
Change = Callable[[str], str]


def cell(line: int, column: str, value: str) -> Change:
    """Return a change of one cell; lines count from 1."""

    def change(text: str) -> str:
        lines = text.splitlines()
        cells = lines[line - 1].split(",")
        cells[lines[0].split(",").index(column)] = value
        lines[line - 1] = ",".join(cells)
        return "\n".join(lines) + "\n"

    return change


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line with which a command ends."""
    assert main(["question", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: text.replace("multiplies", "macs", 1), "has no column multiplies in its"),
        (lambda text: text.replace(",", ";"), "has no column arch_id in its first line (arch_id;"),
        (lambda text: text.replace("params", "multiplies", 1), "has two columns 'multiplies'"),
        (lambda text: text.replace(",population,", ",sample,", 1), "design is 'sample'; it must"),
        (lambda text: text.replace(",conv,", ",conf,"), "family is 'conf'; it must be one of conv"),
        (lambda text: text.replace(",ok,", ",ok,x", 1), "loss is 'x"),
        (lambda text: text.splitlines()[0] + "\n", "has no trainings"),
        (lambda _: "", "has no column arch_id"),
        (lambda text: text + text.splitlines()[4] + "\n", "repeats line 5; leave one of them out"),
        (lambda text: text.replace(",ok,", ",ok,1,", 1), "line 2 has 28 cells, the first line 27"),
        (cell(3, "accuracy", "nan"), "is ok and has no accuracy; give it one from 0 to 1"),
        (cell(3, "accuracy", ""), "trial 7 of conv is ok and has no accuracy"),
        (cell(3, "accuracy", "95"), "line 3: accuracy is '95'; it must be from 0 to 1, or empty"),
        (cell(3, "multiplies", "-5"), "multiplies is '-5'; it must be from 1 to 1000000000000000"),
        (cell(3, "multiplies", "9" * 30), "it must be from 1 to 1000000000000000"),
        (cell(3, "multiplies", "12.5"), "multiplies is '12.5'; it must be a whole number"),
        (cell(3, "width", "inf"), "width is 'inf'; it must be 0 or more"),
        (cell(3, "place", "-2"), "place is '-2'; it must be from -1 to 1, or empty"),
        (cell(3, "epochs", "0"), "epochs is '0'; it must be from 1 to"),
        (cell(3, "status", "weird"), "status is 'weird'; it must be one of ok, failed, infeasible"),
        (cell(3, "shape", ""), "shape is ''; it must be a text"),
        (cell(3, "data", "letters"), "on fashion_mnist and on letters, which cannot be compared"),
    ],
)  # fmt: skip
def test_a_damaged_table_is_one_line(
    tmp_path: Path, change: Change, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / TRIALS
    table.write_text(change(GOLDEN.read_text()))
    assert line in refused([str(table), "--out", str(tmp_path / "answer")], capsys)
    assert not (tmp_path / "answer").exists()


@pytest.mark.parametrize("junk", [b"\x00\xff", b'"a\n'])
def test_what_is_no_table_is_one_line(
    tmp_path: Path, junk: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / TRIALS).write_bytes(junk)
    said = refused([str(tmp_path / TRIALS), "--out", str(tmp_path / "answer")], capsys)
    assert "it is no CSV in UTF-8" in said
    said = refused([str(tmp_path / "nowhere.csv")], capsys)
    assert "nowhere.csv cannot be read (No such file or directory)" in said


def test_a_table_that_a_spreadsheet_saved_is_read(tmp_path: Path) -> None:
    saved = GOLDEN.read_text().replace("\n", "\r\n")
    (tmp_path / TRIALS).write_text(saved, encoding="utf-8-sig", newline="")
    assert main(["question", str(tmp_path / TRIALS), "--out", str(tmp_path / "answer")]) == 0
    assert (tmp_path / "answer" / TRIALS).read_text() == GOLDEN.read_text()


def test_an_earlier_answer_is_named_by_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / TRIALS).touch()
    (tmp_path / "question.html").touch()
    said = refused([str(tmp_path), "--out", str(tmp_path / "answer")], capsys)
    assert f"is not a study; name {tmp_path / TRIALS}" in said


def test_nothing_of_an_earlier_answer_stays_beside_a_new_one(tmp_path: Path) -> None:
    """Or its best would be taken for those of the new answer's data."""
    (tmp_path / BEST).write_text("of other data")
    assert main(["question", str(GOLDEN), "--out", str(tmp_path)]) == 0
    assert not (tmp_path / BEST).exists()


def test_an_earlier_answer_stays_whole_where_a_file_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / TRIALS).write_text("earlier")
    (tmp_path / "question.html").mkdir()
    said = refused([str(GOLDEN), "--out", str(tmp_path)], capsys)
    assert re.search(r"question\.html cannot be written \(Is a directory\).*--out", said)
    assert {one.name for one in tmp_path.iterdir()} == {TRIALS, "question.html"}
    assert (tmp_path / TRIALS).read_text() == "earlier"
    with pytest.raises(UnicodeEncodeError):
        write_all(tmp_path, {TRIALS: "new", "other": Unwritable()})
    assert (tmp_path / TRIALS).read_text() == "earlier"


class Unwritable(str):
    """A text whose encoding fails, after another file is written."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Fail."""
        raise UnicodeEncodeError(encoding, "x", 0, 1, errors)


def test_equal_accuracies_are_no_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rounding errors are not to decide a claim."""
    head, *lines = GOLDEN.read_text().splitlines()
    at = head.split(",").index("accuracy")
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[at] = "0.9"
    (tmp_path / TRIALS).write_text("\n".join([head, *map(",".join, rows)]) + "\n")
    assert main(["question", str(tmp_path / TRIALS), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    verdicts = {one["claim"]: one["verdict"] for one in found["claims"] if one["letter"] != "a"}
    assert "holds" not in verdicts.values(), verdicts
