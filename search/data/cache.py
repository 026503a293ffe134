"""Decoded arrays on disk: written whole or not at all, opened by memory map, checked when opened.

An entry is a folder named after its contents' identity. It is written beside its place and renamed
into it, so that a kill half-way leaves nothing that could be taken for an entry; a lock on a file
beside it makes a second process wait for the first instead of doing the same work.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from search.data.examples import Say
from search.data.split import Fingerprint, histogram
from search.errors import UserError

_FORMAT = "convbudget-arrays/1"
_BLOCK = 4 * 2**20
# All blocks of an entry are checked when it is opened up to this many, then so many of them: a
# check of a quarter gigabyte takes a tenth of a second.
_CHECKED = 64


@dataclass(frozen=True, eq=False)
class CachedArrays:
    """One entry: `images` uint8 [n, h, w, c] mapped from disk, `labels` int32 and `keys` uint64
    [n], `counts` of pixel values [c, 256], the names of the `classes`, what was `skipped`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]
    fingerprint: str
    classes: tuple[str, ...]
    skipped: tuple[str, ...]


class Writer:
    """Receives decoded images in their order; the pixels go straight to disk.

    To be used in a `with`, which closes the file whatever happens.
    """

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
        """Write what describes the pixels, and what was `skipped`; the entry is whole then."""
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


def root(given: str = "") -> Path:
    """The cache folder: `given`, else `$CONVBUDGET_CACHE`, else the user's own cache folder."""
    chosen = given or os.environ.get("CONVBUDGET_CACHE", "")
    if chosen:
        return Path(chosen).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "convbudget"


def open_entry(
    cache: Path,
    title: str,
    identity: Mapping[str, object],
    build: Callable[[Path], None],
    say: Say,
) -> CachedArrays:
    """The entry of this identity; `build(folder)` writes it, through `Writer`, if it is not there.

    Safe against two processes at once and a kill half-way; a damaged entry is said and built
    again. Raises `UserError` where the cache can't be written, or the disk is full.
    """
    text = json.dumps({"format": _FORMAT, **identity}, sort_keys=True)
    name = "".join(letter if letter.isalnum() else "-" for letter in title)[:60].strip("-")
    entry = cache / "arrays" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    found = _read(entry)
    if isinstance(found, CachedArrays):
        return found
    with writable(cache, f"the decoded images of {title}"):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with locked(entry.with_name(entry.name + ".lock"), title, say) as alone:
            found = _read(entry)
            if isinstance(found, str):
                if found:
                    say(f"the cache of {title} in {entry} is damaged ({found}); building it again")
                if alone:
                    _sweep(entry)
                _replace(entry, build)
                found = _read(entry)
    if isinstance(found, str):
        raise UserError(
            f"the cache in {entry} can't be read back ({found or 'it vanished'});"
            " check the disk, or set data.cache= to another folder"
        )
    return found


@contextmanager
def writable(folder: Path, what: str) -> Iterator[None]:
    """Turn the disk's refusals into one line that says where else `what` may go."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "the disk is full"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            reason = error.strerror or "it can't be written"
        else:
            raise
        raise UserError(
            f"{folder} can't hold {what}: {reason}; set data.cache= or CONVBUDGET_CACHE to a"
            " folder with room"
        ) from None


@contextmanager
def locked(path: Path, title: str, say: Say) -> Iterator[bool]:
    """Hold an exclusive lock on `path` while inside; the system drops it if the process dies.

    Says so if another process has to be waited for, which prepares `title`. Yields whether the
    lock is held: where the file system knows no locks the work may be done twice, which the rename
    at its end makes harmless.
    """
    with path.open("w") as handle:
        held = False
        with suppress(ImportError, OSError):
            import fcntl

            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another process is preparing {title}; waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            held = True
        yield held


def _sweep(entry: Path) -> None:
    """Remove what killed processes left of this entry; nobody else is at it."""
    for stale in entry.parent.glob(f"{entry.name}.tmp-*"):
        shutil.rmtree(stale, ignore_errors=True)


def _replace(entry: Path, build: Callable[[Path], None]) -> None:
    # Not by `tempfile`, whose folders nobody else may enter: a cache can be a group's.
    fresh, old = (entry.with_name(f"{entry.name}.tmp-{secrets.token_hex(6)}") for _ in range(2))
    fresh.mkdir()
    try:
        build(fresh)
        if entry.exists():
            entry.rename(old)
        with suppress(FileExistsError):
            # Somebody without a lock may have been first; theirs is as good.
            fresh.rename(entry)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _read(entry: Path) -> CachedArrays | str:
    """The entry, or why it can't be used: empty when there is none."""
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
