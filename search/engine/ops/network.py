"""All layers of a network as one operation, by the C++ kernels: what XLA compiles is a few calls.

Compiled layer by layer, a network of twenty layers takes a second and a half, as long as a short
training of it. Here its layers are numbers that the kernels read. Results have the same bits.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from search.engine.ops.native import BOUNDS, call
from search.networks.layers import Layer

Layers = tuple[Layer, ...]

# What stands for no addition; the image is IMAGE.
_NOTHING = -2
# Numbers after which the next array begins, so that it does so with a cache line.
_LINE = 16
_ACTIVATIONS = tuple(BOUNDS)


class Weights(NamedTuple):
    """Kernels [numbers], scales and biases [channels] of all layers, one after the other."""

    kernel: Array
    scale: Array
    bias: Array


class Seen(NamedTuple):
    """The last layer's output [n, h, w, c], and the batch's statistics behind every layer."""

    out: Array
    mean: Array
    variance: Array


def known(layers: Sequence[Layer]) -> bool:
    """Say whether there are kernels for all of these layers."""
    return all(one.shape.kind != "pool" and one.shape.act in BOUNDS for one in layers)


def plan_of(layers: Sequence[Layer]) -> NDArray[np.int64]:
    """Return ten numbers a layer, as search/engine/native/network.h reads them."""
    rows = [
        (
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
        for one in layers
    ]
    return np.array(rows, np.int64).reshape(-1)


def saved_floats(layers: Sequence[Layer], images: int) -> int:
    """Return how much the backward pass needs: of each layer two maps, of the last one."""
    maps = [-(-images * one.shape.out_elements // _LINE) * _LINE for one in layers]
    return 2 * sum(maps) - maps[-1]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def features(layers: Layers, weights: Weights, x: Array) -> Seen:
    """Apply the layers to images [n, h, w, c] by the batch's own statistics."""
    return _forward(layers, weights, x)[0]


def _forward(layers: Layers, weights: Weights, x: Array) -> tuple[Seen, Array]:
    channels = weights.scale.shape
    shapes = [_out(layers, x), channels, channels, (saved_floats(layers, x.shape[0]),)]
    *seen, saved = call("network_forward", shapes, *weights, x, plan=plan_of(layers))
    return Seen(*seen), saved


def _kept(layers: Layers, weights: Weights, x: Array) -> tuple[Seen, tuple[object, ...]]:
    seen, saved = _forward(layers, weights, x)
    return seen, (weights, seen.mean, seen.variance, x, saved)


def _backward(layers: Layers, kept: tuple[object, ...], gradient: Seen) -> tuple[Weights, Array]:
    weights, mean, variance, x, saved = kept
    assert isinstance(weights, Weights)
    shapes = [array.shape for array in weights]
    # The statistics feed running averages only, which nothing differentiates.
    given = (*weights, mean, variance, x, saved, gradient.out)
    found = call("network_backward", shapes, *given, plan=plan_of(layers))
    # Nothing asks for the gradient to the images.
    return Weights(*found), jax.numpy.zeros_like(x)


features.defvjp(_kept, _backward)


def evaluated(layers: Layers, weights: Weights, mean: Array, variance: Array, x: Array) -> Array:
    """Apply the layers to images by given statistics."""
    given = (*weights, mean, variance, x)
    out: Array = call("network_evaluate", _out(layers, x), *given, plan=plan_of(layers))
    return out


def _out(layers: Layers, x: Array) -> tuple[int, int, int, int]:
    shape = layers[-1].shape
    return (x.shape[0], *shape.out_size, shape.outputs)
