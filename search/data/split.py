"""Splitting and measuring: seeded, stratified parts, fingerprints, and each channel's statistics.

Which image lands in which part is decided by the image's content, not by its place in a file, so
that renaming or reordering the files of a set leaves its validation part as it was.
"""

import hashlib
import json
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.errors import UserError

# Images read at a time from arrays that may not fit into memory.
CHUNK = 4096


def content_key(image: NDArray[np.uint8]) -> int:
    """64 bits of the BLAKE2b hash of one image's pixels."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def partition(
    labels: NDArray[np.int32],
    keys: NDArray[np.uint64],
    *,
    fraction: float,
    seed: int,
    classes: Sequence[str],
    part: str,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split into (rest, chosen): indices in ascending order, `chosen` a fraction of every class.

    `labels` and `keys` (see `content_key`) have shape [n]. A class gives the nearest whole number
    of images, at least one, and keeps at least one. Raises `UserError` naming a class that has a
    single image, `part` being what the chosen images are for.
    """
    order = np.lexsort((_mixed(keys, seed), labels))
    starts = np.searchsorted(labels[order], np.arange(len(classes) + 1))
    chosen: list[NDArray[np.intp]] = []
    for name, start, stop in zip(classes, starts, starts[1:], strict=False):
        count = int(stop - start)
        if count == 0:
            continue
        if count == 1:
            raise UserError(
                f"class {name!r} has 1 image in the training part; to take a {part} part from it"
                f" needs 2 of every class, add images or name a split with data.{part}="
            )
        taken = min(max(int(fraction * count + 0.5), 1), count - 1)
        chosen.append(order[start : start + taken])
    selected = np.zeros(len(labels), dtype=bool)
    for indices in chosen:
        selected[indices] = True
    return np.flatnonzero(~selected), np.flatnonzero(selected)


class Fingerprint:
    """SHA-256 over a part's shape, its pixels as they come, and last its labels."""

    def __init__(self, shape: Sequence[int]) -> None:
        self._digest = hashlib.sha256(json.dumps(list(shape)).encode())

    def add(self, images: NDArray[np.uint8]) -> None:
        """Take the next images, [n, height, width, channels]."""
        for start in range(0, len(images), CHUNK):
            self._digest.update(np.ascontiguousarray(images[start : start + CHUNK]).data)

    def finish(self, labels: NDArray[np.int32]) -> str:
        """Take the labels, [n], and return the hexadecimal digest."""
        self._digest.update(np.ascontiguousarray(labels, dtype="<i4").data)
        return self._digest.hexdigest()


def fingerprint(images: NDArray[np.uint8], labels: NDArray[np.int32]) -> str:
    """Fingerprint of a whole part, [n, height, width, channels] and [n]."""
    whole = Fingerprint(images.shape[1:])
    whole.add(images)
    return whole.finish(labels)


def histogram(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each of the 256 values occurs, [channels, 256], of images [n, h, w, c]."""
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for start in range(0, len(images), CHUNK):
        pixels = images[start : start + CHUNK].reshape(-1, channels)
        for channel in range(channels):
            counts[channel] += np.bincount(pixels[:, channel], minlength=256)
    return counts


def mean_and_std(counts: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation a channel of pixels scaled to [0, 1], from their histogram.

    A channel without any contrast gets the deviation 1: dividing by it changes nothing. Integers
    up to the last division, so that the result depends on the pixels alone, not on their order.
    """
    mean: list[float] = []
    std: list[float] = []
    for row in counts.tolist():
        total = sum(row)
        first = sum(value * count for value, count in enumerate(row))
        second = sum(value * value * count for value, count in enumerate(row))
        spread = total * second - first * first
        mean.append(first / (255 * total))
        std.append(math.sqrt(spread) / (255 * total) if spread else 1.0)
    return tuple(mean), tuple(std)


def _mixed(keys: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Keys in an order of their own for each seed (the SplitMix64 finaliser)."""
    state = keys ^ np.uint64(int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:8]))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return state ^ (state >> np.uint64(31))
