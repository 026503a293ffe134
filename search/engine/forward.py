"""A network's layers as functions of plain arrays: the same ones for both forms of programs."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from search.engine import ops
from search.engine.augment import normalised, training_batch
from search.engine.batches import Batch
from search.engine.optimiser import Parameters, update
from search.engine.recipe import Recipe
from search.engine.state import CLASSIFIER, State, Tree
from search.networks.layers import IMAGE, Layer, Shape

# Share of the old running statistics that a step keeps; the default of `nnx.BatchNorm` is for
# trainings of many thousands of steps.
MOMENTUM = 0.9


class Totals(NamedTuple):
    """Sums over the images seen so far: cross-entropy, images and hits of each class [classes]."""

    loss: Any
    images: Any
    hits: Any


def no_totals(classes: int) -> Totals:
    """Totals before the first batch."""
    none = np.zeros(classes, np.float32)
    return Totals(np.float32(0), none, none)


def convolve(shape: Shape, recipe: Recipe, x: Array, kernel: Array) -> Array:
    """Apply the layer's convolution in the recipe's precision."""
    forms = ops.convolutions(recipe.convolutions, recipe.platform)
    form = {
        "conv": forms.standard,
        "depthwise": forms.depthwise,
        "pointwise": forms.pointwise,
    }[shape.kind]
    return form(x, kernel.astype(x.dtype), shape.stride)


def running(statistics: Parameters, mean: Array, variance: Array) -> Parameters:
    """Running statistics after one more batch."""
    return {
        "mean": MOMENTUM * statistics["mean"] + (1 - MOMENTUM) * mean,
        "var": MOMENTUM * statistics["var"] + (1 - MOMENTUM) * variance,
    }


def logits_of(parameters: Parameters, x: Array) -> Array:
    """Global average pooling and the dense layer, in float32: [n, h, w, c] to [n, classes]."""
    pooled = x.astype(jnp.float32).mean((1, 2))
    return pooled @ parameters["kernel"] + parameters["bias"]


def loss_of(parameters: Parameters, x: Array, targets: Array) -> Array:
    """Mean cross-entropy against targets [n, classes]."""
    losses: Array = optax.softmax_cross_entropy(logits_of(parameters, x), targets)
    return losses.mean()


def scored(parameters: Parameters, x: Array, labels: Array, mask: Array, totals: Totals) -> Totals:
    """Totals after one more batch of evaluation; images whose mask is 0 are padding."""
    logits = logits_of(parameters, x)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    classes = jax.nn.one_hot(labels, logits.shape[-1]) * mask[:, None]
    # A NaN is no class: argmax would call it the first.
    right = (logits.argmax(-1) == labels) & jnp.isfinite(losses)
    return Totals(
        totals.loss + jnp.where(mask > 0, losses, 0).sum(),
        totals.images + classes.sum(0),
        totals.hits + (classes * right[:, None].astype(classes.dtype)).sum(0),
    )


def trained_logits_input(
    layers: tuple[Layer, ...], recipe: Recipe, parameters: Tree, x: Array
) -> tuple[Array, dict[str, tuple[Array, Array]]]:
    """The last layer's output by the batch's own statistics, and those of every layer."""
    values: list[Array] = []
    seen: dict[str, tuple[Array, Array]] = {}
    for layer in layers:
        source, add = _inputs(layer, values, x)
        if layer.shape.kind == "pool":
            values.append(ops.pool(source))
            continue
        p = parameters[layer.path]
        y = convolve(layer.shape, recipe, source, p["kernel"])
        result = ops.normalise(y, p["scale"], p["bias"], add, layer.shape.act)
        values.append(result.out)
        seen[layer.path] = (result.mean, result.variance)
    return values[-1], seen


def evaluated(
    layers: tuple[Layer, ...], recipe: Recipe, parameters: Tree, statistics: Tree, x: Array
) -> Array:
    """The last layer's output by the running statistics."""
    values: list[Array] = []
    for layer in layers:
        source, add = _inputs(layer, values, x)
        if layer.shape.kind == "pool":
            values.append(ops.pool(source))
            continue
        p, s = parameters[layer.path], statistics[layer.path]
        y = convolve(layer.shape, recipe, source, p["kernel"])
        values.append(
            ops.scaled(y, p["scale"], p["bias"], s["mean"], s["var"], add, layer.shape.act)
        )
    return values[-1]


def _inputs(layer: Layer, values: list[Array], x: Array) -> tuple[Array, Array | None]:
    source = x if layer.source == IMAGE else values[layer.source]
    return source, None if layer.added is None else values[layer.added]


def whole_loss(
    layers: tuple[Layer, ...], recipe: Recipe, parameters: Tree, x: Array, targets: Array
) -> tuple[Array, dict[str, tuple[Array, Array]]]:
    """Training loss of the whole network, and the batch's statistics of every layer."""
    last, seen = trained_logits_input(layers, recipe, parameters, x)
    return loss_of(parameters[CLASSIFIER], last, targets), seen


def stepped(
    layers: tuple[Layer, ...],
    recipe: Recipe,
    state: State,
    batch: Batch,
    seed: Array,
    step: Array,
    rate: Array,
) -> tuple[State, Array]:
    """One step of training: the new state, and the loss before it."""
    images, labels, index = batch
    key = jax.random.fold_in(jax.random.key(seed), step)
    x, targets = training_batch(images[index], labels[index], key, recipe)
    # Fused into the first convolution, the making of a batch would be done once for each tap.
    x, targets = lax.optimization_barrier((x, targets))

    def loss_of_network(parameters: Any) -> Any:
        return whole_loss(layers, recipe, parameters, x, targets)

    differentiated = jax.value_and_grad(loss_of_network, has_aux=True)
    (loss, seen), gradients = differentiated(state.parameters)
    parameters, opt_state = {}, {}
    for path, gradient in gradients.items():
        parameters[path], opt_state[path] = update(
            recipe, gradient, state.opt_state[path], state.parameters[path], rate
        )
    statistics = {p: running(s, *seen[p]) for p, s in state.statistics.items()}
    return State(parameters, statistics, opt_state), loss


def counted(
    layers: tuple[Layer, ...],
    recipe: Recipe,
    state: State,
    batch: Batch,
    mask: Array,
    totals: Totals,
) -> Totals:
    """Totals after one more batch of evaluation."""
    images, labels, index = batch
    x = lax.optimization_barrier(normalised(images[index], recipe))
    last = evaluated(layers, recipe, state.parameters, state.statistics, x)
    return scored(state.parameters[CLASSIFIER], last, labels[index], mask, totals)
