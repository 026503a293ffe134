"""The answer that is shipped: what the README says is what its table of trainings says."""

import json
from pathlib import Path
from typing import Any

import pytest

from search.question.answer import Answer, answer
from search.question.claims import ENOUGH, claims
from search.question.leave import as_object
from search.question.reading import read_material
from search.question.summary import summary

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "outputs" / "reference" / "question"
FASHION = ROOT / "outputs" / "reference" / "question_fashion_mnist"


@pytest.fixture(scope="module")
def found() -> Answer:
    return answer(read_material([str(SHIPPED / "trials.csv")]))


@pytest.fixture(scope="module")
def larger() -> Answer:
    return answer(read_material([str(FASHION / "trials.csv")]))


def shown(name: str) -> str:
    """What the README has between the marks of an answer."""
    readme = (ROOT / "README.md").read_text()
    _, begin, rest = readme.partition(f"<!-- {name} -->\n")
    assert begin, f"the README has lost the place of its {name}"
    return rest.partition(f"<!-- /{name} -->")[0].strip()


def test_the_readme_says_what_the_trainings_say(found: Answer) -> None:
    text = summary(found)
    assert (SHIPPED / "summary.md").read_text() == text
    assert shown("answer") == text.strip()


def test_the_readme_says_what_the_trainings_on_larger_images_say(larger: Answer) -> None:
    text = summary(larger)
    assert (FASHION / "summary.md").read_text() == text
    assert shown("answer fashion_mnist") == text.strip()


def test_a_verdict_stands_beside_the_interval_that_it_rests_on(
    found: Answer, larger: Answer
) -> None:
    decided = [
        (one.claim, one.low, one.high)
        for each in (found, larger)
        for one in claims(each)
        if one.verdict in ("holds", "does not hold") and one.low is not None
    ]
    assert len(decided) >= 8
    for claim, low, high in decided:
        assert low > 0 or high is None or high < 0, claim


def test_every_population_is_whole(found: Answer) -> None:
    assert {one.family for one in found.populations} >= {
        "conv",
        "separable",
        "blueprint",
        "inverted",
        "mixed",
    }
    assert found.fewest >= ENOUGH
    assert {one.epochs for one in found.populations} == {4, 16}


def test_the_shipped_tables_are_those_of_the_trainings(found: Answer, larger: Answer) -> None:
    """But for the last digits, which depend on the processor."""

    def same(one: Any, other: Any) -> bool:
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
        if isinstance(one, list):
            return len(one) == len(other) and all(map(same, one, other))
        if isinstance(one, float):
            return one == pytest.approx(other, rel=1e-6, abs=1e-9)
        return bool(one == other)

    for folder, one in ((SHIPPED, found), (FASHION, larger)):
        assert same(json.loads((folder / "tables.json").read_text()), as_object(one))
