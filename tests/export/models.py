"""Models with random weights, as a search or a retraining would leave them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from archs import fill_randomly

from search.engine.model import build
from search.export.weights import Measured, Packed
from search.networks.arch import Arch, Block, Head, Input, Stem
from search.networks.cost import multiplies_of

ARCH = Arch(
    Input(9, 6, 1),
    Stem(4, stride=2),
    (Block("conv", 5), Block("inverted", 6, stride=2, expansion=2), Block("separable", 6)),
    Head(7),
    3,
)
FINAL = Measured("test", 4, 3, 3, 0.01, {"balanced_accuracy": 0.75})


def packed(arch: Arch = ARCH, seed: int = 0, **changes: Any) -> Packed:
    """A model with random weights; `changes` replace fields of `Packed`."""
    channels = arch.input.channels
    data = {
        "name": "shapes",
        "classes": [f"class {index}" for index in range(arch.classes)],
        "shape": list(vars(arch.input).values()),
        "mean": [0.4] * channels,
        "std": [0.25] * channels,
        "images": {"train": 40, "validation": 10},
    }
    arrays = fill_randomly(build(arch), np.random.default_rng(seed))
    measured = Measured(epochs=2, seed=0)
    made = Packed(Path("made"), arch, arrays, data, 0.8, multiplies_of(arch), measured)
    return replace(made, **changes)


def images(count: int = 3, arch: Arch = ARCH) -> np.ndarray:
    """Random images, uint8 [count, height, width, channels]."""
    shape = (count, *vars(arch.input).values())
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
