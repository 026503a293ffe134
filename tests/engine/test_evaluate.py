"""Jobs become results that depend on nothing but the job; failures become results too."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from small import ARCHS, dataset, evaluator, job_of

from search.config.run import RunConfig
from search.config.train import TrainConfig
from search.engine.checkpoints import CheckpointKey, Checkpoints
from search.engine.evaluator import TrainingEvaluator, reason
from search.engine.signature import signature
from search.engine.trainer import Trainer
from search.engine.turns import Turns
from search.errors import UserError
from search.jobs import Job, Result
from search.networks.arch import Arch, Head, Input, Stem

ROOT = Path(__file__).parents[2]


def core(result: Result) -> tuple:
    """What must repeat: all but the times."""
    lasting = {k: v for k, v in result.details.items() if "seconds" not in k}
    return result.accuracy, result.loss, result.status, result.error, lasting


def test_learns_and_repeats_in_any_order_and_at_once() -> None:
    jobs = [job_of(name, 4, seed) for name in ("small", "tiny") for seed in (0, 1)]
    engine = evaluator()
    engine.prepare(jobs[0])
    alone = [core(engine(job)) for job in jobs]
    assert all(status == "ok" for _, _, status, _, _ in alone)
    assert max(accuracy for accuracy, *_ in alone) > 0.8
    assert [core(engine(job)) for job in reversed(jobs)] == alone[::-1]
    with ThreadPoolExecutor(4) as threads:
        assert [core(r) for r in threads.map(evaluator(), jobs[2:])] == alone[2:]


def test_jobs_together_give_what_they_give_alone(tmp_path: Path) -> None:
    jobs = [job_of("tiny", 2, 0), job_of("tiny", 2, 1), Job(("nothing",), 2, 0)]
    engine = evaluator(checkpoints=tmp_path)
    alone = [core(evaluator()(job)) for job in jobs]
    assert alone[2][2] == "failed"
    assert [core(result) for result in engine.together(jobs)][:2] == alone[:2]
    assert engine.together(jobs)[2].status == "failed"
    assert engine.weights(jobs[1])


def test_seeds_as_one_program_are_recorded_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on an accelerator: the results, the checkpoints, and what is there already."""
    monkeypatch.setattr(Trainer, "side_by_side", lambda *_: True)
    jobs = [job_of("tiny", 2, seed) for seed in (0, 1, 2)]
    engine = evaluator(checkpoints=tmp_path)
    first = engine.together(jobs[:2])
    alone = [evaluator()(job) for job in jobs]
    assert [r.accuracy for r in first] == [r.accuracy for r in alone[:2]]
    np.testing.assert_allclose([r.loss for r in first], [r.loss for r in alone[:2]], rtol=1e-4)
    weights = evaluator(checkpoints=tmp_path).weights(jobs[1])
    assert all(value.shape[:1] != (2,) for value in weights.values())
    # Two are known now, so all go one by one: nothing is trained twice.
    again = engine.together(jobs)
    assert [core(r) for r in again[:2]] == [core(r) for r in first]
    assert core(again[2]) == core(alone[2])


FRESH = """
import sys; sys.path[:0] = [{here!r}, {root!r}]
from small import TINY, dataset, train_config
from search.engine.trainer import Trainer
import jax
from concurrent.futures import ThreadPoolExecutor
devices = jax.local_devices()
assert len(devices) == {count}, devices
trainers = [Trainer(dataset(), train_config(), device) for device in devices]
with ThreadPoolExecutor(len(trainers)) as threads:
    results = list(threads.map(lambda one: one.fit(TINY, 4, 1).scores, trainers))
print(*(f"{{r.accuracy!r}} {{r.loss!r}}" for r in results), sep="\\n")
"""


# Eight, as on a TPU host.
@pytest.mark.parametrize("count", [1, 8])
def test_a_fresh_process_and_every_device_give_the_same(count: int) -> None:
    here = str(Path(__file__).parent)
    environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}
    script = FRESH.format(here=here, root=str(ROOT), count=count)
    out = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    expected = evaluator()(job_of("tiny", 4, 1))
    rows = [tuple(map(float, line.split())) for line in out]
    assert len(rows) == count
    assert len(set(rows)) == 1
    assert rows[0] == pytest.approx((expected.accuracy, expected.loss), rel=1e-6)
    if count == 1:
        assert rows[0] == (expected.accuracy, expected.loss)


@pytest.mark.parametrize("form", ["layers", "whole"])
def test_going_on_equals_the_unbroken_run(tmp_path: Path, form: str) -> None:
    name = "every" if form == "layers" else "small"  # a whole program of all takes long to compile
    long, short = job_of(name, 6, 2), job_of(name, 2, 2)
    unbroken = evaluator(form=form)
    broken = evaluator(checkpoints=tmp_path, form=form)
    assert broken(short).status == "ok"
    assert broken._start(ARCHS[name], long) is not None
    assert core(broken(long)) == core(unbroken(long))
    assert core(broken(long)) == core(unbroken(long))  # this time read from its checkpoint


def test_weights_and_keep(tmp_path: Path) -> None:
    engine = evaluator(checkpoints=tmp_path)
    short, long = job_of("small", 1), job_of("small", 2)
    with pytest.raises(UserError, match="no checkpoint"):
        engine.weights(short)
    engine(short)
    engine(long)
    engine(job_of("other", 1))
    assert engine.weights(long)["stem.kernel"].shape == (3, 3, 1, 4)
    engine.keep([long])
    assert [path.name for path in tmp_path.iterdir()] == [
        CheckpointKey(ARCHS["small"].id, 0, 2).filename
    ]
    engine.keep([])
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_is_whole_or_absent(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path / "new", "mine")
    place = CheckpointKey("0123456789ab", 0, 3)
    assert store.read(place) is None
    assert store.places() == []

    class Unreadable:
        def __array__(self, *_: object, **__: object) -> np.ndarray:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        store.write(place, {"a": np.zeros(3), "b": Unreadable()})  # type: ignore[dict-item]
    assert list(store.folder.iterdir()) == []
    store.write(place, {"a": np.arange(3)})
    np.testing.assert_array_equal(store.read(place)["a"], np.arange(3))
    assert Checkpoints(store.folder, "another's").read(place) is None
    path = store.folder / place.filename
    path.write_bytes(path.read_bytes()[:100])
    assert store.read(place) is None


def test_one_reading_of_the_folder_tidies_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Checkpoints(tmp_path, "mine")
    keys = [CheckpointKey(f"{n:012x}", 0, epochs) for n in range(30) for epochs in (1, 3)]
    for key in keys:
        store.write(key, {"a": np.zeros(1)})
    readings: list[Path] = []
    real = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: readings.append(path) or real(path))
    store.keep([replace(key, epochs=2) for key in keys])
    assert len(readings) == 1
    monkeypatch.undo()
    assert store.places() == [key for key in keys if key.epochs == 1]


def test_what_a_kill_left_is_swept(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, "mine")
    left, other = tmp_path / ".1-abc.part", tmp_path / "notes.txt"
    # Perhaps another worker's: the holder of the study's lock sweeps it where nobody writes it.
    own = tmp_path / ".writing-abc"
    for path in (left, other, own):
        path.touch()
    Checkpoints(tmp_path, "mine")
    assert sorted(tmp_path.iterdir()) == sorted([other, own])
    assert store.places() == []


@pytest.mark.parametrize("form", ["layers", "whole"])
def test_a_killed_training_goes_on_from_its_last_partial_checkpoint(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = iter(range(1000))

    def engine(folder: Path | None = tmp_path) -> TrainingEvaluator:
        config = TrainConfig(
            batch=16, learning_rate=0.02, form=form, decay=0.2, checkpoint_minutes=2.0
        )
        return TrainingEvaluator(dataset(), config, folder, clock=lambda: 60.0 * next(minutes))

    job = job_of("tiny", 10, 1)
    key = CheckpointKey(job.candidate.id, 1, 10, partial=True)
    killed = engine()
    real = killed._store.write

    def write(place: CheckpointKey, arrays: dict) -> None:
        real(place, arrays)
        if int(arrays["steps"]) >= 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(killed._store, "write", write)
    with pytest.raises(KeyboardInterrupt):
        killed(job)
    assert killed._store.places() == [key]
    killed.keep([])
    assert killed._store.places() == [key]  # the interrupted job goes on from it
    with pytest.raises(UserError, match="no checkpoint"):
        killed.weights(job)
    resumed = engine()
    start = resumed._start(ARCHS["tiny"], job)
    assert start is not None
    assert 6 <= start[1] < 10 * resumed._trainer.schedule.steps
    assert core(resumed(job)) == core(engine(None)(job))
    assert resumed._store.places() == [replace(key, partial=False)]


def test_without_minutes_nothing_is_written_before_the_end(tmp_path: Path) -> None:
    config = TrainConfig(batch=16, form="layers", checkpoint_minutes=0)
    assert TrainingEvaluator(dataset(), config, tmp_path)._saving(job_of("tiny")) is None


def test_how_often_checkpoints_are_written_is_no_ones_identity() -> None:
    often, seldom = TrainConfig(checkpoint_minutes=1), TrainConfig(checkpoint_minutes=60)
    device = jax.local_devices()[0]
    assert signature(dataset(), often, device) == signature(dataset(), seldom, device)
    assert RunConfig(train=often).settings() == RunConfig(train=seldom).settings()


def test_another_number_of_cores_is_another_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    device = jax.local_devices()[0]
    before = signature(dataset(), TrainConfig(), device)
    monkeypatch.setattr("search.engine.signature.cores", lambda: 4096)
    assert signature(dataset(), TrainConfig(), device) != before


def test_another_version_or_precision_is_another_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = jax.local_devices()[0]
    before = signature(dataset(), TrainConfig(), device)
    assert signature(dataset(), TrainConfig(precision="bfloat16"), device) != before
    monkeypatch.setattr("search.engine.signature._own_version", lambda: "99.0")
    assert signature(dataset(), TrainConfig(), device) != before


def test_failures_are_results() -> None:
    broken = Arch(Input(6, 5, 1), Stem(4), (), Head(), 4)
    engine = evaluator(learning_rate=50.0, optimiser="sgd", warmup=0.0)
    for job, word in [
        (job_of(broken), "4 classes"),
        (job_of("small", 0), "epochs=0"),
        (Job(("absent",)), "carries no candidate"),
    ]:
        result = engine(job)
        assert result.status == "failed"
        assert word in result.error
        assert math.isnan(result.accuracy)
        engine.prepare(job)


def test_a_loss_that_is_no_number_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = evaluator()
    good = core(engine(job_of("small", 1)))
    trainer = engine._trainer
    monkeypatch.setattr(type(trainer.schedule), "rate", lambda *_: float("nan"))
    result = engine(job_of("small", 2))
    assert result.status == "failed"
    assert "loss is nan" in result.error
    monkeypatch.undo()
    assert core(engine(job_of("small", 1))) == good


def memory_runs_out(times: int, fit):
    """`fit`, but for its first calls."""
    left = [times]

    def failing(*arguments: object, **named: object):
        left[0] -= 1
        if left[0] >= 0:
            raise jax.errors.JaxRuntimeError(
                "RESOURCE_EXHAUSTED: Out of memory\nallocating 3 bytes"
            )
        return fit(*arguments, **named)

    return failing


def test_memory_that_others_held_is_tried_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = evaluator()
    good = core(engine(job_of("small", 1)))
    monkeypatch.setattr(engine._trainer, "fit", memory_runs_out(1, engine._trainer.fit))
    assert core(engine(job_of("small", 1))) == good


def test_memory_that_runs_out_alone_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = evaluator()
    monkeypatch.setattr(engine._trainer, "fit", memory_runs_out(2, engine._trainer.fit))
    result = engine(job_of("small", 1))
    assert result.status == "failed"
    assert result.error.startswith("refused by the platform when alone: out of memory")
    assert "\n" not in result.error
    assert engine(job_of("small", 1)).status == "ok"


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), jax.errors.JaxRuntimeError("INTERNAL: lost")]
)
def test_other_failures_are_raised(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = evaluator()

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(engine._trainer, "fit", fail)
    with pytest.raises(type(error)):
        engine(job_of("small", 1))
    monkeypatch.undo()
    assert engine(job_of("small", 1)).status == "ok"


def test_one_that_runs_alone_waits_for_the_others() -> None:
    turns, seen = Turns(), []
    with ThreadPoolExecutor(2) as threads:
        with turns.together():

            def alone() -> None:
                with turns.alone():
                    seen.append("alone")

            waiting = threads.submit(alone)
            seen.append("together")
        waiting.result()
    assert seen == ["together", "alone"]


def test_reasons_are_one_line() -> None:
    assert reason(ValueError("a\n b")) == "ValueError: a b"


def test_interruption_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = evaluator(dataset())

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine._trainer, "fit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine(job_of("small", 1))


def test_scored_on_another_part_only_the_scores_differ(tmp_path: Path) -> None:
    data = dataset()
    part = dataset(50, 20).validation
    engine = evaluator(data, tmp_path)
    own = engine(job_of("tiny"))
    other = engine.scored_on(part, tmp_path / "confirmation")
    found = other(job_of("tiny"))
    assert core(found) == core(evaluator(replace(data, validation=part))(job_of("tiny")))
    assert core(found) != core(own)
    assert found.details["train_loss"] == own.details["train_loss"]
    # Each has its own checkpoints, and goes on from none of the other's.
    assert core(engine(job_of("tiny"))) == core(own)
    assert core(other(job_of("tiny"))) == core(found)
    for name, array in engine.weights(job_of("tiny")).items():
        np.testing.assert_array_equal(array, other.weights(job_of("tiny"))[name])
    other.keep([])
    assert len(list(tmp_path.glob("*.npz"))) == 1
