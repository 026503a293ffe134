"""Schedules, batches, augmentation, and the two forms of programs."""

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from small import ARCHS, EVERY_OP, dataset, evaluator, job_of

from search.config.train import TrainConfig
from search.engine import augment
from search.engine.batches import padded
from search.engine.evaluator import TrainingEvaluator
from search.engine.fitted import Diverged, Fitted
from search.engine.programs.choice import per_layer_steps, trainings_at_once
from search.engine.recipe import Recipe
from search.engine.schedule import Schedule, order
from search.engine.state import State, fresh
from search.engine.trainer import Trainer
from search.errors import UserError
from search.networks.arch import Arch, Block, Head, Input, Stem
from search.networks.layers import layers_of


@given(st.integers(1, 500), st.integers(1, 60), st.floats(0, 1), st.floats(0, 5))
@settings(max_examples=100, deadline=None)
def test_a_short_trunk_is_a_prefix_of_a_long_one(
    steps: int, epochs: int, decay: float, warmup: float
) -> None:
    schedule = Schedule(steps, 0.1, warmup, decay)
    decay_start = schedule.decay_start(epochs)
    assert 0 <= decay_start <= schedule.total(epochs)
    assert decay_start <= schedule.decay_start(epochs + 1)
    for step in {0, decay_start - 1} & set(range(decay_start)):
        assert schedule.rate(step, epochs) == schedule.rate(step, epochs + 7)
    rates = [schedule.rate(step, epochs) for step in range(decay_start, schedule.total(epochs))]
    assert all(rate > 0 for rate in rates)


@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 2**63), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_an_epoch_sees_no_image_twice(count: int, batch: int, seed: int, epoch: int) -> None:
    batch = min(batch, count)
    indices = order(count, batch, seed, epoch)
    assert indices.shape == (count // batch, batch)
    assert len(set(indices.flat)) == indices.size
    assert set(indices.flat) <= set(range(count))
    np.testing.assert_array_equal(indices, order(count, batch, seed, epoch))


def test_orders_differ_by_epoch_and_seed() -> None:
    first = order(100, 10, 0, 0)
    assert not np.array_equal(first, order(100, 10, 0, 1))
    assert not np.array_equal(first, order(100, 10, 1, 0))


@given(st.integers(1, 100), st.integers(1, 30))
@settings(max_examples=50, deadline=None)
def test_evaluation_sees_every_image_once(count: int, size: int) -> None:
    index, mask = padded(count, size)
    assert sorted(index[mask > 0]) == list(range(count))


def test_shift_moves_and_fills_with_the_edge() -> None:
    images = np.arange(2 * 5 * 4, dtype=np.uint8).reshape(2, 5, 4, 1)
    moved = np.asarray(augment.shifted(images, jax.random.key(1), 2))
    for image, result in zip(images[..., 0], moved[..., 0], strict=True):
        edged = np.pad(image, 2, mode="edge")
        windows = [edged[a : a + 5, b : b + 4] for a in range(5) for b in range(5)]
        assert any(np.array_equal(result, window) for window in windows)


def test_cutout_blanks_a_square_and_mixup_blends() -> None:
    x = np.ones((8, 9, 9, 2), np.float32)
    cut = np.asarray(augment.cut_out(x, jax.random.key(0), 3))
    blank = (cut == 0).sum((1, 2, 3)) / 2
    assert (blank <= 9).all()
    assert blank.max() == 9
    data = dataset(mixup=0.4, flip=True, shift=1, cutout=2)
    recipe = evaluator(data, label_smoothing=0.1)._trainer.recipe
    images, labels = data.train.images[:16], data.train.labels[:16]
    _, targets = augment.training_batch(images, labels, jax.random.key(0), recipe)
    np.testing.assert_allclose(np.asarray(targets).sum(1), 1, rtol=1e-5)
    assert np.asarray(targets).min() >= 0.1 / 3 * 0.99


def test_both_forms_train_alike() -> None:
    data = dataset(shift=1)
    layers = evaluator(data, form="layers")._trainer.fit(EVERY_OP, 1, 0)
    whole = evaluator(data, form="whole")._trainer.fit(EVERY_OP, 1, 0)
    one = jax.tree.leaves((layers.state.parameters, layers.state.statistics))
    other = jax.tree.leaves((whole.state.parameters, whole.state.statistics))
    for a, b in zip(one, other, strict=True):
        # Adam's first steps divide by gradients that are all rounding where they should be zero.
        np.testing.assert_allclose(a, b, rtol=0.05, atol=0.05)
    assert layers.train_loss == pytest.approx(whole.train_loss, rel=1e-2)


def test_seeds_side_by_side_train_like_seeds_one_by_one() -> None:
    data = dataset(shift=1, flip=True, cutout=2, mixup=0.2)
    config = TrainConfig(batch=16, learning_rate=0.02, form="whole")
    trainer = Trainer(data, config, jax.local_devices()[0])
    # Odd lengths leave an epoch half way: the stable phase is start of the decay from in its
    # middle.
    found = trainer.fit_seeds(ARCHS["tiny"], 3, [0, 2**32 + 1])
    for seed, together in zip([0, 2**32 + 1], found, strict=True):
        alone = trainer.fit(ARCHS["tiny"], 3, seed)
        assert isinstance(together, Fitted)
        assert together.decay_start == alone.decay_start
        assert together.scores.accuracy == alone.scores.accuracy
        for one, other in zip(
            jax.tree.leaves((alone.state, alone.stable_phase)),
            jax.tree.leaves((together.state, together.stable_phase)),
            strict=True,
        ):
            np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-5)


def test_a_seed_that_diverges_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(arch: Arch, recipe: Recipe, seed: int) -> State:
        state = fresh(arch, recipe, seed)
        if seed == 1:
            state.parameters["stem"]["kernel"] = np.full((3, 3, 1, 4), np.nan, np.float32)
        return state

    trainer = Trainer(dataset(), TrainConfig(batch=16), jax.local_devices()[0])
    clean = trainer.fit_seeds(ARCHS["tiny"], 1, [0, 2])
    monkeypatch.setattr("search.engine.trainer.fresh", poisoned)
    first, broken = trainer.fit_seeds(ARCHS["tiny"], 1, [0, 1])
    assert isinstance(broken, Diverged)
    assert isinstance(first, Fitted)
    assert isinstance(clean[0], Fitted)
    assert first.scores == clean[0].scores
    nothing = trainer.fit_seeds(ARCHS["tiny"], 2, [1, 1])
    assert all(isinstance(one, Diverged) for one in nothing)


def test_how_many_steps_a_call_makes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluator()(job_of("small", 3))
    monkeypatch.setattr("search.engine.programs.per_epoch._MOST", 2)
    parts = evaluator()(job_of("small", 3))
    assert (parts.accuracy, parts.loss) == (whole.accuracy, whole.loss)


def test_streamed_data_is_trained_one_by_one() -> None:
    config = TrainConfig(batch=16, resident_megabytes=0)
    trainer = Trainer(dataset(), config, jax.local_devices()[0])
    with pytest.raises(UserError, match=r"train\.resident_megabytes"):
        trainer.fit_seeds(ARCHS["tiny"], 1, [0, 1])


def test_going_over_to_a_whole_program_half_way() -> None:
    trainer = evaluator(form="auto", convolutions="jax")._trainer
    layers = layers_of(EVERY_OP)
    change = per_layer_steps(layers, trainer.recipe, trainer.schedule.steps, "auto")
    assert change > 0
    assert change % trainer.schedule.steps == 0
    assert per_layer_steps(layers, trainer.recipe, 3, "whole") == 0
    assert per_layer_steps(layers, trainer.recipe, 3, "layers") > 10**9


def test_how_many_trainings_run_at_once() -> None:
    recipe = evaluator()._trainer.recipe
    kernels = replace(recipe, convolutions="native", platform="cpu", dtype="float32", batch=256)
    assert trainings_at_once(kernels, 64, 64, 2) == 2
    assert trainings_at_once(kernels, 64, 64, 1) == 1
    assert trainings_at_once(kernels, 64, 65, 16) == 1, "their maps would take the memory"
    assert trainings_at_once(replace(kernels, convolutions="fast"), 8, 8, 2) == 1
    assert trainings_at_once(replace(kernels, platform="gpu"), 8, 8, 2) == 1


def test_trainings_stop_before_their_next_step(tmp_path: Path) -> None:
    for megabytes in (None, 0):
        engine = evaluator(resident_megabytes=megabytes)
        threads = [
            threading.Thread(target=stopped_of, args=(engine, seed, tmp_path / str(seed)))
            for seed in range(2)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        engine.stop.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        engine.stop.clear()
        assert (tmp_path / "0").exists()
        assert (tmp_path / "1").exists()
        assert engine(job_of("small")).accuracy == evaluator()(job_of("small")).accuracy
        for one in tmp_path.iterdir():
            one.unlink()


def stopped_of(engine: TrainingEvaluator, seed: int, told: Path) -> None:
    try:
        engine(job_of("small", 10**6, seed))
    except KeyboardInterrupt:
        told.touch()


def test_streamed_batches_give_the_same_bits(tmp_path: Path) -> None:
    data = dataset(shift=1)
    mapped = np.lib.format.open_memmap(
        tmp_path / "images.npy", "w+", np.uint8, data.train.images.shape
    )
    mapped[:] = data.train.images
    for form in ("layers", "whole"):
        resident = evaluator(data, form=form)(job_of("small", 3))
        streamed = evaluator(data, form=form, resident_megabytes=0.0)(job_of("small", 3))
        assert (resident.accuracy, resident.loss) == (streamed.accuracy, streamed.loss)


@pytest.mark.parametrize(
    ("count", "held_out", "size", "classes"),
    [(10, 3, (1, 1, 1), 2), (7, 1, (3, 9, 4), 5), (33, 20, (24, 20, 3), 1000)],
)
def test_tiny_odd_and_many_classed_data(
    count: int, held_out: int, size: tuple[int, int, int], classes: int
) -> None:
    data = dataset(count, held_out, size=size, classes=classes)
    arch = Arch(Input(*size), Stem(4, 5), (Block("inverted", 4, 3, 1, 3),), Head(), classes)
    result = evaluator(data)(job_of(arch, 2))
    assert result.status == "ok", result.error
    assert 0 <= result.accuracy <= 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("batch", 0), ("decay", 1.5), ("optimiser", "adam"), ("label_smoothing", 1.0), ("form", "")],
)
def test_settings_out_of_range_are_refused(key: str, value: object) -> None:
    with pytest.raises(UserError, match=f"train.{key}"):
        TrainConfig(**{key: value})
