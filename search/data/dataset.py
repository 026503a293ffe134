"""Labelled images as arrays, the form in which the engine receives a data set; NumPy only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class ImageView:
    """Some of the images of an array, by their indices, read when they are asked for.

    `base`: uint8 [m, height, width, channels], usually a memory map; `indices` [n]: which of them.
    Behaves as an array [n, height, width, channels] that can be indexed along its first axis.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, base: NDArray[np.uint8], indices: NDArray[np.intp]) -> None:
        self.base, self.indices = base, indices

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the images as one array, [n, height, width, channels]."""
        return (len(self.indices), *self.base.shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes that the images would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Read the images at an index, a slice or an array of indices or booleans into memory."""
        return np.array(self.base[self.indices[key]])

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[index] for index in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("a view of selected images can't become an array without a copy")
        return np.asarray(self[:], dtype=dtype)


class JoinedImages:
    """Images of several parts, one part behind the other, read when they are asked for.

    Behaves as an array [n, height, width, channels] that can be indexed along its first axis.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, parts: "Sequence[Images]") -> None:
        self._parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the images as one array, [n, height, width, channels]."""
        return (int(self._ends[-1]), *self._parts[0].shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes that the images would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Read the images at an index, a slice or an array of indices or booleans into memory."""
        chosen = np.arange(len(self))[key]
        flat = np.atleast_1d(chosen)
        found = np.empty((len(flat), *self.shape[1:]), np.uint8)
        part_of = np.searchsorted(self._ends, flat, side="right")
        for number, part in enumerate(self._parts):
            here = part_of == number
            if here.any():
                found[here] = part[flat[here] - (self._ends[number] - len(part))]
        return found if chosen.ndim else found[0]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[index] for index in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("joined images can't become an array without a copy")
        return np.asarray(self[:], dtype=dtype)


Images = NDArray[np.uint8] | ImageView | JoinedImages


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set; `fingerprint` is the hexadecimal SHA-256 of its contents."""

    images: Images  # uint8 [n, height, width, channels]; in memory, or read from disk when indexed
    labels: NDArray[np.int32]  # [n], from 0
    fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageShape:
    """The shape of every image of a data set, and the number of classes."""

    height: int
    width: int
    channels: int
    classes: int


@dataclass(frozen=True)
class Augment:
    """Random changes of training images, applied inside the compiled program.

    `shift`: largest translation in pixels, edges repeated; `flip`: mirror left to right with
    probability 1/2; `cutout`: side of a square set to the mean (arXiv:1708.04552), 0 for none;
    `mixup`: alpha of the Beta distribution that blends pairs (arXiv:1710.09412), 0 for none.
    """

    shift: int = 0
    flip: bool = False
    cutout: int = 0
    mixup: float = 0.0


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a search may read: the training and the validation part, never the test part.

    `confirmation`: a third part, on which nothing but a confirmation is scored; None without one.
    `mean` and `std`: one value for each channel, of pixels scaled to [0, 1].
    """

    name: str
    train: Split
    validation: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: Augment = field(default_factory=Augment)
    confirmation: Split | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    @property
    def nbytes(self) -> int:
        """Bytes that the images take in memory."""
        parts = (self.train, self.validation, self.confirmation)
        return sum(part.images.nbytes for part in parts if part is not None)

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Number of training images of each class."""
        return tuple(np.bincount(self.train.labels, minlength=len(self.classes)).tolist())

    @property
    def majority_share(self) -> float:
        """Validation accuracy of always predicting the most frequent validation class."""
        return float(np.bincount(self.validation.labels).max() / len(self.validation))
