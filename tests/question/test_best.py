"""The best of each kind: how they are told, and their table."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from search.errors import UserError
from search.question.answer import answer
from search.question.best import Found, at_budgets, read_best, searches
from search.question.reading import Material
from search.question.summary import summary
from search.question.table import to_csv

HIGH = 1_000_000


def test_the_best_are_told_with_their_spread_and_of_how_many_searches() -> None:
    rows = [
        Found("conv", "a", HIGH, "0" * 12, 1000, 0.9, 0.01, 3, 200, True, 0.91, 3, 0.02),
        Found("conv", "b", HIGH, "1" * 12, 1000, 0.8, 0.01, 3, 200, True, math.nan, 0),
        Found("separable", "c", HIGH, "2" * 12, 1000, 0.7, math.nan, 3, 200, True, 0.72, 3),
    ]
    found = replace(answer(Material([], [])), best=at_budgets(rows), searches=searches(rows))
    measured, table = summary(found).split("\n\n")[-2:]
    assert "by 1 to 2 runs of the search for each: accuracy on 200 images that no search saw" in (
        " ".join(measured.split())
    )
    assert "| 0.9000 ± 0.0100 at 1k, test 0.9100 ± 0.0200 | 0.7000 at 1k, test 0.7200 |" in table


ROW = Found("conv", "a", HIGH, "0" * 12, 1000, 0.9, 0.01, 3, 200, True, 0.91, 3, 0.02, "digits")


def test_a_table_of_an_earlier_version_is_still_read(tmp_path: Path) -> None:
    lines = [line.rsplit(",", 2)[0] for line in to_csv(Found, [ROW]).splitlines()]
    (tmp_path / "best.csv").write_text("\n".join(lines) + "\n")
    (again,) = read_best(tmp_path / "best.csv", "any")
    assert str(again) == str(replace(ROW, test_accuracy_std=math.nan, data=""))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (replace(ROW, accuracy=7.0), r"line 2: accuracy is '7.0'; it must be from 0 to 1"),
        (replace(ROW, accuracy=math.nan), r"accuracy is ''; it must be from 0 to 1"),
        (replace(ROW, test_accuracy=math.inf), r"test_accuracy is 'inf'; it must be from 0"),
        (replace(ROW, accuracy_std=-1.0), r"accuracy_std is '-1.0'; it must be 0 or more"),
        (replace(ROW, multiplies=-5), r"multiplies is '-5'; it must be from 1 to"),
        (replace(ROW, seeds=0), r"seeds is '0'; it must be from 1 to"),
        (replace(ROW, family="foo"), r"family is 'foo'; it must be one of conv, .*, mixed, zoo"),
        (replace(ROW, data="letters"), r"on letters, the table beside it trainings on digits"),
    ],
)  # fmt: skip
def test_a_table_of_the_best_with_a_wrong_value_is_refused(
    row: Found, said: str, tmp_path: Path
) -> None:
    (tmp_path / "best.csv").write_text(to_csv(Found, [row]))
    with pytest.raises(UserError, match=said):
        read_best(tmp_path / "best.csv", "digits")


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "best.csv").write_text(to_csv(Found, [ROW, ROW]))
    with pytest.raises(UserError, match="line 3 repeats line 2; leave one of them out"):
        read_best(tmp_path / "best.csv", "digits")
