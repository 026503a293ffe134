"""The two doors: `open_dataset` for a search, `open_test` for the one reading of the test part."""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.config.data import DataConfig
from search.data import cache
from search.data.cache import CachedArrays, Writer, open_entry
from search.data.dataset import Augment, Dataset, Split
from search.data.decode import decoded
from search.data.examples import Progress, Say, Source
from search.data.image import Geometry
from search.data.sources import SourceContext, find_source, is_test_cut, missing_test
from search.data.split import CHUNK, fingerprint, histogram, mean_and_std, partition
from search.errors import UserError

# Chooses the test images where a set has no test part: the same ones for every seed of a search.
_TEST_SEED = 0
# Parts up to so many bytes are copied into memory, larger ones written beside the decoded arrays
# and mapped from there.
_IN_MEMORY = 2**30


def open_dataset(
    config: DataConfig,
    *,
    seed: int,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Dataset:
    """Training and validation part, decoded once and from then on read from the cache.

    `seed` chooses the validation images where the set has no validation split of its own.
    `progress(what, done, total)` is called while images are decoded, with `total` 0 where it is
    unknown; `say` receives notices of one line, by default as log warnings. Raises `UserError`.
    """
    place = _place(config, progress, say)
    base = _training(config, place)
    rest, _ = _without_test(config, base)
    own = find_source(config, "validation", place)
    if own is None:
        left, held = partition(
            base.labels[rest],
            base.keys[rest],
            fraction=config.validation_fraction,
            seed=seed,
            classes=base.classes,
            part="validation",
        )
        validation = _take(base, rest[held], "validation", place)
        train = _take(base, rest[left], "train", place, validation)
    else:
        validation = _decoded(own, config, place, base)
        train = _take(base, rest, "train", place)
    if why := missing_test(config):
        place.say(f"{why}, before the search rather than after it")
    mean, std = _normalisation(config, train)
    return Dataset(
        name=_title(config),
        train=_split(train),
        validation=_split(validation),
        classes=base.classes,
        mean=mean,
        std=std,
        augment=Augment(config.shift, config.flip, config.cutout, config.mixup),
    )


def open_test(
    config: DataConfig, *, progress: Progress | None = None, say: Say | None = None
) -> Split:
    """The test part, of the same image shape as the training part; for final reports alone.

    Raises `UserError`, also where the set has no test part.
    """
    place = _place(config, progress, say)
    base = _training(config, place)
    own = find_source(config, "test", place)
    if own is not None:
        return _split(_decoded(own, config, place, base))
    _, held = _without_test(config, base)
    return _split(_take(base, held, "test", place))


def _place(config: DataConfig, progress: Progress | None, say: Say | None) -> SourceContext:
    return SourceContext(
        cache.root(config.cache), progress, say or logging.getLogger(__name__).warning
    )


def _training(config: DataConfig, place: SourceContext) -> CachedArrays:
    source = find_source(config, "train", place)
    assert source is not None, "DataConfig refuses an empty training split"
    return _decoded(source, config, place)


def _decoded(
    source: Source, config: DataConfig, place: SourceContext, like: CachedArrays | None = None
) -> CachedArrays:
    """A source's arrays, in the shape of `like` if given, with every label one of its classes."""
    geometry = Geometry(config.height, config.width, config.channels, config.fit)
    if like is not None:
        height, width, channels = like.images.shape[1:]
        geometry = replace(geometry, height=height, width=width, channels=channels)
    arrays = decoded(
        source,
        geometry,
        cache=place.cache,
        skip=config.on_error == "skip",
        progress=place.progress,
        say=place.say,
    )
    classes = arrays.classes if like is None else like.classes
    if arrays.classes != classes:
        raise UserError(
            f"{source.title} has {len(arrays.classes)} classes and the training part"
            f" {len(classes)}, or others; both must have the same"
        )
    if len(classes) < 2:
        raise UserError(
            f"{source.title} has one class, {', '.join(classes)!r}; telling images apart takes 2"
        )
    if like is None and len(arrays.labels) < len(classes):
        raise UserError(
            f"{source.title} has {len(arrays.labels)} images for {len(classes)} classes;"
            " it needs at least 2 of every class"
        )
    return arrays


def _without_test(
    config: DataConfig, base: CachedArrays
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of what is for the search, and of the test part cut out of `base`, if one is."""
    everything = np.arange(len(base.labels))
    if not is_test_cut(config):
        return everything, everything[:0]
    return partition(
        base.labels,
        base.keys,
        fraction=config.test_fraction,
        seed=_TEST_SEED,
        classes=base.classes,
        part="test",
    )


def _take(
    base: CachedArrays,
    indices: NDArray[np.intp],
    part: str,
    place: SourceContext,
    remainder: CachedArrays | None = None,
) -> CachedArrays:
    """The images of `base` at `indices`, copied into memory or, if many, mapped from the cache.

    Where `remainder` holds all the others, pixels are counted by subtraction, which is quicker.
    """
    if len(indices) == len(base.labels):
        return base
    labels, keys = base.labels[indices], base.keys[indices]
    if len(indices) * base.images[0].nbytes > _IN_MEMORY:
        return _written(base, indices, part, place)
    images = np.asarray(base.images)[indices]
    complete = remainder is not None and len(remainder.labels) + len(indices) == len(base.labels)
    counts = base.counts - remainder.counts if remainder and complete else histogram(images)
    return replace(
        base,
        images=images,
        labels=labels,
        keys=keys,
        counts=counts,
        fingerprint=fingerprint(images, labels),
    )


def _written(
    base: CachedArrays, indices: NDArray[np.intp], part: str, place: SourceContext
) -> CachedArrays:
    identity = {
        "part of": base.fingerprint,
        "classes": list(base.classes),
        "indices": hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest(),
    }

    def build(folder: Path) -> None:
        height, width, channels = base.images.shape[1:]
        with Writer(folder, (height, width, channels), base.classes) as writer:
            for start in range(0, len(indices), CHUNK):
                chosen = indices[start : start + CHUNK]
                writer.add(np.asarray(base.images[chosen]), base.labels[chosen], base.keys[chosen])
                if place.progress is not None:
                    done = start + len(chosen)
                    place.progress(f"writing the {part} part", done, len(indices))
            writer.finish(identity)

    return open_entry(place.cache, f"{part} part", identity, build, place.say)


def _normalisation(
    config: DataConfig, train: CachedArrays
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if not config.mean:
        return mean_and_std(train.counts)
    channels = train.images.shape[-1]
    if len(config.mean) != channels:
        raise UserError(
            f"data.mean={config.mean} has {len(config.mean)} values, the images {channels}"
            " channels; give one a channel, or none for the training part's own"
        )
    return tuple(config.mean), tuple(config.std)


def _split(arrays: CachedArrays) -> Split:
    return Split(arrays.images, arrays.labels, arrays.fingerprint)


def _title(config: DataConfig) -> str:
    return Path(config.path).resolve().name if config.name == "folder" else config.name
