"""All layers of a network as one operation, by the C++ kernels: what XLA compiles is a few calls.

Compiled layer by layer, a network of twenty layers takes a second and a half, as long as a short
training of it. Here its layers are numbers that the kernels read, so that one program serves many
networks. Results have the same bits.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from search.engine.ops.native import BOUNDS, call
from search.networks.layers import IMAGE, Layer

# Where a state has the arrays of all layers.
LAYERS = "layers"
# What stands for no addition, where the image is IMAGE, and for no layer.
_NOTHING = _NO_LAYER = -2
# Numbers after which the next array begins, so that it does so with a cache line.
_LINE = 16
_ACTIVATIONS = tuple(BOUNDS)


class Plan(NamedTuple):
    """Layers that a program reads when it runs.

    `rows` [layers or more, 10]; `out`: height, width and channels of the last map; `saved`: room
    for what the backward pass needs.
    """

    rows: Array
    out: tuple[int, int, int]
    saved: int


Layers = tuple[Layer, ...] | Plan


class Weights(NamedTuple):
    """Kernels, scales and biases of all layers, one after the other, with room behind the last."""

    kernel: Array
    scale: Array
    bias: Array


class Seen(NamedTuple):
    """The last layer's output [n, h, w, c], and the batch's statistics behind every layer."""

    out: Array
    mean: Array
    variance: Array


def known(layers: Sequence[Layer]) -> bool:
    """Say whether there are kernels for all of these layers, and for how they are wired."""
    read = {one.source for one in layers} | {one.added for one in layers}
    wired = all(index in read for index in range(len(layers) - 1))
    plain = all(one.shape.kind != "pool" and one.shape.act in BOUNDS for one in layers)
    return wired and plain and all(one.added != IMAGE for one in layers)


def plan_of(layers: Sequence[Layer], rows: int) -> NDArray[np.int32]:
    """Return ten numbers a layer, as search/engine/native/network.h reads them: [rows, 10]."""
    plan = np.full((rows, 10), _NO_LAYER, np.int32)
    for row, one in zip(plan, layers, strict=False):
        row[:] = (
            one.shape.kind == "depthwise",
            one.source,
            _NOTHING if one.added is None else one.added,
            _ACTIVATIONS.index(one.shape.act),
            one.shape.height,
            one.shape.width,
            one.shape.inputs,
            one.shape.outputs,
            one.shape.kernel,
            one.shape.stride,
        )
    return plan


def saved_floats(layers: Sequence[Layer], images: int) -> int:
    """Return how much the backward pass needs: of each layer two maps, one of the last."""
    maps = [-(-images * one.shape.out_elements // _LINE) * _LINE for one in layers]
    return 2 * sum(maps) - maps[-1]


def features(plan: Plan, weights: Weights, x: Array) -> Seen:
    """Apply the layers to images [n, h, w, c] by the batch's own statistics."""
    return _features((plan.out, plan.saved), plan.rows, weights, x)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _features(sizes: Any, rows: Array, weights: Weights, x: Array) -> Seen:
    return _forward(sizes, rows, weights, x)[0]


def _forward(sizes: Any, rows: Array, weights: Weights, x: Array) -> tuple[Seen, Array]:
    out, saved = sizes
    channels = weights.scale.shape
    shapes = [(x.shape[0], *out), channels, channels, (saved,)]
    *seen, kept = call("network_forward", shapes, rows, *weights, x)
    return Seen(*seen), kept


def _kept(sizes: Any, rows: Array, weights: Weights, x: Array) -> tuple[Seen, tuple[Any, ...]]:
    seen, kept = _forward(sizes, rows, weights, x)
    return seen, (rows, weights, seen.mean, seen.variance, x, kept)


def _backward(
    sizes: Any,  # noqa: ARG001
    saved: tuple[Any, ...],
    gradient: Seen,
) -> tuple[None, Weights, None]:
    rows, weights, mean, variance, x, kept = saved
    shapes = [array.shape for array in weights]
    # The statistics feed running averages only, which nothing differentiates.
    given = (rows, *weights, mean, variance, x, kept, gradient.out)
    found = call("network_backward", shapes, *given)
    # Nothing asks for the gradient to the images.
    return None, Weights(*found), None


_features.defvjp(_kept, _backward)


def evaluated(plan: Plan, weights: Weights, mean: Array, variance: Array, x: Array) -> Array:
    """Apply the layers to images by given statistics."""
    shape = (x.shape[0], *plan.out)
    out: Array = call("network_evaluate", shape, plan.rows, *weights, mean, variance, x)
    return out
