"""`search.run`: one's own space and evaluator, in memory and on disk, killed and gone on with."""

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from chains import numbers

import search
from search.config.strategy import StrategyConfig
from search.errors import UserError
from search.executors.protocol import Executor
from search.jobs import Exhausted, Job, Result
from search.runner import evaluation
from search.spaces.budget_table import tabulate
from search.study.study import Study

ROOT = Path(__file__).parents[2]


# Four choices of 0 to 4; the price is ten and their sum.
CHAIN = numbers(4, 4, end=10)
CPU = {"platform": "cpu", "device_kind": "cpu", "precision": "float32", "cores": "2"}


def looked_up(job: Job) -> float:
    numbers = [int(option) for option in job.options]
    return (sum(numbers) + math.sin(7 * numbers[0] + numbers[3])) / 20 + 0.05


def slow(job: Job) -> float:
    time.sleep(0.02)
    return looked_up(job)


def test_a_table_is_searched_in_memory() -> None:
    found = search.run(space=CHAIN, budget=20, evaluator=looked_up, trials=30, strategy="random")
    assert found.reason == "trials"
    assert len(found.trials) == 30
    assert found.folder is None
    assert all(10 <= trial.multiplies <= 20 for trial in found.trials)
    assert 0 < found.hypervolume <= 1
    costs = [row.multiplies for row in found.front]
    assert costs == sorted(costs)


def test_what_is_noted_while_it_searches_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere:
        """Says of all results but the first that a worker on a GPU gave them."""

        def __init__(self, own: Executor) -> None:
            self.own, self.workers = own, own.workers

        def submit(self, number: int, job: Job) -> None:
            self.own.submit(number, job)

        def next(self) -> tuple[int, Result]:
            number, result = self.own.next()
            computed = {**CPU, "platform": "gpu"} if number else CPU
            return number, replace(result, worker="elsewhere:5", computed=computed)

        def computed(self) -> dict[str, str]:
            return CPU

        def close(self) -> None:
            self.own.close()

    make = evaluation.build
    monkeypatch.setattr(evaluation, "build", lambda *words: Elsewhere(make(*words)))
    study = tmp_path / "study"
    search.run(space=CHAIN, budget=20, evaluator=looked_up, trials=4, study=study, allow_mixed=True)
    log = (study / "run.log").read_text()
    assert log.count("mixed: this study goes on with platform cpu -> gpu") == 1


def test_the_default_strategy_is_the_commands(tmp_path: Path) -> None:
    search.run(space=CHAIN, budget=20, evaluator=looked_up, trials=1, study=tmp_path / "study")
    with Study.read(tmp_path / "study") as study:
        assert study.settings["strategy"] == asdict(StrategyConfig())


def test_a_strategy_of_ones_own_is_asked_and_told() -> None:
    class Once:
        told = 0

        def ask(self) -> Job:
            if self.told:
                raise Exhausted("one is enough")
            return Job((1, 1, 1, 1))

        def tell(self, job: Job, result: Result) -> None:
            self.told += 1

    found = search.run(space=CHAIN, budget=50, evaluator=looked_up, strategy=Once())
    assert (len(found.trials), found.reason) == (1, "exhausted")


@pytest.mark.parametrize("study", ["mine", "elsewhere/mine"])
def test_a_named_study_lies_under_outputs(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = search.run(space=CHAIN, budget=50, evaluator=looked_up, trials=3, study=study)
    assert found.folder == Path("outputs/mine" if study == "mine" else study)
    assert (tmp_path / found.folder / "front.csv").exists()
    with pytest.raises(UserError, match="budget 50 -> 40"):
        search.run(space=CHAIN, budget=40, evaluator=looked_up, trials=3, study=study)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": 5}, "below the cheapest"),
        ({"budget": "many"}, "is not a number"),
        ({"budget": 40, "budget_low": 50}, "above"),
        ({"strategy": "gradient"}, "gradient"),
        ({"strategy": 7}, "strategy=7 is not one"),
        ({"study": "a b"}, "cannot name a folder"),
        ({"study": 3}, "study=3 is not a name"),
        ({"evaluator": 3}, "evaluator=3 cannot be called"),
        ({"evaluator": None}, "only an Arch can be trained"),
        ({"overrides": "space.ops=[conv]"}, "is not a list of words"),
        ({"overrides": [3]}, "is not a list of words"),
        ({"space": type(CHAIN)}, "is a class; give an instance"),
    ],
)
def test_bad_values_are_said(changes: dict[str, object], said: str) -> None:
    arguments = {"space": CHAIN, "budget": 50, "evaluator": looked_up, "trials": 1, **changes}
    with pytest.raises(UserError, match=said):
        search.run(**arguments)  # type: ignore[arg-type]


def test_an_aim_needs_a_strategy_that_reads_it() -> None:
    class Own:
        def ask(self) -> Job:
            raise AssertionError

        def tell(self, job: Job, result: Result) -> None:
            raise AssertionError

    with pytest.raises(UserError, match="aim=best has no effect with a strategy of one's own"):
        search.run(space=CHAIN, budget=50, evaluator=looked_up, strategy=Own(), aim="best")


def test_a_strategy_of_ones_own_goes_on_whatever_the_default_aim_is(tmp_path: Path) -> None:
    class Own:
        """Asks for one network after another."""

        def __init__(self) -> None:
            self.left = iter(tabulate(CHAIN, 50).encodings())

        def ask(self) -> Job:
            return Job(next(self.left))

        def tell(self, job: Job, result: Result) -> None:
            """Learn nothing."""

    given = {"space": CHAIN, "budget": 50, "evaluator": looked_up, "study": tmp_path / "own"}
    for trials, aim in ((1, {}), (2, {"aim": "front"}), (3, {})):
        found = search.run(**given, strategy=Own(), trials=trials, **aim)  # type: ignore[arg-type]
        assert len(found.trials) == trials
    with Study.read(tmp_path / "own") as study:
        assert study.settings["aim"] == "front"


def test_failures_alone_stop_it() -> None:
    def broken(job: Job) -> float:
        raise RuntimeError("no such table")

    with pytest.raises(UserError, match="last 10 candidates failed, the last with: RuntimeError"):
        search.run(space=CHAIN, budget=50, evaluator=broken)


def test_kills_at_any_time_change_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]; import search, test_own;"
        "search.run(space=test_own.CHAIN, budget=26, evaluator=test_own.slow, trials=60,"
        " ahead=2, study=sys.argv[1])"
    )
    here = Path(__file__)
    paths = [str(tmp_path / "killed"), str(here.parent), str(here.parents[1])]
    command = [sys.executable, "-c", code, *paths]
    kills = 0
    for pause in (0.3, 1.2, 1.5, 1.7, 2.0):
        process = subprocess.Popen(command, cwd=ROOT)
        time.sleep(pause)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills
    subprocess.run(command, cwd=ROOT, check=True)
    whole = search.run(
        space=CHAIN, budget=26, evaluator=looked_up, trials=60, ahead=2, study=tmp_path / "whole"
    )
    with Study.read(tmp_path / "killed") as study:
        killed = study.trials()
    assert [(t.job, t.asked_after, t.result.accuracy) for t in killed] == [
        (t.job, t.asked_after, t.result.accuracy) for t in whole.trials
    ]


def test_curves_of_ones_own_evaluator_are_kept_and_logged(tmp_path: Path) -> None:
    def curved(job: Job) -> Result:
        one = (0.5,)
        curve = search.Curve((1,), one, one, (math.nan,), (math.nan,), one, one)
        return Result(looked_up(job), curve=curve)

    place = tmp_path / "study"
    given = {"space": CHAIN, "budget": 20, "strategy": "random", "study": place, "logger": "csv"}
    search.run(**given, evaluator=curved, trials=3)
    search.run(**given, evaluator=curved, trials=5)
    with Study.read(place) as study:
        assert list(study.curves()) == [0, 1, 2, 3, 4]
    lines = (place / "logs/csv/curves.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["trial", "0", "1", "2", "3", "4"]


def test_a_curve_that_is_none_is_a_failure_with_its_reason() -> None:
    found = search.run(
        space=CHAIN,
        budget=20,
        evaluator=lambda job: Result(0.5, curve="x"),  # type: ignore[arg-type]
        trials=1,
        strategy="random",
    )
    assert "not a number" in found.trials[0].result.error
