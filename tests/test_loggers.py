"""Loggers: each read back by its own readers, told of every trial once, refused in one line."""

import builtins
import csv
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from search.cli.hydra import compose
from search.cli.words import with_data_sets
from search.errors import UserError
from search.jobs import Curve, Job, Result, failed
from search.loggers.build import Loggers, classes
from search.loggers.protocol import Figures, Place, curve_points
from search.pareto import hypervolume
from search.study.study import Study, StudyInfo
from search.study.trials import Trial

INFO = StudyInfo(100, 10_000, 0, 5_000, 40, True, 0.1, 2, {})
NAN = float("nan")
CURVE = Curve((1, 2), (2.0, 1.0), (0.25, 0.5), (NAN, 1.5), (NAN, 0.5), (0.1, 0.05), (0.5, 0.25))


def trial(number: int, result: Result, multiplies: int = 1000, epochs: int = 2) -> Trial:
    job = Job((number,), epochs)
    return Trial(number, job, f"[{number}]", f"{number:012x}", multiplies, None, number, result)


TRIALS = [
    trial(0, Result(0.5, 1.5, 1.0, curve=CURVE)),
    trial(1, Result(0.75, 0.5, 1.0), 2000),
    trial(2, failed("no", 0.5)),
    trial(3, Result(0.9, 0.5, 1.0), 900, epochs=1),
]


def logged(folder: Path, names: list[str], trials: list[Trial], stored: int = 0) -> None:
    """What a search does: it opens the study, tells what is stored, then what is new."""
    with (
        Study.open(folder, {"seed": 0, "data": {"name": "digits"}}, INFO) as study,
        Loggers(study, classes(names), pytest.fail) as loggers,
    ):
        for number, one in enumerate(trials):
            if number >= stored:
                study.add(one)
            loggers.tell(one, number >= stored)


def test_figures_are_of_the_front_so_far() -> None:
    figures = Figures(INFO.cheapest, INFO.high, INFO.chance, INFO.epochs)
    first, second, third, short = map(figures.after, TRIALS)
    points = [(1000, 0.5), (2000, 0.75)]
    for found, count in ((first, 1), (second, 2), (third, 2), (short, 2)):
        area = hypervolume(points[:count], low=100, high=5000, chance=0.1)
        assert found["hypervolume"] == pytest.approx(area)
        assert found["front"] == count
    assert "accuracy" not in third
    assert short["accuracy"] == 0.9
    assert short["best"] == 0.75


def test_figures_are_of_what_the_search_maximises() -> None:
    figures = Figures(100, 5_000, 0.1, 2, "balanced_accuracy")
    for accuracy, balanced in ((0.9, 0.3), (0.5, 0.4), (0.95, NAN)):
        details = {"balanced_accuracy": balanced}
        found = figures.after(trial(0, Result(accuracy, details=details)))
    assert (found["accuracy"], found["best"], found["front"]) == (0.95, 0.4, 1)
    assert "balanced_accuracy" not in found
    area = hypervolume([(1000, 0.4)], low=100, high=5_000, chance=0.1)
    assert found["hypervolume"] == pytest.approx(area)


def test_points_of_a_curve_leave_out_what_was_not_measured() -> None:
    first, second = curve_points(CURVE)
    assert first[0] == 1
    assert "validation_loss" not in first[1]
    assert second[1]["validation_accuracy"] == 0.5


def test_csv_has_every_trial_once_also_when_gone_on_with(tmp_path: Path) -> None:
    logged(tmp_path, [], TRIALS[:1])
    # Switched on later: it is told what was there, and then only what is new.
    logged(tmp_path, ["csv"], TRIALS[:3], stored=1)
    logged(tmp_path, ["csv"], TRIALS, stored=3)
    with (tmp_path / "logs/csv/trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["status"] for row in rows] == ["ok", "ok", "failed", "ok"]
    assert [row["best"] for row in rows] == ["0.5", "0.75", "0.75", "0.75"]
    with (tmp_path / "logs/csv/curves.csv").open() as file:
        epochs = list(csv.DictReader(file))
    assert [(row["trial"], row["epoch"]) for row in epochs] == [("0", "1"), ("0", "2")]
    assert [row["validation_loss"] for row in epochs] == ["", "1.5"]


def test_tensorboard_reads_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    # TensorBoard's own sign that it is to do without TensorFlow, whose import takes seconds.
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    logged(tmp_path, ["tensorboard"], TRIALS)
    root = tmp_path / "logs/tensorboard"

    def scalars(run: str) -> dict[str, dict[int, float]]:
        (path,) = (root / run).glob("events.out.tfevents.*")
        found: dict[str, dict[int, float]] = {}
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                # The loader turns old scalars into tensors, as TensorBoard itself sees them.
                found.setdefault(value.tag, {})[event.step] = value.tensor.float_val[0]
        return found

    search = scalars("search")
    assert list(search["search/accuracy"]) == [0, 1, 3]
    assert search["search/best"][3] == 0.75
    assert list(search["search/hypervolume"]) == [0, 1, 2, 3]
    curve = scalars(f"trials/0000-{0:012x}")
    assert curve["curve/train_loss"] == {1: 2.0, 2: 1.0}
    assert curve["curve/validation_accuracy"] == {2: 0.5}


def test_mlflow_reads_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "runs").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    folder = tmp_path / "study"
    logged(folder, ["mlflow"], TRIALS[:2])
    logged(folder, ["mlflow"], TRIALS, stored=2)
    client = tracking.MlflowClient((tmp_path / "runs").as_uri())
    experiment = client.get_experiment_by_name("convbudget").experiment_id
    runs = client.search_runs([experiment])
    (search,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert search.data.params["data.name"] == "digits"
    best = client.get_metric_history(search.info.run_id, "best")
    assert [(one.step, one.value) for one in best] == [(0, 0.5), (1, 0.75), (2, 0.75), (3, 0.75)]
    trials = {run.info.run_name: run for run in runs if run is not search}
    assert len(trials) == 4
    first = trials[f"0000 {0:012x}"]
    assert first.data.params["multiplies"] == "1000"
    loss = client.get_metric_history(first.info.run_id, "train_loss")
    assert [(one.step, one.value) for one in loss] == [(1, 2.0), (2, 1.0)]
    assert trials[f"0002 {2:012x}"].info.status == "FAILED"


class Wandb:
    """Stands for the library where it is not installed, and shows what it would be given."""

    Settings = staticmethod(dict)

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.rows: list[dict[str, float]] = []
        self.finished = 0

    def init(self, **given: Any) -> "Wandb":
        self.given = given
        return self

    def define_metric(self, *_: str, **__: str) -> None:
        pass

    def log(self, row: dict[str, float]) -> None:
        self.rows.append(row)

    def finish(self) -> None:
        self.finished += 1


def test_wandb_is_offline_and_goes_on_with_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Wandb()
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", told)  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "search.loggers.wandb", raising=False)
    logged(tmp_path, ["wandb"], TRIALS[:1])
    first = told.given
    assert first["mode"] == "offline"
    assert first["resume"] == "allow"
    logged(tmp_path, ["wandb"], TRIALS, stored=1)
    assert told.given["id"] == first["id"]
    assert [row["trial"] for row in told.rows if "search/best" in row] == [0, 1, 2, 3]
    assert [row["epoch"] for row in told.rows if "epoch" in row] == [1, 2]
    assert told.finished == 2
    monkeypatch.delitem(sys.modules, "search.loggers.wandb")


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_logger_that_is_not_installed_says_which_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(module: str, *rest: Any) -> Any:
        if module.partition(".")[0] == name:
            raise ImportError(f"No module named {module!r}", name=module)
        return real(module, *rest)

    monkeypatch.delitem(sys.modules, f"search.loggers.{name}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=rf"logger={name} needs .* 'convbudget\[{name}\]'"):
        classes([name])


def test_a_study_in_memory_has_no_place_for_logs() -> None:
    with (
        Study.open(None, {"seed": 0}, INFO) as study,
        pytest.raises(UserError, match="logger=csv writes into the study's folder"),
    ):
        Loggers(study, classes(["csv"]), pytest.fail)


def test_a_logger_that_fails_is_told_once_and_the_others_go_on(tmp_path: Path) -> None:
    class Broken:
        def __init__(self, _: Place) -> None:
            self.closed = 0

        def log(self, *_: object) -> None:
            raise ConnectionError("the server is gone")

        def close(self) -> None:
            pytest.fail("it is left out")

    notes: list[str] = []
    made = {"mlflow": Broken, **classes(["csv"])}
    with (
        Study.open(tmp_path, {"seed": 0}, INFO) as study,
        Loggers(study, made, notes.append) as loggers,
    ):
        for one in TRIALS[:2]:
            study.add(one)
            loggers.tell(one, True)
    assert notes == [
        "logger=mlflow failed and is left out from here on (ConnectionError: the server is gone)"
    ]
    assert len((tmp_path / "logs/csv/trials.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("logger=csv", "logger=[csv]"),
        ("logger=null", "logger=[]"),
        ("logger=", "logger=[]"),
        ("logger=[csv,tensorboard]", "logger=[csv,tensorboard]"),
        # With -m too, each job has both; lists are swept over.
        ("logger=csv,tensorboard", "logger=[csv,tensorboard]"),
        ("logger=[csv],[tensorboard]", "logger=[csv],[tensorboard]"),
    ],
)
def test_one_several_or_none_are_chosen_as_with_groups(word: str, expected: str) -> None:
    assert with_data_sets([word], []) == [expected]


def test_loggers_belong_to_no_studys_identity() -> None:
    assert compose(["logger=[csv,tensorboard]"]).logger == ["csv", "tensorboard"]
    assert compose(["logger=csv"]).settings() == compose([]).settings()
    with pytest.raises(UserError, match=r"logger.*excel"):
        compose(["logger=excel"])
