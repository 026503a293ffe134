"""`convbudget compare` from the command line, over searches of a small space by formula."""

import json
from pathlib import Path

import pytest
from chains import Product

from search.__main__ import main
from search.api import run
from search.jobs import Job


def accuracy(job: Job) -> float:
    return sum(int(option) for option in job.options) / 20


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("outputs")
    names = []
    for strategy in ("random", "evolution"):
        for seed in (0, 1):
            path = folder / f"{strategy}-{seed}"
            run(
                space=Product(1000, (1, 2, 3, 4), 4),
                budget="200k",
                evaluator=accuracy,
                strategy=strategy,
                study=path,
                trials=12,
                seed=seed,
            )
            names.append(str(path))
    return names


def test_the_table_names_the_groups_and_the_page_lies_beside(
    studies: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *studies]) == 0
    shown = capsys.readouterr().out
    assert "random     strategy=random" in shown
    assert "evolution  strategy=evolution" in shown
    assert "random → evolution" in shown
    target = Path(studies[0]).parent / "compare.html"
    assert '<script type="application/json" id="content">' in target.read_text()
    # The same again with the page itself among the names, as outputs/* gives it.
    assert main(["compare", str(target), *studies]) == 0


def test_json_is_one_object_and_writes_nothing(
    studies: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "new" / "page.html"
    assert main(["compare", *studies, "--json", "--at", "20k,1k", "--out", str(page)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == "convbudget-compare/1"
    assert found["levels"] == [1000, 20_000]
    assert found["groups"][0]["accuracy_at"][0]["mean"] == pytest.approx(0.2)
    assert found["reference"] == {"low": 1000, "high": 200_000, "chance": 0.0}
    assert page.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere is not the folder"),
        (["STUDY", "--at", "5x"], "at=5x is not a number"),
        (["STUDY", "--out", "page.pdf"], "ends in .html"),
        (["STUDY", "--seed", "-1"], "is not a seed"),
        (["page.html"], "page.html is a page"),
        ([], "required"),
    ],
)
def test_mistakes_are_one_line(
    studies: list[str], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [studies[0] if word == "STUDY" else word for word in words]
    assert main(["compare", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
