"""Labelled images as arrays, as data rooms hand them to the engine; NumPy alone."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    `images`: uint8 [n, height, width, channels], in memory or mapped from a file; `labels`: int32
    [n], from 0; `fingerprint`: hexadecimal SHA-256 of both.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Augment:
    """Random changes to a training image, made inside the compiled program; none in evaluation.

    `shift`: at most so many pixels each way, filled with the edge; `flip`: mirror left to right
    half of the time; `cutout`: side of a square set to the mean, 0 for none; `mixup`: alpha of the
    Beta distribution that blends pairs (arXiv:1710.09412), 0 for none.
    """

    shift: int = 0
    flip: bool = False
    cutout: int = 0
    mixup: float = 0.0


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a search sees: the training part and the validation part, never the test split.

    `mean` and `std` are one value a channel, of pixels scaled to [0, 1], from the training part.
    """

    name: str
    train: Split
    validation: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: Augment = field(default_factory=Augment)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels
