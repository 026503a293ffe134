"""Models with random weights, and what they compute by NumPy alone."""

import json
from pathlib import Path

import numpy as np
from archs import random_archs
from export.numpy_reference import forward
from numpy.random import Generator
from numpy.typing import NDArray

from search.export.weights import Packed
from search.networks.arch import Arch, to_json
from search.networks.cost import multiplies_of
from search.networks.layers import layers_of

ARCHS = list(random_archs(50))


def random_packed(arch: Arch, rng: Generator) -> Packed:
    """A model whose BatchNorm does something, for images of a mean and a deviation of their own."""
    arrays = {}
    for layer in layers_of(arch):
        if layer.shape.kind == "pool":
            continue
        kernel, width = layer.shape.kernel_shape, layer.shape.outputs
        arrays[f"{layer.path}.kernel"] = rng.normal(0, np.prod(kernel[:3]) ** -0.5, kernel)
        arrays[f"{layer.path}.norm.scale"] = rng.uniform(0.5, 1.5, width)
        # Above 0, or a small network of rectifiers often gives nothing but zeros.
        arrays[f"{layer.path}.norm.bias"] = rng.normal(0.5, 0.3, width)
        arrays[f"{layer.path}.norm.mean"] = rng.normal(0, 0.3, width)
        arrays[f"{layer.path}.norm.var"] = rng.uniform(0.5, 2, width)
    arrays["classifier.kernel"] = rng.normal(size=(width, arch.classes))
    arrays["classifier.bias"] = rng.normal(size=arch.classes)
    channels = arch.input.channels
    data = {
        "name": 'random "images"""\\',
        "classes": [f"it's {index}" for index in range(arch.classes)],
        "mean": rng.uniform(0.2, 0.7, channels).tolist(),
        "std": rng.uniform(0.1, 0.4, channels).tolist(),
    }
    rounded = {name: array.astype(np.float32) for name, array in arrays.items()}
    return Packed(Path("random"), arch, rounded, data, 0.5, multiplies_of(arch))


def random_pixels(arch: Arch, rng: Generator, count: int = 3) -> NDArray[np.float32]:
    size = (count, arch.input.height, arch.input.width, arch.input.channels)
    return rng.integers(0, 256, size).astype(np.float32)


def normalised(packed: Packed, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    found = (pixels / 255 - packed.data["mean"]) / packed.data["std"]
    return found.astype(np.float32)


def expected(packed: Packed, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logits in double precision."""
    images = (pixels.astype(np.float64) / 255 - packed.data["mean"]) / packed.data["std"]
    return forward(json.loads(to_json(packed.arch)), packed.arrays, images)
