"""The answer that is shipped: what the README says is what its table of trainings says."""

import json
from pathlib import Path
from typing import Any

import pytest

from search.question.answer import Answer, answer
from search.question.claims import ENOUGH, claims
from search.question.leave import as_object
from search.question.reading import read_material
from search.question.summary import summary, verdicts

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "outputs" / "reference" / "question_digits"
FASHION = ROOT / "outputs" / "reference" / "question"


@pytest.fixture(scope="module")
def found() -> Answer:
    return answer(read_material([str(FASHION / "trials.csv")]))


@pytest.fixture(scope="module")
def smaller() -> Answer:
    return answer(read_material([str(DIGITS / "trials.csv")]))


def shown(name: str) -> str:
    """What the README has between the marks of an answer."""
    readme = (ROOT / "README.md").read_text()
    _, begin, rest = readme.partition(f"<!-- {name} -->\n")
    assert begin, f"the README has lost the place of its {name}"
    return rest.partition(f"<!-- /{name} -->")[0].strip()


def test_the_readme_says_what_the_trainings_say(found: Answer) -> None:
    text = summary(found)
    assert (FASHION / "summary.md").read_text() == text
    assert shown("answer") == text.strip()


def test_the_readme_says_what_the_trainings_on_smaller_images_say(smaller: Answer) -> None:
    assert (DIGITS / "summary.md").read_text() == summary(smaller)
    assert shown("verdicts digits") == "\n".join(verdicts(smaller))


def test_a_verdict_stands_beside_the_interval_that_it_rests_on(
    found: Answer, smaller: Answer
) -> None:
    decided = [
        (one.claim, one.low, one.high)
        for each in (found, smaller)
        for one in claims(each)
        if one.verdict in ("holds", "does not hold") and one.low is not None
    ]
    assert len(decided) >= 8
    for claim, low, high in decided:
        assert low > 0 or high is None or high < 0, claim


def test_every_population_is_whole(found: Answer, smaller: Answer) -> None:
    for each, lengths in ((found, {1, 4}), (smaller, {4, 16})):
        kinds = {"conv", "separable", "blueprint", "inverted", "mixed"}
        assert {one.family for one in each.populations} == kinds
        assert each.fewest >= ENOUGH
        assert {one.epochs for one in each.populations} == lengths


def test_the_shipped_tables_are_those_of_the_trainings(found: Answer, smaller: Answer) -> None:
    """But for the last digits, which depend on the processor."""

    def same(one: Any, other: Any) -> bool:
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
        if isinstance(one, list):
            return len(one) == len(other) and all(map(same, one, other))
        if isinstance(one, float):
            return one == pytest.approx(other, rel=1e-6, abs=1e-9)
        return bool(one == other)

    for folder, one in ((FASHION, found), (DIGITS, smaller)):
        assert same(json.loads((folder / "tables.json").read_text()), as_object(one))
