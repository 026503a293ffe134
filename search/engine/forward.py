"""Training and evaluation as functions of plain arrays, shared by all kinds of programs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from search.engine import ops
from search.engine.augment import normalised, training_batch
from search.engine.batches import Batch
from search.engine.distillation import Distillation, distilled
from search.engine.kept import CLASSIFIER, Tree
from search.engine.ops import native, network
from search.engine.ops.network import LAYERS, Layers, Plan
from search.engine.optimiser import Parameters, update
from search.engine.recipe import Recipe
from search.engine.state import State
from search.networks.layers import Layer, propagate
from search.networks.shapes import Shape

BatchStatistics = dict[str, tuple[Array, Array]]
"""Mean and variance [channels] of one batch behind each convolution, by the layer's path."""

# Share of the old running statistics that a step keeps. The default of `nnx.BatchNorm`, 0.99, suits
# trainings of many thousands of steps.
MOMENTUM = 0.9


class Totals(NamedTuple):
    """Sums over the images seen so far: cross-entropy, images and hits of each class [classes]."""

    loss: Any
    images: Any
    hits: Any


def no_totals(classes: int) -> Totals:
    """Return the totals before the first batch."""
    none = np.zeros(classes, np.float32)
    return Totals(np.float32(0), none, none)


def operations(recipe: Recipe) -> ops.Operations:
    """Return the operations that the recipe's networks are made of."""
    other = "fast" if recipe.convolutions == "native" else recipe.convolutions
    return ops.operations("native" if recipe.native else other, recipe.platform)


def convolve(shape: Shape, recipe: Recipe, x: Array, kernel: Array) -> Array:
    """Apply the layer's convolution in the recipe's precision."""
    convolution = operations(recipe).of(shape.kind)
    return convolution(x, kernel.astype(x.dtype), shape.stride)


def update_running(statistics: Parameters, mean: Array, variance: Array) -> Parameters:
    """Return the running statistics after one more batch."""
    return {
        "mean": MOMENTUM * statistics["mean"] + (1 - MOMENTUM) * mean,
        "var": MOMENTUM * statistics["var"] + (1 - MOMENTUM) * variance,
    }


def all_running(recipe: Recipe, statistics: Tree, seen: BatchStatistics) -> Tree:
    """Return the running statistics of all layers after one more batch."""
    if not recipe.native:
        return {path: update_running(s, *seen[path]) for path, s in statistics.items()}
    old = [s[name] for s in statistics.values() for name in ("mean", "var")]
    new = [value for path in statistics for value in seen[path]]
    found = iter(native.blended(old, new, jnp.float32(MOMENTUM)))
    return {path: {"mean": next(found), "var": next(found)} for path in statistics}


def logits_of(parameters: Parameters, x: Array) -> Array:
    """Apply global average pooling and the dense layer, in float32: [n, h, w, c] → [n, classes]."""
    pooled = x.astype(jnp.float32).mean((1, 2))
    return pooled @ parameters["kernel"] + parameters["bias"]


def loss_and_accuracy(
    parameters: Parameters, x: Array, targets: Array, distillation: Distillation | None = None
) -> tuple[Array, Array]:
    """Return the mean cross-entropy against targets [n, classes], and the share of hits.

    A hit is an image whose largest logit is its largest target's. With a teacher the loss is as
    `distilled` says, and hits are counted against the hard targets.
    """
    logits = logits_of(parameters, x)
    losses: Array
    if distillation is not None:
        losses, hard = distilled(logits, targets, distillation), targets[:, 0]
    else:
        losses, hard = optax.softmax_cross_entropy(logits, targets), targets
    # Computed once more, behind a barrier: another use of the loss's own logits changes how XLA
    # fuses them, and with it the last bits of the weights.
    weights, kept, aims = lax.optimization_barrier((parameters, x, hard))
    hits = logits_of(weights, kept).argmax(-1) == aims.argmax(-1)
    return losses.mean(), hits.mean(dtype=jnp.float32)


def add_scores(
    parameters: Parameters, x: Array, labels: Array, mask: Array, totals: Totals
) -> Totals:
    """Return the totals after one more batch; images whose mask is 0 are padding."""
    logits = logits_of(parameters, x)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    classes = jax.nn.one_hot(labels, logits.shape[-1]) * mask[:, None]
    # argmax of NaN logits is class 0, which must not count as a hit.
    right = (logits.argmax(-1) == labels) & jnp.isfinite(losses)
    return Totals(
        totals.loss + jnp.where(mask > 0, losses, 0).sum(),
        totals.images + classes.sum(0),
        totals.hits + (classes * right[:, None].astype(classes.dtype)).sum(0),
    )


def training_features(
    layers: Layers, recipe: Recipe, parameters: Tree, x: Array
) -> tuple[Array, BatchStatistics]:
    """Return the last layer's output by the batch's own statistics, and those statistics."""
    if isinstance(layers, Plan):
        seen = network.features(layers, network.Weights(**parameters[LAYERS]), x)
        return seen.out, {LAYERS: (seen.mean, seen.variance)}
    statistics: BatchStatistics = {}

    def apply(layer: Layer, x: Array, add: Array | None) -> Array:
        if layer.shape.kind == "pool":
            return ops.pool(x)
        p = parameters[layer.path]
        y = convolve(layer.shape, recipe, x, p["kernel"])
        normalise = operations(recipe).normalise
        out, mean, variance = normalise(y, p["scale"], p["bias"], add, layer.shape.act)
        statistics[layer.path] = (mean, variance)
        return out

    return propagate(layers, x, apply)[-1], statistics


def evaluation_features(
    layers: Layers, recipe: Recipe, parameters: Tree, statistics: Tree, x: Array
) -> Array:
    """Return the last layer's output by the running statistics."""
    if isinstance(layers, Plan):
        s = statistics[LAYERS]
        weights = network.Weights(**parameters[LAYERS])
        return network.evaluated(layers, weights, s["mean"], s["var"], x)

    def apply(layer: Layer, x: Array, add: Array | None) -> Array:
        if layer.shape.kind == "pool":
            return ops.pool(x)
        p, s = parameters[layer.path], statistics[layer.path]
        y = convolve(layer.shape, recipe, x, p["kernel"])
        scaled: Array = operations(recipe).scaled(
            y, p["scale"], p["bias"], s["mean"], s["var"], add, layer.shape.act
        )
        return scaled

    return propagate(layers, x, apply)[-1]


def batch_statistics(
    layers: Layers, recipe: Recipe, parameters: Tree, images: Array, index: Array
) -> BatchStatistics:
    """Return the statistics of one batch, its images neither shifted nor mirrored."""
    x = lax.optimization_barrier(normalised(images[index], recipe))
    return training_features(layers, recipe, parameters, x)[1]


def pooled(statistics: Mapping[str, tuple[Any, Any]]) -> Tree:
    """Return the statistics of all images, from those of equal batches [..., batches, channels]."""
    return {
        path: {"mean": means.mean(-2), "var": variances.mean(-2) + means.var(-2)}
        for path, (means, variances) in statistics.items()
    }


def network_loss(
    layers: Layers, recipe: Recipe, parameters: Tree, x: Array, targets: Array
) -> tuple[Array, tuple[Array, BatchStatistics]]:
    """Return the training loss of the whole network; its accuracy and the batch's statistics."""
    features, statistics = training_features(layers, recipe, parameters, x)
    loss, accuracy = loss_and_accuracy(
        parameters[CLASSIFIER], features, targets, recipe.distillation
    )
    return loss, (accuracy, statistics)


def train_step(
    layers: Layers,
    recipe: Recipe,
    state: State,
    batch: Batch,
    seed: Array,
    step: Array,
    rate: Array,
) -> tuple[State, Array]:
    """Take one step of training; returns the new state, and loss and accuracy before it [2]."""
    images, labels, index = batch
    key = jax.random.fold_in(jax.random.key(seed), step)
    x, targets = training_batch(images[index], labels[index], key, recipe)
    # Without the barrier XLA fuses augmentation into the first convolution and repeats it for each
    # element of the kernel.
    x, targets = lax.optimization_barrier((x, targets))

    def loss_of_parameters(parameters: Any) -> Any:
        return network_loss(layers, recipe, parameters, x, targets)

    differentiated = jax.value_and_grad(loss_of_parameters, has_aux=True)
    (loss, (accuracy, seen)), gradients = differentiated(state.parameters)
    parameters, opt_state = {}, {}
    for path, gradient in gradients.items():
        parameters[path], opt_state[path] = update(
            recipe, gradient, state.opt_state[path], state.parameters[path], rate
        )
    statistics = all_running(recipe, state.statistics, seen)
    return State(parameters, statistics, opt_state), jnp.stack([loss, accuracy])


def evaluation_step(
    layers: Layers,
    recipe: Recipe,
    state: State,
    batch: Batch,
    mask: Array,
    totals: Totals,
) -> Totals:
    """Return the totals after one more batch of evaluation."""
    images, labels, index = batch
    x = lax.optimization_barrier(normalised(images[index], recipe))
    features = evaluation_features(layers, recipe, state.parameters, state.statistics, x)
    return add_scores(state.parameters[CLASSIFIER], features, labels[index], mask, totals)
