"""Normalisation and augmentation of raw batches, inside the compiled programs."""

import jax
import jax.numpy as jnp
from jax import Array

from search.data.dataset import Augment
from search.engine.recipe import Recipe


def normalised(images: Array, recipe: Recipe) -> Array:
    """uint8 [n, h, w, c] to zero mean and unit deviation a channel, in the recipe's dtype."""
    mean = jnp.asarray(recipe.mean, jnp.float32)
    scale = 1 / jnp.maximum(jnp.asarray(recipe.std, jnp.float32), 1e-6)
    return ((images.astype(jnp.float32) / 255 - mean) * scale).astype(recipe.dtype)


def training_batch(images: Array, labels: Array, key: Array, recipe: Recipe) -> tuple[Array, Array]:
    """Augmented images, and targets [n, classes]: one-hot, smoothed, weighted, mixed.

    The cross-entropy is linear in its targets, so a class's weight goes there, and no other program
    knows of it. With a teacher, labels and targets are [n, 2, classes]; the soft ones are weighted
    and mixed, not smoothed.
    """
    augment = recipe.augment
    keys = jax.random.split(key, 4)
    x = images
    if augment.shift:
        x = shifted(x, keys[0], augment.shift)
    if augment.flip:
        mirror = jax.random.bernoulli(keys[1], 0.5, (x.shape[0], 1, 1, 1))
        x = jnp.where(mirror, x[:, :, ::-1], x)
    x = normalised(x, recipe)
    if augment.cutout:
        x = cut_out(x, keys[2], augment.cutout)
    taught = recipe.distillation is not None
    targets = labels[:, 0] if taught else jax.nn.one_hot(labels, recipe.classes)
    smooth = recipe.label_smoothing
    targets = targets * (1 - smooth) + smooth / recipe.classes
    if taught:
        targets = jnp.stack([targets, labels[:, 1]], 1)
    if recipe.class_weights:
        known = labels[:, 0].argmax(-1) if taught else labels
        weights = jnp.asarray(recipe.class_weights, jnp.float32)[known]
        targets = targets * weights.reshape(-1, *(1,) * (targets.ndim - 1))
    return mixed(x, targets, keys[3], augment) if augment.mixup else (x, targets)


def shifted(x: Array, key: Array, reach: int) -> Array:
    """Move each image by up to `reach` pixels each way; the edge fills what comes into view."""
    n, height, width, _ = x.shape
    moves = jax.random.randint(key, (n, 2), -reach, reach + 1)
    rows = jnp.clip(jnp.arange(height) + moves[:, :1], 0, height - 1)
    columns = jnp.clip(jnp.arange(width) + moves[:, 1:], 0, width - 1)
    x = jnp.take_along_axis(x, rows[:, :, None, None], 1)
    return jnp.take_along_axis(x, columns[:, None, :, None], 2)


def cut_out(x: Array, key: Array, side: int) -> Array:
    """Blank a square of each image, its centre anywhere (arXiv:1708.04552); 0 is the mean."""
    n, height, width, _ = x.shape
    place = jax.random.uniform(key, (n, 2))
    top = jnp.floor(place[:, :1] * height) - side // 2
    left = jnp.floor(place[:, 1:] * width) - side // 2
    rows, columns = (jnp.arange(size, dtype=top.dtype) for size in (height, width))
    tall = (rows >= top) & (rows < top + side)
    wide = (columns >= left) & (columns < left + side)
    return jnp.where((tall[:, :, None] & wide[:, None, :])[..., None], jnp.zeros((), x.dtype), x)


def mixed(x: Array, targets: Array, key: Array, augment: Augment) -> tuple[Array, Array]:
    """Blend each image and target with the next one's, by one share for the whole batch."""
    share = jax.random.beta(key, augment.mixup, augment.mixup)
    blend = share.astype(x.dtype)
    x = blend * x + (1 - blend) * jnp.roll(x, 1, 0)
    return x, share * targets + (1 - share) * jnp.roll(targets, 1, 0)
