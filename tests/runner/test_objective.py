"""A search by balanced accuracy: what strategies are told, the front, what is refused."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chains import numbers
from PIL import Image

import search
from search.errors import UserError
from search.executors.local import LocalExecutor
from search.jobs import Job, Option, Options, Result
from search.networks.arch import Arch, Head, Input, Stem
from search.networks.cost import multiplies_of
from search.pareto import front
from search.runner.loop import Rules, Runner
from search.spaces.budget_table import tabulate
from search.strategies.history import Problem
from search.strategies.random import Random
from search.study.study import Study, StudyInfo
from search.study.tables import read_front

CHAIN = numbers(4, 4, end=10)


def measured(job: Job) -> Result:
    """Accuracy rises with the cost, balanced accuracy falls."""
    share = sum(int(option) for option in job.options) / 20
    return Result(0.1 + share, details={"balanced_accuracy": 0.9 - share + job.seed % 1000 / 1e5})


def run(study: Any = None, evaluator: Any = measured, **arguments: Any) -> search.Outcome:
    words = {"trials": 12, "strategy": "random", "objective": "balanced_accuracy", **arguments}
    return search.run(space=CHAIN, budget=26, evaluator=evaluator, study=study, **words)


def test_the_front_and_its_area_are_of_the_objective(tmp_path: Path) -> None:
    found = run(tmp_path / "study")
    points = [(t.multiplies, t.result.details["balanced_accuracy"]) for t in found.trials]
    assert [row.trial for row in found.front] == [found.trials[i].number for i in front(points)]
    assert len(found.front) == 1, "the cheapest is the best"
    by_accuracy = run(objective="accuracy")
    assert [t.job for t in by_accuracy.trials] == [t.job for t in found.trials]
    assert len(by_accuracy.front) > 1
    assert found.hypervolume != by_accuracy.hypervolume
    content, rows = read_front(tmp_path / "study")
    assert content["facts"]["objective"] == "balanced_accuracy"
    assert rows == found.front
    (row,) = csv.DictReader((tmp_path / "study" / "front.csv").read_text().splitlines())
    assert float(row["balanced_accuracy"]) == pytest.approx(rows[0].balanced_accuracy, abs=1e-5)
    assert float(row["accuracy"]) == pytest.approx(rows[0].accuracy, abs=1e-5)
    assert "balanced accuracy 0." in (tmp_path / "study" / "run.log").read_text()


def test_a_front_without_its_database_keeps_the_objective(tmp_path: Path) -> None:
    run(tmp_path / "study", confirm=2)
    content, rows = read_front(tmp_path / "study")
    (tmp_path / "study" / "study.db").unlink()
    kept, same = read_front(tmp_path / "study")
    assert kept == content
    assert same == rows
    assert rows[0].balanced_accuracy_std > 0
    assert rows[0].search_balanced_accuracy != rows[0].balanced_accuracy
    path = tmp_path / "study" / "front.json"
    content["facts"]["objective"] = "f1"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="objective"):
        read_front(tmp_path / "study")


def test_by_accuracy_files_are_what_they_were(tmp_path: Path) -> None:
    run(tmp_path / "study", objective="accuracy")
    content = json.loads((tmp_path / "study" / "front.json").read_text())
    assert "objective" not in content["facts"]
    assert "balanced_accuracy_std" not in content["members"][0]


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_confirmation_ranks_by_the_objective(seeds: int) -> None:
    def noisy(job: Job) -> Result:
        result = measured(job)
        value = result.details["balanced_accuracy"] * (0.5 if job.seed else 1)
        return Result(result.accuracy, details={"balanced_accuracy": value})

    found = run(evaluator=noisy, confirm=seeds)
    (row,) = found.front
    assert row.seeds == seeds
    assert row.search_balanced_accuracy == pytest.approx(2 * row.balanced_accuracy, rel=1e-3)
    assert math.isnan(row.balanced_accuracy_std) == (seeds == 1)


class Hearing(Random):
    """Keeps what it is told, and is asked again for all of it after a restart."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.heard: list[float] = []

    def tell(self, job: Job, result: Result) -> None:
        self.heard.append(result.accuracy)
        super().tell(job, result)


def test_strategies_are_told_the_objective_also_when_going_on(tmp_path: Path) -> None:
    table = tabulate(CHAIN)
    info = StudyInfo(10, 26, 0, 26, 625, True, 0.1, 1, {}, "balanced_accuracy")
    heard = []
    for trials in (60, 70):
        strategy = Hearing(Problem(table, 0, 26, 0, 1, 0.1))
        with Study.open(tmp_path / "study", {}, info) as study:
            rules = Rules(0, 26, trials=trials)
            Runner(study, CHAIN, strategy, LocalExecutor(measured), rules).run()
            stored = [trial.result for trial in study.trials()]
        assert strategy.heard == [result.details["balanced_accuracy"] for result in stored]
        heard.append(strategy.heard)
    assert heard[1][:60] == heard[0]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (0.5, "reported no balanced accuracy, and objective=balanced_accuracy"),
        (Result(0.5, details={"balanced_accuracy": 60}), "reported balanced_accuracy=60"),
        (Result(0.5, details={"balanced_accuracy": math.nan}), "balanced_accuracy=nan"),
    ],
)
def test_an_evaluator_without_a_balanced_accuracy_is_refused(
    tmp_path: Path, outcome: Any, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        run(tmp_path / "study", evaluator=lambda _: outcome)
    with Study.read(tmp_path / "study") as study:
        assert study.trials() == [], "nothing of that is recorded"


def test_a_failure_needs_no_balanced_accuracy() -> None:
    def some(job: Job) -> Result:
        if job.options[0] == 0:
            return Result(math.nan, status="failed", error="diverged")
        return measured(job)

    found = run(evaluator=some)
    assert {trial.result.status for trial in found.trials} == {"ok", "failed"}


def test_another_objective_under_the_same_name_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "study")
    with pytest.raises(UserError, match="objective balanced_accuracy -> accuracy"):
        run(tmp_path / "study", objective="accuracy")
    with pytest.raises(UserError, match="objective=f1 is unknown"):
        run(objective="f1")


COUNTS = {"a": 300, "b": 100, "c": 30, "d": 10, "e": 200}


def unbalanced(root: Path) -> None:
    """Images of one brightness each, whose classes overlap: the frequent ones win by their number.

    The rare classes lie between frequent ones.
    """
    generator = np.random.default_rng(0)
    for place, (name, count) in zip((0, 2, 1, 3, 4), COUNTS.items(), strict=True):
        (root / name).mkdir(parents=True)
        for index in range(count):
            level = 60 + 30 * place + generator.normal(0, 14)
            pixels = np.clip(level + generator.normal(0, 8, (8, 8)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")


class Stems:
    """Two networks of a stem and a classifier: the fewest programs to compile."""

    def start(self) -> int:
        return 0

    def options(self, position: int, _state: int) -> Sequence[Option]:
        return (6, 12) if position == 0 else ()

    def step(self, _position: int, _state: int, option: Option) -> tuple[int, int]:
        return int(option), 0

    def finish(self, state: int) -> int:
        return multiplies_of(self.value((state,)))

    def value(self, options: Options) -> Arch:
        return Arch(Input(8, 8, 1), Stem(int(options[0]), stride=2), (), Head(), len(COUNTS))


def test_unequal_classes_are_served_by_the_objective_and_weights(tmp_path: Path) -> None:
    unbalanced(tmp_path / "images")

    def trained(name: str, **arguments: Any) -> search.Outcome:
        return search.run(
            data="folder",
            overrides=[f"data.path={tmp_path / 'images'}", "data.channels=1"],
            space=Stems(),
            budget="60k",
            strategy="random",
            epochs=8,
            study=tmp_path / name,
            progress=False,
            **arguments,
        )

    recipe = {"batch": 32, "learning_rate": 0.04}
    plain = trained("plain", train=recipe)
    weighed = {**recipe, "class_weights": "balanced"}
    fair = trained("fair", objective="balanced_accuracy", train=weighed)
    assert {t.arch_id for t in plain.trials} == {t.arch_id for t in fair.trials}
    assert fair.front[-1].balanced_accuracy > plain.front[-1].balanced_accuracy + 0.05
    best = max(t.result.details["balanced_accuracy"] for t in fair.trials)
    assert fair.front[-1].balanced_accuracy == best
    log = (tmp_path / "fair" / "run.log").read_text()
    assert "class weights in the training loss, 1 on average over its images: a 0." in log
    assert search.load(tmp_path / "fair").arch.id == fair.front[-1].arch_id
