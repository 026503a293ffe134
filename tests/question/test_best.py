"""The best of each kind: how they are told, and their table."""

import math
from dataclasses import replace
from pathlib import Path

from search.question.answer import answer
from search.question.best import Found, at_budgets, searches
from search.question.reading import Material
from search.question.summary import summary
from search.question.table import from_csv, to_csv

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


def test_a_table_of_the_best_without_the_test_spread_is_still_read(tmp_path: Path) -> None:
    row = Found("conv", "a", HIGH, "0" * 12, 1000, 0.9, 0.01, 3, 200, True, 0.91, 3, 0.02)
    *cells, last = to_csv(Found, [row]).splitlines()
    (tmp_path / "best.csv").write_text(
        "".join(f"{line.rpartition(',')[0]}\n" for line in [*cells, last])
    )
    (again,) = from_csv(Found, tmp_path / "best.csv")
    assert str(again) == str(replace(row, test_accuracy_std=math.nan))
