"""Decode encoded examples into arrays in the cache, on all cores and with progress."""

import shutil
import warnings
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.cores import cores
from search.data.cache import CachedArrays, Writer, open_entry
from search.data.examples import Encoded, Examples, Progress, Say, Source
from search.data.image import Geometry, ImageError, decode
from search.data.split import content_key
from search.errors import UserError

# Examples for a thread at a time: enough to hide the cost of a task, few enough for a live bar.
_BATCH = 128
# Skipped images that a notice names; it counts all of them.
_NAMED = 3

Good = tuple[Encoded, NDArray[np.uint8]]
Decoded = Good | tuple[Encoded, str]


def decoded(
    source: Source,
    geometry: Geometry,
    *,
    cache: Path,
    skip: bool,
    progress: Progress | None,
    say: Say,
) -> CachedArrays:
    """The decoded arrays of a source, from the cache, or decoded now.

    A 0 in `geometry` is filled from the source. With `skip` unreadable images are left out and
    reported in one line; otherwise the first raises `UserError`, as do images of differing sizes
    where `geometry` has no size.
    """
    identity = {"source": dict(source.identity()), "geometry": asdict(geometry), "skip": skip}

    def build(folder: Path) -> None:
        _build(folder, source, geometry, identity, skip=skip, progress=progress)

    arrays = open_entry(cache, source.title, identity, build, say)
    if arrays.skipped:
        named = "; ".join(arrays.skipped[:_NAMED])
        more = len(arrays.skipped) - _NAMED
        say(
            f"{source.title}: skipped {len(arrays.skipped)} unreadable images: {named}"
            + (f"; and {more} more" if more > 0 else "")
        )
    return arrays


def _build(
    folder: Path,
    source: Source,
    geometry: Geometry,
    identity: dict[str, object],
    *,
    skip: bool,
    progress: Progress | None,
) -> None:
    examples = source.load()
    geometry = replace(
        geometry,
        height=geometry.height or examples.height,
        width=geometry.width or examples.width,
        channels=geometry.channels or examples.channels or 3,
    )
    skipped: list[str] = []
    with ExitStack() as stack:
        writer: Writer | None = None
        done = 0
        for batch in stack.enter_context(closing(_batches(examples, geometry))):
            done += len(batch)
            good = _readable(batch, skipped, skip=skip)
            if good and writer is None:
                height, width = good[0][1].shape[:2]
                shape = (height, width, geometry.channels)
                _check_room(folder, examples.count, shape)
                writer = stack.enter_context(Writer(folder, shape, examples.classes))
            if good and writer is not None:
                _append(writer, good, shape)
            if progress is not None:
                progress(f"decoding {source.title}", done, examples.count)
        if writer is None:
            raise UserError(
                f"{source.title} has no image that can be read"
                + (f" ({skipped[0]})" if skipped else "")
                + "; it needs some of every class"
            )
        writer.finish(identity, skipped)


def _readable(batch: list[Decoded], skipped: list[str], *, skip: bool) -> list[Good]:
    """The readable images of a batch; others are added to `skipped`, or raise `UserError`."""
    good: list[Good] = []
    for encoded, outcome in batch:
        if not isinstance(outcome, str):
            good.append((encoded, outcome))
            continue
        skipped.append(f"{encoded.name}: {outcome}")
        if not skip:
            raise UserError(
                f"can't read the image {skipped[-1]}; repair or remove it, or set"
                " data.on_error=skip"
            )
    return good


def _append(writer: Writer, good: list[Good], shape: tuple[int, int, int]) -> None:
    for encoded, image in good:
        if image.shape != shape:
            raise UserError(
                f"{encoded.name} is {image.shape[0]}x{image.shape[1]} pixels, others are"
                f" {shape[0]}x{shape[1]}; a network reads one size, set data.height= and"
                " data.width="
            )
    writer.add(
        np.stack([image for _, image in good]),
        np.array([encoded.label for encoded, _ in good], dtype=np.int32),
        np.array([content_key(image) for _, image in good], dtype=np.uint64),
    )


def _batches(examples: Examples, geometry: Geometry) -> Generator[list[Decoded]]:
    """Decoded batches in order, some of them ahead, in threads (Pillow releases the GIL)."""
    workers = cores()
    waiting: deque[Future[list[Decoded]]] = deque()
    # Pillow's warnings about odd metadata are no reason to refuse an image. The filter is global
    # to the process, so it is set once around all threads.
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")
        try:
            for start in range(0, examples.count, _BATCH):
                batch = examples.read(range(start, min(start + _BATCH, examples.count)))
                waiting.append(pool.submit(_decode_batch, batch, geometry))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _decode_batch(batch: list[Encoded], geometry: Geometry) -> list[Decoded]:
    outcomes: list[Decoded] = []
    for encoded in batch:
        if encoded.error:
            outcomes.append((encoded, encoded.error))
            continue
        try:
            outcomes.append((encoded, decode(encoded.data, geometry)))
        except ImageError as error:
            outcomes.append((encoded, str(error)))
    return outcomes


def _check_room(folder: Path, count: int, shape: tuple[int, int, int]) -> None:
    needed = count * shape[0] * shape[1] * shape[2]
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{count} images of {shape[0]}x{shape[1]}x{shape[2]} need {needed / 1e9:.1f} GB in"
            f" {folder.parent}, where {free / 1e9:.1f} GB are free; set data.cache= to another"
            " disk, or a smaller data.height= and data.width="
        )
