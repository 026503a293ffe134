"""The programs of a single layer: what each computes, and the shapes it is compiled for."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from search.data.dataset import Augment
from search.engine import ops
from search.engine.augment import normalised, training_batch
from search.engine.forward import (
    Totals,
    add_scores,
    convolve,
    loss_and_accuracy,
    operations,
    update_running,
)
from search.engine.optimiser import Parameters, update
from search.engine.programs.cache import ProgramSpec
from search.engine.recipe import Recipe
from search.engine.state import opt_state_shapes
from search.networks.shapes import Shape

MapShape = tuple[int, int, int]
"""Height, width and channels of a map, or of an image."""
Spec = jax.ShapeDtypeStruct


def batch(recipe: Recipe, image: MapShape, length: int) -> ProgramSpec:
    """(images, labels, index, seed, step) to augmented images and targets."""

    def make(
        images: Array, labels: Array, index: Array, seed: Array, step: Array
    ) -> tuple[Array, Array]:
        key = jax.random.fold_in(jax.random.key(seed), step)
        return training_batch(images[index], labels[index], key, recipe)

    number = Spec((), np.uint32)
    arguments = (*_images(recipe, image, labels_like(recipe, length)), number, number)
    return ProgramSpec(("batch", recipe, image, length), make, arguments)


def plain(recipe: Recipe, image: MapShape, length: int) -> ProgramSpec:
    """(images, labels, index) to normalised images and their labels."""

    def make(images: Array, labels: Array, index: Array) -> tuple[Array, Array]:
        return normalised(images[index], recipe), labels[index]

    arguments = _images(recipe, image, Spec((length,), np.int32))
    return ProgramSpec(("plain", recipe, image, length), make, arguments)


def forward(recipe: Recipe, shape: Shape) -> ProgramSpec:
    """(parameters, statistics, x, add, training) to the output and what `backward` needs.

    Training and evaluation share it, so that half as many programs are compiled: the flag
    `training` chooses between the batch's statistics and the running ones.
    """
    recipe = _of_layers(recipe)

    def run(p: Parameters, s: Parameters, x: Array, add: Array | None, training: Array) -> Any:
        y = convolve(shape, recipe, x, p["kernel"])
        mean, variance = operations(recipe).moments(y)
        used = (jnp.where(training, mean, s["mean"]), jnp.where(training, variance, s["var"]))
        out = operations(recipe).scaled(y, p["scale"], p["bias"], *used, add, shape.act)
        return out, y, mean, variance, update_running(s, mean, variance)

    x, add, _ = _maps(recipe, shape)
    p, s = _weights(shape)
    return ProgramSpec(("forward", recipe, shape), run, (p, s, x, add, Spec((), np.bool_)))


def backward(recipe: Recipe, shape: Shape, *, first: bool) -> ProgramSpec:
    """Gradients to the input (not of the first layer) and the addition, and updated parameters."""
    recipe = _of_layers(recipe)

    def run(
        p: Parameters,
        opt_state: Any,
        rate: Array,
        x: Array,
        y: Array,
        add: Array | None,
        mean: Array,
        variance: Array,
        gradient: Array,
    ) -> Any:
        saved = (y, p["scale"], p["bias"], add, mean, variance)
        dy, scale, bias, to_add = operations(recipe).normalise_backward(shape.act, saved, gradient)
        if first:
            _, pull = jax.vjp(lambda k: convolve(shape, recipe, x, k), p["kernel"])
            (kernel,) = pull(dy)
            to_x = None
        else:
            _, pull = jax.vjp(partial(convolve, shape, recipe), x, p["kernel"])
            to_x, kernel = pull(dy)
        gradients = {"kernel": kernel, "scale": scale, "bias": bias}
        return to_x, to_add, *update(recipe, gradients, opt_state, p, rate)

    x, add, out = _maps(recipe, shape)
    p, _ = _weights(shape)
    channels = _floats(shape.outputs)
    arguments = (p, opt_state_shapes(recipe, p), _floats(), x, out, add, channels, channels, out)
    return ProgramSpec(("backward", recipe, shape, first), run, arguments)


def pool(recipe: Recipe, shape: Shape) -> ProgramSpec:
    """Max pooling of x."""
    recipe = _of_layers(recipe)
    x, _, _ = _maps(recipe, shape)
    return ProgramSpec(("pool", recipe, shape), ops.pool, (x,))


def unpool(recipe: Recipe, shape: Shape) -> ProgramSpec:
    """(x, gradient) to the gradient to the pooling's input."""
    recipe = _of_layers(recipe)

    def run(x: Array, gradient: Array) -> Array:
        to_x: Array = jax.vjp(ops.pool, x)[1](gradient)[0]
        return to_x

    x, _, out = _maps(recipe, shape)
    return ProgramSpec(("unpool", recipe, shape), run, (x, out))


def loss(recipe: Recipe, size: MapShape) -> ProgramSpec:
    """(parameters, opt_state, rate, x, targets) to the scores, the gradient to x, the update.

    The scores [2] are the loss and the accuracy.
    """
    recipe = _of_classifier(recipe)

    def run(p: Parameters, opt_state: Any, rate: Array, x: Array, targets: Array) -> Any:
        differentiated = jax.value_and_grad(loss_and_accuracy, (0, 1), has_aux=True)
        scores, (gradients, to_x) = differentiated(p, x, targets, recipe.distillation)
        return jnp.stack(scores), to_x, *update(recipe, gradients, opt_state, p, rate)

    p, x = _classifier(recipe, size)
    pair = () if recipe.distillation is None else (2,)
    targets = _floats(recipe.batch, *pair, recipe.classes)
    arguments = (p, opt_state_shapes(recipe, p), _floats(), x, targets)
    return ProgramSpec(("loss", recipe, size), run, arguments)


def score(recipe: Recipe, size: MapShape) -> ProgramSpec:
    """(parameters, x, labels, mask, totals) to the totals after this batch."""
    recipe = replace(_of_classifier(recipe), distillation=None)
    p, x = _classifier(recipe, size)
    labels = Spec((recipe.batch,), np.int32)
    arguments = (p, x, labels, _floats(recipe.batch), totals_like(recipe))
    return ProgramSpec(("score", recipe, size), add_scores, arguments)


def total(recipe: Recipe, size: MapShape) -> ProgramSpec:
    """Sum of two gradients to the same value."""
    recipe = _of_layers(recipe)

    def run(first: Array, second: Array) -> Array:
        return first + second

    spec = Spec((recipe.batch, *size), recipe.dtype)
    return ProgramSpec(("total", recipe, size), run, (spec, spec))


def totals_like(recipe: Recipe) -> Totals:
    """Return the shapes of an evaluation's totals."""
    return Totals(_floats(), _floats(recipe.classes), _floats(recipe.classes))


def labels_like(recipe: Recipe, length: int) -> Spec:
    """Return the shape of `length` training labels, soft ones included; see `batches.Batch`."""
    if recipe.distillation is None:
        return Spec((length,), np.int32)
    return _floats(length, 2, recipe.classes)


def _of_classifier(recipe: Recipe) -> Recipe:
    """Return what a classifier's programs depend on: nothing of how images are prepared.

    Keys say no more than programs depend on: another seed has another training part, with another
    mean, and no program of an earlier search would serve it.
    """
    unprepared = Augment()
    return replace(
        recipe, mean=(), std=(), augment=unprepared, label_smoothing=0.0, class_weights=()
    )


def _of_layers(recipe: Recipe) -> Recipe:
    """Return what the programs of inner layers depend on: nothing of the classes either."""
    return replace(_of_classifier(recipe), classes=0, distillation=None)


def _images(recipe: Recipe, image: MapShape, labels: Spec) -> tuple[Spec, Spec, Spec]:
    return Spec((labels.shape[0], *image), np.uint8), labels, Spec((recipe.batch,), np.int32)


def _maps(recipe: Recipe, shape: Shape) -> tuple[Spec, Spec | None, Spec]:
    x = Spec((recipe.batch, shape.height, shape.width, shape.inputs), recipe.dtype)
    out = Spec((recipe.batch, *shape.out_size, shape.outputs), recipe.dtype)
    return x, out if shape.adds else None, out


def _weights(shape: Shape) -> tuple[dict[str, Spec], dict[str, Spec]]:
    channels = _floats(shape.outputs)
    parameters = {"kernel": _floats(*shape.kernel_shape), "scale": channels, "bias": channels}
    return parameters, {"mean": channels, "var": channels}


def _classifier(recipe: Recipe, size: MapShape) -> tuple[dict[str, Spec], Spec]:
    parameters = {"kernel": _floats(size[2], recipe.classes), "bias": _floats(recipe.classes)}
    return parameters, Spec((recipe.batch, *size), recipe.dtype)


def _floats(*shape: int) -> Spec:
    return Spec(shape, np.float32)
