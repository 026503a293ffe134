"""Open a data set: `open_dataset` for a search, `open_test` for the final report.

`describe` tells the images' shape before either, without decoding.
"""

import hashlib
import json
import logging
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.config.data import DataConfig
from search.data import cache_folder, folder
from search.data.cache import CachedArrays
from search.data.dataset import Augment, Dataset, ImageShape, ImageView, Split
from search.data.decode import decoded
from search.data.examples import Progress, Say, Source
from search.data.image import Geometry
from search.data.overlap import refuse_seen_test, refuse_shared_images, refuse_unconfirming
from search.data.sources import Parts, SourceContext, locate
from search.data.split import (
    Fingerprint,
    Part,
    chunks,
    histogram,
    mean_and_std,
    partition,
    refuse_few_images,
)
from search.data.tfds import locate as prepared
from search.data.tfds.prepare import described
from search.errors import UserError
from search.files import write

# Chooses the test images where a set has no test part: the same ones for every seed of a search.
_TEST_SEED = 0
# Parts of up to this many bytes are copied into memory, larger ones read from the decoded arrays.
_IN_MEMORY = 2**30
_DIGITS = ImageShape(8, 8, 1, 10)


def open_dataset(
    config: DataConfig,
    *,
    seed: int,
    confirm_fraction: float = 0.0,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Dataset:
    """The training and the validation part, decoded the first time and then read from the cache.

    `seed` chooses the validation images where the set has no validation split of its own, and
    those of the confirmation: the `confirm_fraction` of the training split, none where it is 0.
    `progress(what, done, total)` is called while images are decoded, with `total` 0 where it is
    unknown; `say` receives notices of one line, by default as log warnings. Raises `UserError`.
    """
    context = _context(config, progress, say)
    parts = locate(config, context)
    base = _decoded(parts.train, config, context)
    if cut := _fractions(config, parts, confirm_fraction):
        refuse_few_images(np.bincount(base.labels).tolist(), cut, base.classes)
    rest, _ = _without_test(config, parts, base)
    if parts.validation is None:
        left, held = partition(
            base.labels[rest],
            base.keys[rest],
            fraction=config.validation_fraction,
            seed=seed,
            classes=base.classes,
            part="validation",
        )
        validation = _take(base, rest[held], "validation", context)
        kept = rest[left]
    else:
        validation = _decoded(parts.validation, config, context, base)
        kept = rest
        if parts.compare:
            refuse_shared_images(validation, base, _title(config), context.say)
    confirmation = None
    if confirm_fraction:
        left, held = partition(
            base.labels[kept],
            base.keys[kept],
            fraction=confirm_fraction,
            seed=seed,
            classes=base.classes,
            part="confirmation",
            share=len(kept) / len(rest),
        )
        confirmation = _take(base, kept[held], "confirmation", context)
        kept = kept[left]
    train = _take(base, kept, "train", context, validation if parts.validation is None else None)
    if confirmation is not None:
        for part, other in (("training", train), ("validation", validation)):
            refuse_unconfirming(confirmation, other, part, _title(config), context.say)
    if parts.missing_test:
        context.say(f"{parts.missing_test}, before the search rather than after it")
    mean, std = _normalisation(config, train)
    return Dataset(
        name=_title(config),
        train=_split(train),
        validation=_split(validation),
        classes=base.classes,
        mean=mean,
        std=std,
        augment=Augment(config.shift, config.flip, config.cutout, config.mixup),
        confirmation=None if confirmation is None else _split(confirmation),
    )


def open_test(
    config: DataConfig, *, progress: Progress | None = None, say: Say | None = None
) -> Split:
    """The test part, in the image shape of the training part; for final reports only.

    Raises `UserError`, also where the set has no test part, and where more of it than a published
    set may hold is among the images that a search reads.
    """
    context = _context(config, progress, say)
    parts = locate(config, context)
    if parts.test is None and not parts.cuts_test:
        raise UserError(parts.missing_test)
    base = _decoded(parts.train, config, context)
    if parts.test is None:
        _, held = _without_test(config, parts, base)
        return _split(_take(base, held, "test", context))
    test = _decoded(parts.test, config, context, base)
    refuse_seen_test(test, base, "training", _title(config), context.say)
    if parts.validation is not None:
        validation = _decoded(parts.validation, config, context, base)
        refuse_seen_test(test, validation, "validation", _title(config), context.say)
    return _split(test)


def missing_test(config: DataConfig, *, say: Say | None = None) -> str:
    """Return why the set has no test part, with the fix; empty where it has one. Opens none."""
    context = _context(config, None, say)
    parts = locate(config, context)
    return parts.missing_test if parts.test is None and not parts.cuts_test else ""


def describe(config: DataConfig) -> ImageShape | None:
    """Image shape and number of classes that `open_dataset` will find, without decoding.

    Downloads nothing: reads the description of a prepared set, TFDS's own code for one that is not
    prepared, or the headers of a few images of a folder. None where that does not say, as for
    images of many sizes without `data.height`. Raises `UserError` for data that can't be found.
    """
    if config.name == "folder":
        return folder.image_shape(config)
    if config.name == "digits":
        found: ImageShape | None = _DIGITS
    else:
        home = prepared.home(config.dir)
        where = prepared.find(home, config.name)
        found = prepared.image_shape(where) if where else described(config.name, home)
    if found is None:
        return None
    height, width = (config.height, config.width) if config.height else (found.height, found.width)
    channels = config.channels or found.channels or 3
    return ImageShape(height, width, channels, found.classes) if height and width else None


def _context(config: DataConfig, progress: Progress | None, say: Say | None) -> SourceContext:
    cache = cache_folder.root(config.cache)
    cache_folder.sweep(cache)
    return SourceContext(cache, progress, say or logging.getLogger(__name__).warning)


def _decoded(
    source: Source, config: DataConfig, context: SourceContext, like: CachedArrays | None = None
) -> CachedArrays:
    """A source's arrays, in the image shape of `like` if given, with the same classes."""
    geometry = Geometry(config.height, config.width, config.channels, config.fit)
    if like is not None:
        height, width, channels = like.images.shape[1:]
        geometry = replace(geometry, height=height, width=width, channels=channels)
    arrays = decoded(
        source,
        geometry,
        cache=context.cache,
        skip=config.on_error == "skip",
        progress=context.progress,
        say=context.say,
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


def _fractions(config: DataConfig, parts: Parts, confirm: float) -> dict[Part, float]:
    """Return the shares of the parts that are cut from the training images, in that order."""
    cut: dict[Part, float] = {}
    if parts.cuts_test:
        cut["test"] = config.test_fraction
    if parts.validation is None:
        cut["validation"] = config.validation_fraction
    if confirm:
        cut["confirmation"] = confirm
    return cut


def _without_test(
    config: DataConfig, parts: Parts, base: CachedArrays
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices into `base` of what a search may read, and of the test part if it is cut out."""
    everything = np.arange(len(base.labels))
    if not parts.cuts_test:
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
    context: SourceContext,
    remainder: CachedArrays | None = None,
) -> CachedArrays:
    """The images of `base` at `indices`: copied into memory or, if they are many, a view.

    Pixels are counted by subtraction where `remainder` holds all other images.
    """
    if len(indices) == len(base.labels):
        return base
    labels = base.labels[indices]
    view = ImageView(np.asarray(base.images), indices)
    small = view.nbytes <= _IN_MEMORY
    taken = replace(base, images=view[:] if small else view, labels=labels, keys=base.keys[indices])
    complete = remainder is not None and len(remainder.labels) + len(indices) == len(base.labels)
    counts = base.counts - remainder.counts if remainder and complete else None
    if small:
        return _measured(taken, counts, part, None)
    identity = f"{base.fingerprint} {hashlib.sha256(indices.astype('<i8').tobytes()).hexdigest()}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return _remembered(taken, counts, part, context, context.cache / "parts" / f"{name}.json")


def _measured(
    part: CachedArrays, counts: NDArray[np.int64] | None, name: str, progress: Progress | None
) -> CachedArrays:
    """`part` with its own fingerprint and pixel counts, which are counted unless they are given."""
    digest = Fingerprint(part.images.shape[1:])
    total = np.zeros_like(part.counts)
    done = 0
    for chunk in chunks(part.images):
        digest.add(chunk)
        if counts is None:
            total += histogram(chunk)
        done += len(chunk)
        if progress is not None:
            progress(f"reading the {name} part", done, len(part.labels))
    return replace(
        part,
        counts=total if counts is None else counts,
        fingerprint=digest.finish(part.labels),
    )


def _remembered(
    part: CachedArrays,
    counts: NDArray[np.int64] | None,
    name: str,
    context: SourceContext,
    file: Path,
) -> CachedArrays:
    """As `_measured`, with the result kept in `file`: a large part takes long to read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(file.read_text())
        found = np.array(kept["counts"], dtype=np.int64)
        whole = int(found.sum()) == part.images.nbytes and found.shape == part.counts.shape
        if whole and len(bytes.fromhex(kept["fingerprint"])) == 32:
            return replace(part, counts=found, fingerprint=kept["fingerprint"])
    measured = _measured(part, counts, name, context.progress)
    content = {"fingerprint": measured.fingerprint, "counts": measured.counts.tolist()}
    # A cache that can't be written only costs time at the next start.
    with suppress(UserError):
        write(file, json.dumps(content), durable=False)
    return measured


def _normalisation(
    config: DataConfig, train: CachedArrays
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if not config.mean:
        return mean_and_std(train.counts)
    channels = train.images.shape[-1]
    if len(config.mean) != channels:
        raise UserError(
            f"data.mean={config.mean} has {len(config.mean)} values, the images {channels}"
            " channels; give one for each channel, or none for the training part's own"
        )
    return tuple(config.mean), tuple(config.std)


def _split(arrays: CachedArrays) -> Split:
    return Split(arrays.images, arrays.labels, arrays.fingerprint)


def _title(config: DataConfig) -> str:
    if config.name != "folder":
        return config.name
    return Path(os.path.expanduser(config.path)).resolve().name
