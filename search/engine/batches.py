"""Feeds batches from images on the device, or batch by batch if they are too many; same bits."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from search.data.dataset import Split
from search.engine.distillation import SoftLabels
from search.engine.schedule import order

# At most so many images are used for statistics of BatchNorm.
_ENOUGH = 2**12
# Bytes of a split on a device that does not say how much memory it has.
_RESIDENT = 2**30

Batch = tuple[Array, Array, Array]
"""Images uint8 [m, h, w, c], labels, and the indices into both that make the batch.

Labels are int32 [m] or, with a teacher, float32 [m, 2, classes]: one-hot and soft ones.
"""


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps in a row, for seeds side by side.

    `chosen`: indices of the batches [seeds, steps, batch]; `seeds` [seeds]; `first`: number of the
    first step; `rates`: learning rates [steps]; `stop`: set by another thread to end the training.
    """

    chosen: NDArray[np.int32]
    seeds: NDArray[np.uint32]
    first: int
    rates: NDArray[np.float32]
    stop: threading.Event

    def check(self) -> None:
        """Raise `KeyboardInterrupt` where the training is to end, as Ctrl-C would in a main one."""
        if self.stop.is_set():
            raise KeyboardInterrupt


class Feed(Protocol):
    """Hands out batches by their indices; `length` is the m of every batch it makes."""

    def length(self, size: int) -> int:
        """Return the number of images in the array that accompanies a batch of `size`."""

    def batches(self, indices: Iterable[NDArray[np.int32]]) -> Iterator[Batch]:
        """Yield one batch for each array of indices."""


class Resident:
    """The whole split lies on the device; a batch is a gather inside the program."""

    def __init__(self, split: Split, device: jax.Device, soft: SoftLabels | None = None) -> None:
        self._images = jax.device_put(np.ascontiguousarray(split.images), device)
        self._labels = jax.device_put(_labels(split, soft), device)
        self._device = device

    @property
    def arrays(self) -> tuple[Array, Array]:
        """All images and labels."""
        return self._images, self._labels

    def length(self, size: int) -> int:  # noqa: ARG002
        """Return the number of images in the array that accompanies a batch: all."""
        return int(self._images.shape[0])

    def batches(self, indices: Iterable[NDArray[np.int32]]) -> Iterator[Batch]:
        """Yield one batch for each array of indices."""
        for index in indices:
            yield self._images, self._labels, jax.device_put(index, self._device)


class Streamed:
    """The split stays in host memory or a mapped file; one batch is read ahead."""

    def __init__(self, split: Split, device: jax.Device, soft: SoftLabels | None = None) -> None:
        self._split, self._device, self._labels = split, device, _labels(split, soft)

    def length(self, size: int) -> int:
        """Return the number of images in the array that accompanies a batch: its own."""
        return size

    def _read(self, index: NDArray[np.int32]) -> Batch:
        flat = index.reshape(-1)
        # Reading a mapped file in order is far faster.
        ranks = np.argsort(flat, kind="stable")
        images = np.empty((flat.size, *self._split.images.shape[1:]), np.uint8)
        images[ranks] = self._split.images[flat[ranks]]
        labels = self._labels[flat]
        own = np.arange(flat.size, dtype=np.int32).reshape(index.shape)
        images_at, labels_at, index_at = jax.device_put((images, labels, own), self._device)
        return images_at, labels_at, index_at

    def batches(self, indices: Iterable[NDArray[np.int32]]) -> Iterator[Batch]:
        """Yield one batch for each array of indices."""
        with ThreadPoolExecutor(1) as reader:
            ahead = None
            for index in indices:
                coming = reader.submit(self._read, index)
                if ahead is not None:
                    yield ahead.result()
                ahead = coming
            if ahead is not None:
                yield ahead.result()


def feed_of(
    split: Split,
    device: jax.Device,
    resident_megabytes: float | None,
    soft: SoftLabels | None = None,
) -> Feed:
    """Put a split on the device if it fits into its share of the memory, else stream it."""
    if split.images.nbytes <= resident_bytes(resident_megabytes, device):
        return Resident(split, device, soft)
    return Streamed(split, device, soft)


def resident_bytes(megabytes: float | None, device: jax.Device) -> int:
    """Return how large a split may be to lie on the device: as given, or by its memory.

    A quarter of what this process may use of an accelerator; on the CPU, where streamed batches
    come from the same memory, a gigabyte.
    """
    if megabytes is not None:
        return int(megabytes * 2**20)
    if device.platform == "cpu":
        return _RESIDENT
    try:
        limit = (device.memory_stats() or {}).get("bytes_limit", 0)
    except jax.errors.JaxRuntimeError:
        # Not every platform counts its memory.
        limit = 0
    return limit // 4 or _RESIDENT


def _labels(split: Split, soft: SoftLabels | None) -> NDArray[np.int32] | NDArray[np.float32]:
    labels = np.asarray(split.labels, np.int32)
    return labels if soft is None else soft.beside(labels)


def batches_of_statistics(count: int, size: int) -> int:
    """Return how many batches statistics of BatchNorm are taken of."""
    return max(1, min(count, _ENOUGH) // size)


def for_statistics(count: int, size: int) -> NDArray[np.int32]:
    """Return indices [batches, size] of the images that statistics of BatchNorm are taken of."""
    return order(count, size, 0, 0)[: batches_of_statistics(count, size)]


def padded(count: int, size: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return indices and masks [batches, size] that cover each image once; padding has mask 0."""
    batches = -(-count // size)
    index = np.zeros(batches * size, np.int32)
    index[:count] = np.arange(count)
    mask = (np.arange(batches * size) < count).astype(np.float32)
    return index.reshape(batches, size), mask.reshape(batches, size)
