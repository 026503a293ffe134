"""The actor of a Ray cluster, here without one: what it keeps for itself and what travels."""

import os
import sys
from pathlib import Path

import pytest

# small.py lies beside the engine's tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from small import dataset, evaluator, job_of

from search.config.data import DataConfig
from search.config.train import TrainConfig
from search.executors.ray.actor import READY, RESULT, WRONG, Worker
from search.executors.ray.travel import receive, travelling
from search.executors.worker import WorkerSpec

SETTINGS = {"batch": 16, "learning_rate": 0.02, "form": "layers"}


def spec(checkpoints: Path | None) -> WorkerSpec:
    train = TrainConfig(**SETTINGS)  # what evaluator() of small.py takes
    return WorkerSpec(DataConfig(), train, 0, 0.0, False, {}, checkpoints, None)


def prepared(folder: Path, *, shared: bool) -> Worker:
    worker = Worker()
    kind, computed = worker.prepare(spec(folder), dataset(), {}, 0, None, shared)
    assert (kind, computed["platform"]) == (READY, "cpu")
    return worker


@pytest.mark.slow
def test_checkpoints_travel_with_jobs_and_results(tmp_path: Path) -> None:
    """A training goes on from a shorter one of another worker, and gives what it gives here."""
    here = tmp_path / "study"
    short, longer = job_of("tiny", 2), job_of("tiny", 4)
    alone = evaluator(checkpoints=tmp_path / "alone")
    expected = [alone(short), alone(longer)]
    found = []
    for job in (short, longer):
        worker = prepared(here, shared=False)
        assert worker._own.name.startswith(f"convbudget-worker-{os.getpid()}-")
        kind, result, files = worker.evaluate(job, travelling(here, job, finished=False))
        assert kind == RESULT
        assert len(files) == 1
        # Nothing is left of it, nor in the study's folder before it arrives.
        assert not list(worker._own.iterdir())
        receive(here, files)
        worker.leave()
        assert not worker._own.exists()
        found.append(result)
    assert [(one.accuracy, one.loss) for one in found] == [
        (one.accuracy, one.loss) for one in expected
    ]
    assert found[1].curve.epochs == expected[1].curve.epochs
    name = f"{short.candidate.id}-s0-e"
    assert sorted(path.name for path in here.iterdir()) == [f"{name}2.npz", f"{name}4.npz"]
    # A finished job is not trained again.
    _, again, _ = prepared(here, shared=False).evaluate(
        longer, travelling(here, longer, finished=False)
    )
    assert (again.accuracy, again.loss) == (expected[1].accuracy, expected[1].loss)
    assert again.details["compile_seconds"] == 0


def test_a_shared_folder_is_written_in_place(tmp_path: Path) -> None:
    here = tmp_path / "study"
    here.mkdir()
    marker = here / ".seen"
    worker = Worker()
    assert not worker.greet(str(marker))["shared"]
    marker.touch()
    assert worker.greet(str(marker))["shared"]
    worker = prepared(here, shared=True)
    _, _, files = worker.evaluate(job_of("tiny"), {})
    assert files == {}
    assert len(list(here.glob("*.npz"))) == 1


def test_data_that_is_not_the_searchs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = WorkerSpec(DataConfig(), TrainConfig(), 0, 0.0, False, {"train": "another"}, None, None)
    kind, said = Worker().prepare(own, None, {}, 0, None, False)
    assert kind == WRONG
    assert "the train images here are not those of the search" in said
