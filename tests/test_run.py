"""The shipped default configuration, shrunk, from the command line to the reloaded model."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import search
from search.__main__ import main
from search.engine.evaluator import TrainingEvaluator
from search.errors import UserError
from search.jobs import Job
from search.networks.arch import from_json
from search.study.study import Study
from search.study.trials import Trial

ROOT = Path(__file__).parents[1]
SHRUNK = ["trials=3", "epochs=2", "budget=40k"]
NAME = "tiny"


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished study."""
    outputs = tmp_path_factory.mktemp("end") / "outputs"
    assert main(["run", *SHRUNK, f"outputs={outputs}", f"study={NAME}"]) == 0
    return outputs


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def essence(folder: Path) -> list[tuple[object, ...]]:
    """All of a study's trials but how long they took."""
    with Study.read(folder) as study:
        return [
            (t.number, t.job, t.value, t.asked_after, t.result.accuracy, t.result.loss)
            for t in study.trials()
        ]


def test_a_study_leaves_what_it_promises(studies: Path) -> None:
    folder = studies / NAME
    assert {path.name for path in studies.iterdir()} == {NAME}
    for name in ("config.yaml", "study.db", "trials.csv", "front.html", "run.log"):
        assert (folder / name).stat().st_size > 0
    assert (folder / "front.png").read_bytes().startswith(b"\x89PNG")
    front = rows(folder / "front.csv")
    assert json.loads((folder / "front.json").read_text())["trials"] == 3
    assert {path.stem for path in (folder / "weights").iterdir()} == {r["arch_id"] for r in front}
    page = (folder / "front.html").read_text()
    assert all(row["arch_id"] in page for row in front)


def test_every_trial_lies_within_the_budget(studies: Path) -> None:
    trials = rows(studies / NAME / "trials.csv")
    assert len(trials) == 3
    for row in trials:
        assert (row["platform"], row["precision"]) == ("cpu", "float32")
        path = studies / NAME / "archs" / f"{row['arch_id']}.json"
        arch = from_json(path.read_text(), str(path))
        assert arch.id == row["arch_id"]
        cost = search.cost_of(arch)
        assert (cost.multiplies, cost.params) == (int(row["multiplies"]), int(row["params"]))
        assert cost.multiplies <= 40_000


def test_the_same_command_runs_nothing_again(
    studies: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = essence(studies / NAME)
    trained: list[Job] = []
    monkeypatch.setattr(TrainingEvaluator, "__call__", lambda self, job: trained.append(job))
    assert main(["run", *SHRUNK, f"outputs={studies}", f"study={NAME}"]) == 0
    assert not trained
    assert "going on after 3 trials" in capsys.readouterr().out
    assert essence(studies / NAME) == before


def test_the_same_seed_gives_the_same_trials_and_more_extend_them(
    studies: Path, tmp_path: Path
) -> None:
    words = ["run", *SHRUNK[1:], f"outputs={tmp_path}", "study=again"]
    assert main([*words, "trials=2"]) == 0
    assert essence(tmp_path / "again") == essence(studies / NAME)[:2]
    assert main([*words, "trials=3"]) == 0
    assert essence(tmp_path / "again") == essence(studies / NAME)


def test_a_changed_setting_is_refused(studies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", *SHRUNK, f"outputs={studies}", f"study={NAME}"]
    assert main([*words, "epochs=3", "train.batch=64"]) == 2
    line = capsys.readouterr().err
    assert "epochs 2 -> 3" in line
    assert "train.batch 32 -> 64" in line


def test_a_front_is_named_after_its_folder_wherever_one_stands(
    studies: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(studies / NAME)
    assert main(["front", "."]) == 0
    assert capsys.readouterr().out.startswith(f"Front of {NAME}:")


def test_the_front_is_printed(studies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["front", str(studies / NAME)]) == 0
    printed = capsys.readouterr().out
    for row in rows(studies / NAME / "front.csv"):
        assert row["arch_id"] in printed
    assert main(["front", "--json", str(studies / NAME)]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads((studies / NAME / "front.json").read_text())


def test_the_best_model_predicts_as_the_study_says(studies: Path) -> None:
    front = rows(studies / NAME / "front.csv")
    model = search.load(studies / NAME)
    assert model(np.zeros((0, 8, 8, 1), np.uint8)).shape == (0, 10)
    assert model.arch.id == front[-1]["arch_id"]
    digits = load_digits()
    images = (digits.images * (255 / 16)).round().astype(np.uint8)
    share = float((model.predict(images) == digits.target).mean())
    # All images, of which the validation part is a sixth: near, not equal.
    assert share == pytest.approx(model.accuracy, abs=0.1)
    assert model(images[:3]).shape == (3, 10)
    assert model.probabilities(images[:3]).sum(-1) == pytest.approx(1, abs=1e-5)
    assert model.classes[model.predict(images[:1])[0]] in {str(n) for n in range(10)}
    cheap = search.load(f"{studies / NAME}@{front[0]['multiplies']}")
    assert cheap.arch.id == front[0]["arch_id"]
    assert search.load(studies / NAME, id=front[0]["arch_id"]).multiplies == cheap.multiplies


def test_what_cannot_be_loaded_is_said(studies: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing on the front costs so little"):
        search.load(f"{studies / NAME}@1k")
    with pytest.raises(UserError, match="is not on the front"):
        search.load(studies / NAME, id="ffffffffffff")
    with pytest.raises(UserError, match="is not the folder of a study"):
        search.load("nowhere")
    model = search.load(studies / NAME)
    with pytest.raises(UserError, match="give uint8"):
        model(np.full((1, 8, 8, 1), 255, np.float32))
    with pytest.raises(UserError, match=r"give \[n, 8, 8, 1\]"):
        model(np.zeros((1, 9, 8, 1), np.uint8))


@pytest.mark.slow
def test_kills_change_nothing(studies: Path, tmp_path: Path) -> None:
    """SIGKILL at several moments, the same command after each: the undisturbed study."""
    words = ["run", *SHRUNK, f"outputs={tmp_path}", f"study={NAME}"]
    command = [sys.executable, "-m", "search", *words]
    path = tmp_path / NAME / "study.db"
    for wanted in (0, 1, 2):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < deadline and recorded(path) < wanted:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert essence(tmp_path / NAME) == essence(studies / NAME)
    timeless = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in rows(folder / "front.csv")]
        for folder in (tmp_path / NAME, studies / NAME)
    ]
    assert timeless[0] == timeless[1]


def recorded(path: Path) -> int:
    """The trials in a study's file, -1 while there is none."""
    if not path.exists():
        return -1
    connection = sqlite3.connect(path, timeout=5)
    try:
        return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
    except sqlite3.OperationalError:
        return -1
    finally:
        connection.close()


@pytest.mark.slow
def test_an_interrupt_ends_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    words = ["run", *SHRUNK, f"outputs={tmp_path}", f"study={NAME}", "trials=50"]
    process = subprocess.Popen(
        [sys.executable, "-m", "search", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and recorded(tmp_path / NAME / "study.db") < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in err
    assert "Traceback" not in err
    assert "Front of" in out
    assert len(rows(tmp_path / NAME / "trials.csv")) >= 2


def test_trials_carry_what_a_reader_needs(studies: Path) -> None:
    with Study.read(studies / NAME) as study:
        info = study.info
        trials: list[Trial] = study.trials()
    assert info.high == 40_000
    assert info.data["classes"] == [str(n) for n in range(10)]
    assert info.cheapest < 20_000
    assert all(trial.result.details["compile_seconds"] >= 0 for trial in trials)
