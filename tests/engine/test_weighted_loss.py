"""Weights of the classes in the loss, and that trainings without them stay what they were."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from small import dataset, evaluator, job_of

from search.config.train import TrainConfig
from search.data.dataset import Augment
from search.engine.augment import training_batch
from search.engine.recipe import recipe_of
from search.engine.signature import signature

DEVICE = jax.devices("cpu")[0]
CHOSEN = [3.0, 1.0, 0.5]


def test_without_weights_nothing_compiles_anew() -> None:
    plain = recipe_of(dataset(), TrainConfig(), DEVICE)
    assert plain.class_weights == ()
    assert recipe_of(dataset(), TrainConfig(class_weights=None), DEVICE) == plain
    weighed = recipe_of(dataset(), TrainConfig(class_weights=CHOSEN), DEVICE)
    counts = dataset().class_counts
    assert np.dot(weighed.class_weights, counts) == pytest.approx(sum(counts))


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_the_loss_is_the_weighted_mean_of_the_images_own(mixup: float) -> None:
    data = dataset(mixup=mixup) if mixup else dataset()
    plain = recipe_of(data, TrainConfig(label_smoothing=0.1), DEVICE)
    weighed = recipe_of(data, TrainConfig(label_smoothing=0.1, class_weights=CHOSEN), DEVICE)
    images, labels = data.train.images[:8], jnp.asarray(data.train.labels[:8])
    key = jax.random.key(3)
    x, targets = training_batch(images, labels, key, weighed)
    same, unweighed = training_batch(images, labels, key, plain)
    np.testing.assert_array_equal(x, same)
    if mixup:
        assert weighed.augment == Augment(mixup=mixup)
        # Blended pairs keep the weights of both, each by its share.
        assert not np.allclose(targets, unweighed)
        assert np.all(targets.sum(1) <= max(weighed.class_weights) + 1e-6)
        return
    logits = jax.random.normal(jax.random.key(1), (8, 3))
    losses = optax.softmax_cross_entropy(logits, unweighed)
    expected = np.array(weighed.class_weights, np.float32)[np.asarray(labels)] * losses
    np.testing.assert_allclose(optax.softmax_cross_entropy(logits, targets), expected, rtol=1e-6)


def test_equal_weights_train_as_none_does_and_a_weight_of_zero_hides_a_class() -> None:
    job = job_of("tiny", epochs=3)
    plain = evaluator()(job)
    assert evaluator(class_weights=[2, 2, 2])(job).accuracy == plain.accuracy
    without = evaluator(class_weights=[1, 1, 0])(job)
    assert without.details["train_loss"] != plain.details["train_loss"]
    assert without.details["balanced_accuracy"] <= 2 / 3


def test_weights_of_classes_are_of_a_checkpoints_identity() -> None:
    weighted = TrainConfig(class_weights="balanced")
    assert signature(dataset(), weighted, DEVICE) != signature(dataset(), TrainConfig(), DEVICE)
