"""Soft labels: the loss by hand, the same in every kind of program, and nothing without them."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from search.engine.distillation import Distillation, SoftLabels, distilled
from search.engine.evaluator import TrainingEvaluator
from search.engine.recipe import recipe_of
from search.engine.signature import signature
from search.engine.state import fresh, weights_of, with_weights
from search.engine.trainer import Trainer

sys.path.insert(0, str(Path(__file__).parent))
from small import ARCHS, TINY, dataset, job_of

from search.config.train import TrainConfig


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def soft_labels(count: int = 50, temperature: float = 4.0, weight: float = 0.9) -> SoftLabels:
    logits = np.random.default_rng(1).normal(size=(count, 3)).astype(np.float32)
    return SoftLabels.of(logits, Distillation(temperature, weight))


@pytest.mark.parametrize(("temperature", "weight"), [(1.0, 0.5), (4.0, 0.9), (0.5, 1.0)])
def test_the_loss_is_that_of_the_paper(temperature: float, weight: float) -> None:
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(size=(2, 7, 5)).astype(np.float32)
    labels = generator.integers(0, 5, 7).astype(np.int32)
    soft = SoftLabels.of(teacher, Distillation(temperature, weight))
    found = distilled(student, soft.beside(labels), soft.distillation)
    hard = -log_softmax(student)[np.arange(7), labels]
    probabilities = np.exp(log_softmax(teacher / temperature))
    taught = -(probabilities * log_softmax(student / temperature)).sum(1) * temperature**2
    np.testing.assert_allclose(found, (1 - weight) * hard + weight * taught, rtol=1e-5)


def test_a_teacher_that_repeats_the_labels_changes_nothing() -> None:
    data, config = dataset(), TrainConfig(batch=16, form="whole")
    device = jax.local_devices()[0]
    hard = np.eye(3, dtype=np.float32)[data.train.labels]
    soft = SoftLabels(hard, Distillation(1.0, 0.5))
    plain = Trainer(data, config, device).fit(TINY, 1, 0)
    taught = Trainer(data, config, device, soft).fit(TINY, 1, 0)
    assert taught.scores.loss == pytest.approx(plain.scores.loss, rel=1e-5)


def test_every_kind_of_program_learns_the_same() -> None:
    data, soft = dataset(shift=1), soft_labels()
    device = jax.local_devices()[0]
    losses = []
    for form in ("layers", "whole"):
        config = TrainConfig(batch=16, form=form, label_smoothing=0.1)
        trainer = Trainer(data, config, device, soft)
        losses.append(trainer.fit(TINY, 2, 0).scores.loss)
    streamed = TrainConfig(batch=16, form="whole", label_smoothing=0.1, resident_megabytes=0)
    losses.append(Trainer(data, streamed, device, soft).fit(TINY, 2, 0).scores.loss)
    looped = TrainConfig(batch=16, form="whole", label_smoothing=0.1)
    found = Trainer(data, looped, device, soft).fit_seeds(TINY, 2, [0])
    losses.append(found[0].scores.loss)
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-4)
    plain = Trainer(data, looped, device).fit(TINY, 2, 0).scores.loss
    assert plain != pytest.approx(losses[0], rel=1e-3)


def test_without_a_teacher_nothing_is_compiled_anew() -> None:
    data, config, device = dataset(), TrainConfig(batch=16), jax.local_devices()[0]
    assert recipe_of(data, config, device) == Trainer(data, config, device).recipe
    assert Trainer(data, config, device).recipe.distillation is None
    assert (
        Trainer(data, config, device, soft_labels()).recipe != Trainer(data, config, device).recipe
    )


def test_checkpoints_of_another_teacher_or_beginning_are_not_gone_on_with() -> None:
    data, config, device = dataset(), TrainConfig(batch=16), jax.local_devices()[0]
    weights = weights_of(fresh(TINY, recipe_of(data, config, device), 3))
    other = {**weights, "classifier.bias": weights["classifier.bias"] + 1}
    signed = [
        signature(data, config, device),
        signature(data, config, device, soft_labels()),
        signature(data, config, device, soft_labels(weight=0.8)),
        signature(data, config, device, soft_labels(temperature=2.0)),
        signature(data, config, device, None, {TINY.id: weights}),
        signature(data, config, device, None, {TINY.id: other}),
    ]
    assert len(set(signed)) == len(signed)
    assert signed[0] == signature(data, config, device, None, {})


def test_given_weights_are_begun_with() -> None:
    data, config, device = dataset(), TrainConfig(batch=16), jax.local_devices()[0]
    recipe = recipe_of(data, config, device)
    given = {key: value + 1 for key, value in weights_of(fresh(TINY, recipe, 3)).items()}
    taken = {key: value for key, value in given.items() if "classifier" not in key}
    found = weights_of(with_weights(fresh(TINY, recipe, 5), taken))
    plain = weights_of(fresh(TINY, recipe, 5))
    for key, value in found.items():
        np.testing.assert_array_equal(value, taken.get(key, plain[key]))
    evaluator = TrainingEvaluator(data, config, None, initial={TINY.id: taken})
    assert (
        evaluator(job_of("tiny")).loss != TrainingEvaluator(data, config, None)(job_of("tiny")).loss
    )


def test_weights_that_fit_are_taken_over_and_the_rest_is_named() -> None:
    from dataclasses import replace

    from search.engine.transfer import transferred
    from search.networks.arch import Input

    arch = ARCHS["small"]
    weights = weights_of(fresh(arch, recipe_of(dataset(), TrainConfig(), jax.devices()[0]), 0))
    other = replace(arch, input=Input(8, 9, 3), classes=5)
    taken, anew = transferred(other, weights)
    assert {*taken, *anew} == {*weights}
    assert sorted(anew) == ["classifier.bias", "classifier.kernel", "stem.kernel"]
    for name, value in taken.items():
        np.testing.assert_array_equal(value, weights[name])
