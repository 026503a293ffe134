"""Seeded, stratified splits, fingerprints of parts, and pixel statistics of each channel.

The part of an image depends on its content and the seed, not on its name or position, so that
renaming or reordering files leaves the validation part as it was.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from search.data.dataset import Images
from search.errors import UserError
from search.units import counted

# Bytes read at a time from arrays that may not fit into memory.
_CHUNK = 2**26
# Images of a class from which any sensible fraction takes some.
_ENOUGH = 100
Part = Literal["validation", "test", "confirmation"]
# For each part: the setting that says its share, and what does without cutting it.
_SETTINGS: dict[Part, tuple[str, str]] = {
    "validation": ("data.validation_fraction", "name a split with data.validation="),
    "test": ("data.test_fraction", "name a split with data.test="),
    "confirmation": ("confirm.fraction", "leave confirm.fraction out"),
}


def content_key(image: NDArray[np.uint8]) -> int:
    """First 64 bits of the BLAKE2b hash of one image's pixels."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def partition(
    labels: NDArray[np.int32],
    keys: NDArray[np.uint64],
    *,
    fraction: float,
    seed: int,
    classes: Sequence[str],
    part: Part,
    share: float = 1.0,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split into (rest, chosen): ascending indices, with `fraction` of every class chosen.

    `labels` and `keys` (see `content_key`) have shape [n]. Each class gives the nearest whole
    number of images, but at least one, and keeps at least one. Equal images of a class stay
    together: the cut moves to the nearest place that separates none, if the class has two
    different images at all. Raises `UserError` for a class with a single image, and for a fraction
    that is rounded to no image, or to all images, of even the largest class. `part` names what the
    chosen images are for. `fraction` is of a whole of which these images are the `share`.
    """
    setting, without = _SETTINGS[part]
    order = np.lexsort((_mixed(keys, seed), labels))
    starts = np.searchsorted(labels[order], np.arange(len(classes) + 1))
    sizes = np.diff(starts)
    if (sizes == 1).any():
        name = classes[int(np.flatnonzero(sizes == 1)[0])]
        raise UserError(
            f"class {name!r} has 1 image in the training part; to take a {part} part from it"
            f" needs 2 of every class, add images or {without}"
        )
    largest = int(sizes.max())
    if not 0 < _rounded(fraction / share * largest) < largest:
        raise UserError(
            f"{setting}={fraction:g} leaves every class empty in one of the parts: the"
            f" largest has {largest} images; set it between {share / largest:.2g} and"
            f" {share * (1 - 1 / largest):.4g}"
        )
    selected = np.zeros(len(labels), dtype=bool)
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=False):
        if size:
            own = order[start : start + size]
            wanted = min(max(_rounded(fraction / share * size), 1), size - 1)
            selected[own[: _between_groups(keys[own], wanted)]] = True
    return np.flatnonzero(~selected), np.flatnonzero(selected)


def refuse_few_images(
    sizes: Sequence[int], fractions: Mapping[Part, float], classes: Sequence[str]
) -> None:
    """Refuse classes with too few images for all parts that are cut from them, one by one.

    `sizes`: images of each class; `fractions` of the parts in the order of cutting. A fraction that
    leaves a class of 100 images without some part is itself the mistake: `partition` refuses it.
    Raises `UserError` that says how many images are needed, for all parts at once.
    """
    fewest = next((size for size in range(1, _ENOUGH + 1) if _suffices(size, fractions)), None)
    if fewest is None:
        return
    size, label = min((size, label) for label, size in enumerate(sizes) if size)
    needed = fewest if max(sizes) < fewest else 1 + len(fractions)
    if size >= needed:
        return
    said = " and ".join(
        f"a {part} part ({_SETTINGS[part][0]}={fraction:g})" for part, fraction in fractions.items()
    )
    raise UserError(
        f"class {classes[label]!r} has {counted(size, 'image')}; to take {said}"
        f" from them needs {needed} of every class, add images or {_SETTINGS[[*fractions][-1]][1]}"
    )


def _suffices(size: int, fractions: Mapping[Part, float]) -> bool:
    """Whether a class of `size` images leaves some in each part, as `partition` cuts them."""
    whole = left = size
    for part, fraction in fractions.items():
        share = left / whole if part == "confirmation" else 1.0
        wanted = _rounded(fraction / share * left)
        if not 0 < wanted < left:
            return False
        left -= wanted
        if part == "test":
            whole = left
    return True


def _rounded(number: float) -> int:
    return int(number + 0.5)


def _between_groups(keys: NDArray[np.uint64], wanted: int) -> int:
    """The cut nearest to `wanted` that separates no equal `keys` [n], which lie side by side."""
    cuts = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    return int(cuts[np.abs(cuts - wanted).argmin()]) if len(cuts) else wanted


class Fingerprint:
    """SHA-256 of a part: its image shape, its pixels in order, and last its labels."""

    def __init__(self, shape: Sequence[int]) -> None:
        self._digest = hashlib.sha256(json.dumps(list(shape)).encode())

    def add(self, images: NDArray[np.uint8]) -> None:
        """Add the next images, [n, height, width, channels]."""
        self._digest.update(np.ascontiguousarray(images).data)

    def finish(self, labels: NDArray[np.int32]) -> str:
        """Add the labels, [n], and return the hexadecimal digest."""
        self._digest.update(np.ascontiguousarray(labels, dtype="<i4").data)
        return self._digest.hexdigest()


def chunks(images: Images) -> Iterator[NDArray[np.uint8]]:
    """Successive images [m, height, width, channels], some 64 MB at a time."""
    step = max(1, _CHUNK // max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        yield images[start : start + step]


def fingerprint(images: Images, labels: NDArray[np.int32]) -> str:
    """Fingerprint of a whole part, [n, height, width, channels] and [n]."""
    whole = Fingerprint(images.shape[1:])
    for chunk in chunks(images):
        whole.add(chunk)
    return whole.finish(labels)


def histogram(images: Images) -> NDArray[np.int64]:
    """Occurrences of each of the 256 pixel values in images [n, h, w, c]: [c, 256]."""
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for chunk in chunks(images):
        pixels = chunk.reshape(-1, channels)
        for channel in range(channels):
            counts[channel] += np.bincount(pixels[:, channel], minlength=256)
    return counts


def mean_and_std(counts: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of pixels in [0, 1], from `histogram`'s counts.

    A constant channel gets the deviation 1, so that dividing by it changes nothing. Exact integer
    sums make the result independent of the order of the images.
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
    """Hash keys with a seed (SplitMix64 finaliser), so that each seed sorts them differently."""
    state = keys ^ np.uint64(int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:8]))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return state ^ (state >> np.uint64(31))
