"""A trained network as plain layers: BatchNorm folded into kernels, padding written out.

Every exported form is written from this, by `networks.layers.propagate` over `Folded.layers`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from search.engine.ops import EPSILON
from search.engine.ops.geometry import padding
from search.export.weights import Packed
from search.networks.arch import Arch
from search.networks.layers import IMAGE, Layer, layers_of, propagate
from search.networks.shapes import Shape

Floats = NDArray[np.float32]
Pads = tuple[tuple[int, int], tuple[int, int]]
"""Pixels added (before, after) the rows and (before, after) the columns."""
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Weights:
    """A layer's kernel, HWIO or [in, out], and its bias [out]; a depthwise one is [k, k, 1, c]."""

    kernel: Floats
    bias: Floats


@dataclass(frozen=True, eq=False)
class Folded:
    """A network for inference.

    `weights` are those of each convolution by its layer's path. `offset` [channels] is subtracted
    from the pixels, 0 to 255, and the rest of the normalisation is in the first kernel; None where
    the network takes normalised images. `data` is `Packed.data`.
    """

    arch: Arch
    layers: tuple[Layer, ...]
    weights: Mapping[str, Weights]
    dense: Weights
    offset: Floats | None
    data: Mapping[str, Any]

    def walk(self, image: Value, apply: Callable[[Layer, Value, Value | None], Value]) -> Value:
        """Return the last layer's output, before average pooling; see `propagate`."""
        return propagate(self.layers, image, apply)[-1]


def fold(packed: Packed, *, raw: bool = False) -> Folded:
    """Fold BatchNorm and, unless `raw`, the normalisation of the pixels, in float64.

    Zero padding means the mean pixel once the mean is subtracted, so only the scale of the
    normalisation may enter the first kernel.
    """
    arrays = packed.arrays
    layers = layers_of(packed.arch)
    mean, std = (np.asarray(packed.data[key], np.float64) for key in ("mean", "std"))
    weights = {}
    for layer in layers:
        if layer.shape.kind == "pool":
            continue
        kernel = np.asarray(arrays[f"{layer.path}.kernel"], np.float64)
        scale, shift, average, variance = (
            np.asarray(arrays[f"{layer.path}.norm.{name}"], np.float64)
            for name in ("scale", "bias", "mean", "var")
        )
        factor = scale / np.sqrt(variance + EPSILON)
        if layer.source == IMAGE and not raw:
            by_input = (255 * std) if layer.shape.kind == "depthwise" else (255 * std)[:, None]
            kernel = kernel / by_input
        weights[layer.path] = _rounded(kernel * factor, shift - average * factor)
    return Folded(
        packed.arch,
        layers,
        weights,
        _rounded(arrays["classifier.kernel"], arrays["classifier.bias"]),
        None if raw else (255 * mean).astype(np.float32),
        packed.data,
    )


def pads_of(shape: Shape) -> Pads:
    """Return the SAME padding of a layer as XLA defines it, written out."""
    rows, columns = (padding(size, shape.kernel, shape.stride) for size in shape.in_size)
    return rows, columns


def groups_of(shape: Shape) -> int:
    """Return the number of groups of a convolution: its channels if depthwise, else 1."""
    return shape.inputs if shape.kind == "depthwise" else 1


def _rounded(kernel: NDArray[np.floating], bias: NDArray[np.floating]) -> Weights:
    return Weights(np.ascontiguousarray(kernel, np.float32), np.ascontiguousarray(bias, np.float32))
