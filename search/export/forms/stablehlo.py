"""StableHLO in the file of `jax.export`: XLA's own convolutions, for CPU, CUDA and TPU.

The file runs without this project: `jax.export.deserialize(bytearray(data)).call(images)`.
"""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, export, lax

from search.engine.ops import ACTIVATE
from search.export.folded import Floats, Folded, groups_of, pads_of
from search.networks.layers import Layer

FILE = "model.stablehlo"
PLATFORMS = ("cpu", "cuda", "tpu")


def write(network: Folded, folder: Path, _calibration: Floats | None) -> None:
    """Write `model.stablehlo`, with the weights inside, for any number of images."""
    shape = network.arch.input
    (batch,) = export.symbolic_shape("batch")
    images = jax.ShapeDtypeStruct((batch, shape.height, shape.width, shape.channels), jnp.float32)
    exported = export.export(jax.jit(lambda x: forward(network, x)), platforms=PLATFORMS)(images)
    (folder / FILE).write_bytes(exported.serialize())


def load(folder: Path) -> Callable[[Floats], Floats]:
    """Return the written file as a function from images [n, h, w, c] to logits [n, classes]."""
    exported = export.deserialize(bytearray((folder / FILE).read_bytes()))
    return lambda images: np.asarray(exported.call(images))


def forward(network: Folded, images: Array) -> Array:
    """Return the logits [n, classes] of images [n, h, w, c]."""

    def apply(layer: Layer, x: Array, added: Array | None) -> Array:
        shape = layer.shape
        if shape.kind == "pool":
            window, strides = (1, shape.kernel, shape.kernel, 1), (1, shape.stride, shape.stride, 1)
            pooled: Array = lax.reduce_window(x, -np.inf, lax.max, window, strides, "SAME")
            return pooled
        weights = network.weights[layer.path]
        y = lax.conv_general_dilated(
            x,
            jnp.asarray(weights.kernel),
            (shape.stride, shape.stride),
            pads_of(shape),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups_of(shape),
        )
        y = y + weights.bias
        return ACTIVATE[shape.act](y if added is None else y + added)

    x = images if network.offset is None else images - network.offset
    features = network.walk(x, apply)
    return features.mean((1, 2)) @ network.dense.kernel + network.dense.bias
