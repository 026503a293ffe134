"""The cache folder: where it is, who may write in it, and what killed processes left there."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from search.config.data import check_path
from search.data.examples import Say
from search.errors import UserError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# The disk's own failures; those about a path are recognised by that path.
_DISK = (errno.EIO, errno.EROFS, errno.EFBIG)
# What flock answers on a file system that has no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
# Without locks, leftovers are removed when no living process can still be writing them.
_ABANDONED = 24 * 3600


def root(given: str = "") -> Path:
    """The cache folder: `given`, else `$CONVBUDGET_CACHE`, else the user's own cache folder.

    Raises `UserError` for a path that no file system can hold.
    """
    chosen = given or os.environ.get("CONVBUDGET_CACHE", "")
    check_path("data.cache" if given else "CONVBUDGET_CACHE", chosen)
    if not chosen:
        chosen = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "convbudget")
    return Path(os.path.expanduser(chosen))


@contextmanager
def writable(folder: Path, content: str) -> Iterator[None]:
    """Turn a failure to write `content` below `folder` into a `UserError` that says what to set.

    Errors about other paths are not the cache's and pass through.
    """
    try:
        yield
    except OSError as error:
        own = str(error.filename or "").startswith(str(folder)) or folder.is_relative_to(
            str(error.filename or "\0")
        )
        if error.errno in _NO_ROOM:
            reason = "the disk is full"
        elif own or error.errno in _DISK:
            reason = error.strerror or "it can't be written"
        else:
            raise
        raise UserError(
            f"{folder} can't hold {content}: {reason}; set data.cache= or CONVBUDGET_CACHE to a"
            " folder with room"
        ) from None


@contextmanager
def locked(path: Path, title: str, say: Say) -> Iterator[bool]:
    """Hold an exclusive lock on the file `path`; the system drops it when the process dies.

    Says so when it has to wait for another process that prepares `title`. Yields whether the lock
    is held: on a file system without locks two processes may do the same work, which is harmless
    because both rename a finished result into place.
    """
    with _opened(path) as handle:
        held = _lock(handle, wait=False)
        if held is False:
            say(f"another process is preparing {title}; waiting for it")
            held = _lock(handle, wait=True)
        yield bool(held)


def sweep(cache: Path) -> None:
    """Remove what killed processes left in the cache, but nothing that a living one is writing.

    Whoever writes a temporary folder holds the lock of its entry meanwhile. Errors are ignored: a
    cache that can only be read is swept by those who may write in it.
    """
    with suppress(OSError):
        for stale in (cache / "arrays").glob("*.tmp-*"):
            _remove(stale, stale.with_name(stale.name.split(".tmp-")[0] + ".lock"))
        for stale in (cache / "tfds").glob("*/incomplete.*"):
            _remove(stale, cache / "tfds" / f"{stale.parent.name}.lock")
        for name in ("parts", "folders"):
            for stale in (cache / name).glob(".writing-*"):
                if _age(stale) > _ABANDONED:
                    stale.unlink()


def _remove(stale: Path, lock: Path) -> None:
    with suppress(OSError), _opened(lock) as handle:
        held = _lock(handle, wait=False)
        if held or (held is None and _age(stale) > _ABANDONED):
            shutil.rmtree(stale, ignore_errors=True)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # No link is followed: a cache can be a group's, and a lock file is never more than a name.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags, 0o666)
    try:
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, *, wait: bool) -> bool | None:
    """Whether the lock was taken; False where another holds it, None where there are no locks."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True
