"""Decoded arrays on disk, written atomically, opened as memory maps and verified when opened.

An entry is a folder named after the identity of its contents. It is written under a temporary name
and then renamed, so that a killed process never leaves a partial entry; a lock file beside it makes
a second process wait for the first instead of repeating the work.
"""

import hashlib
import json
import os
import secrets
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from search.data.cache_folder import locked, writable
from search.data.dataset import Images
from search.data.examples import Say
from search.data.split import Fingerprint, histogram
from search.errors import UserError

_FORMAT = "convbudget-arrays/1"
_BLOCK = 4 * 2**20
# At most this many blocks, evenly spaced, are verified when an entry is opened: a quarter of a
# gigabyte, which takes a tenth of a second.
_CHECKED = 64


@dataclass(frozen=True, eq=False)
class CachedArrays:
    """Decoded images with what is known about them: a cache entry, or a part of one.

    `keys` are content keys (see `split.content_key`), `counts` the histogram of pixel values of
    each channel, `skipped` the unreadable images and why.
    """

    images: Images  # uint8 [n, height, width, channels]; a memory map in an entry
    labels: NDArray[np.int32]  # [n]
    keys: NDArray[np.uint64]  # [n]
    counts: NDArray[np.int64]  # [channels, 256]
    fingerprint: str
    classes: tuple[str, ...]
    skipped: tuple[str, ...]


class Writer:
    """Writes an entry from batches of decoded images; use it in a `with` statement."""

    def __init__(self, folder: Path, shape: tuple[int, int, int], classes: tuple[str, ...]):
        self._folder = folder
        self._shape = shape
        self._classes = classes
        self._file: BinaryIO = (folder / "images.bin").open("wb")
        self._fingerprint = Fingerprint(shape)
        self._counts = np.zeros((shape[2], 256), dtype=np.int64)
        self._labels: list[NDArray[np.int32]] = []
        self._keys: list[NDArray[np.uint64]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(
        self, images: NDArray[np.uint8], labels: NDArray[np.int32], keys: NDArray[np.uint64]
    ) -> None:
        """Append images [n, h, w, c] with their labels and content keys [n]."""
        self._file.write(np.ascontiguousarray(images).data)
        self._fingerprint.add(images)
        self._counts += histogram(images)
        self._labels.append(labels)
        self._keys.append(keys)

    def finish(self, identity: Mapping[str, object], skipped: Sequence[str] = ()) -> None:
        """Write labels, keys, checksums and the names of `skipped` images; completes the entry."""
        self._file.flush()
        os.fsync(self._file.fileno())
        labels = np.concatenate(self._labels)
        np.save(self._folder / "labels.npy", labels)
        np.save(self._folder / "keys.npy", np.concatenate(self._keys))
        meta = {
            "format": _FORMAT,
            "identity": dict(identity),
            "shape": [len(labels), *self._shape],
            "classes": list(self._classes),
            "skipped": list(skipped),
            "counts": self._counts.tolist(),
            "fingerprint": self._fingerprint.finish(labels),
            "checksums": {
                name: _checksums(self._folder / name)
                for name in ("images.bin", "labels.npy", "keys.npy")
            },
        }
        (self._folder / "meta.json").write_text(json.dumps(meta))


def open_entry(
    cache: Path,
    title: str,
    identity: Mapping[str, object],
    build: Callable[[Path], None],
    say: Say,
) -> CachedArrays:
    """Open the entry with this identity; `build(folder)` writes a missing one through `Writer`.

    Safe against concurrent processes and kills. A damaged entry is reported through `say` and
    built again. Raises `UserError` where the cache can't be written, or the disk is full.
    """
    text = json.dumps({"format": _FORMAT, **identity}, sort_keys=True)
    plain = "".join(letter if letter.isalnum() else "-" for letter in title)[:60].strip("-")
    # A file's name has at most 255 bytes, of which the suffixes need some fifty.
    name = plain.encode()[:180].decode(errors="ignore")
    entry = cache / "arrays" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    found = _read(entry)
    if isinstance(found, CachedArrays):
        return found
    with writable(cache, f"the decoded images of {title}"):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with locked(entry.with_name(entry.name + ".lock"), title, say):
            found = _read(entry)
            if isinstance(found, str):
                if found:
                    say(f"the cache of {title} in {entry} is damaged ({found}); building it again")
                _replace(entry, build)
                found = _read(entry)
    if isinstance(found, str):
        raise UserError(
            f"the cache in {entry} can't be read back ({found or 'it vanished'});"
            " check the disk, or set data.cache= to another folder"
        )
    return found


def _replace(entry: Path, build: Callable[[Path], None]) -> None:
    # Not `tempfile`: its folders are private to their owner, and a cache may be shared by a group.
    fresh, old = (entry.with_name(f"{entry.name}.tmp-{secrets.token_hex(6)}") for _ in range(2))
    fresh.mkdir()
    try:
        build(fresh)
        if entry.exists():
            entry.rename(old)
        with suppress(FileExistsError):
            # Where there are no locks another process may have been first; its entry is as good.
            fresh.rename(entry)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _read(entry: Path) -> CachedArrays | str:
    """Return the entry, or why it can't be used: an empty string when there is none."""
    if not entry.is_dir():
        return ""
    try:
        meta: dict[str, Any] = json.loads((entry / "meta.json").read_text())
        shape = tuple(meta["shape"])
        for name, expected in meta["checksums"].items():
            if not _intact(entry / name, expected):
                return f"{name} was changed"
        return CachedArrays(
            images=np.memmap(entry / "images.bin", dtype=np.uint8, mode="r", shape=shape),
            labels=np.load(entry / "labels.npy"),
            keys=np.load(entry / "keys.npy"),
            counts=np.array(meta["counts"], dtype=np.int64),
            fingerprint=meta["fingerprint"],
            classes=tuple(meta["classes"]),
            skipped=tuple(meta["skipped"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return " ".join(f"{type(error).__name__}: {error}".split())


def _checksums(path: Path) -> dict[str, Any]:
    with path.open("rb") as handle:
        blocks = [zlib.crc32(block) for block in iter(lambda: handle.read(_BLOCK), b"")]
    return {"bytes": path.stat().st_size, "blocks": blocks}


def _intact(path: Path, expected: Mapping[str, Any]) -> bool:
    blocks = expected["blocks"]
    if path.stat().st_size != expected["bytes"]:
        return False
    step = max(1, len(blocks) / _CHECKED)
    with path.open("rb") as handle:
        for number in range(min(len(blocks), _CHECKED)):
            index = int(number * step)
            handle.seek(index * _BLOCK)
            if zlib.crc32(handle.read(_BLOCK)) != blocks[index]:
                return False
    return True
