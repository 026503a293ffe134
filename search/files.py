"""Files on disk: written whole or not at all, locked by one process, JSON in one canonical form."""

import errno
import json
import math
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from search.errors import UserError

try:
    import fcntl
except ImportError:  # Windows has no flock: locks are then not held.
    fcntl = None  # type: ignore[assignment]

# Older versions named the temporary files of checkpoints `.*.part`.
_TEMPORARY = (".writing-*", ".*.part")
# Seconds within which a process that only looks has let go of a lock.
_LOOK = 0.05
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
# Absent on Windows.
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)
# Made once: `json.dumps` with arguments makes an encoder for every call.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def canonical_json(value: Any) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, ASCII, no NaN.

    Ids are hashes of this text. Raises `ValueError` or `TypeError` for what JSON cannot express.
    """
    return _encode(value)


def finite(value: Any) -> Any:
    """Return what JSON can hold of `value`: None for NaN and infinities, anything else as it is."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn an `OSError` (disk full, no permission, …) into a `UserError` that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{path} cannot be written ({reason}); free the disk, or choose another folder"
            " (outputs= or --out) that can be written, then the same command goes on"
        ) from error


@contextmanager
def writing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` when the block ends without an exception.

    Readers, and a kill at any moment, see the old file or the new one, never a part. `durable`
    waits for the disk, so that the content also survives a loss of power. A symbolic link at `path`
    is replaced, not followed. The temporary file stays locked until it is renamed, which tells
    `sweep` that its writer is alive. Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".writing-{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
    # Not by `tempfile`, whose files nobody else may read.
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if fcntl is not None:
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if fcntl is not None:
                os.replace(temporary, path)
        if fcntl is None:
            # Windows renames closed files only.
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def write(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace the file `path` by `content`, whole or not at all; see `writing`.

    Raises `UserError` when the disk is full or the folder can't be written.
    """
    with reported(path), writing(path, durable=durable) as file:
        file.write(_encoded(content))


def write_all(folder: Path, contents: Mapping[str, str | bytes | None]) -> None:
    """Replace the files of a folder by `contents`, by name, all of them or none.

    None removes a file. No file is replaced before all are written; see `writing`. Raises
    `UserError` when the disk is full or the folder can't be written.
    """
    with ExitStack() as stack:
        for name, content in contents.items():
            path = folder / name
            stack.enter_context(reported(path))
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if content is not None:
                file = stack.enter_context(writing(path))
                file.write(_encoded(content))
                file.flush()
    for name, content in contents.items():
        if content is None:
            with reported(folder / name):
                (folder / name).unlink(missing_ok=True)


def append(path: Path, text: str) -> None:
    """Add `text` to the end of a regular file; raises `UserError` for a link or a full disk."""
    with reported(path):
        descriptor = _open_regular(path, os.O_WRONLY | os.O_APPEND)
        with os.fdopen(descriptor, "ab") as file:
            file.write(text.encode(errors="backslashreplace"))


def sweep(folder: Path) -> None:
    """Delete the temporary files that killed processes left in `folder`.

    A file whose writer is alive is locked and stays; so does everything on a file system without
    locks. Call it while holding the folder's lock: checkpoints of older versions are not locked.
    """
    for pattern in _TEMPORARY:
        for path in folder.glob(pattern):
            # `InUse`: its writer is alive. The folder may also be read-only, the file a link.
            with suppress(InUse, UserError, OSError), lock(path, sign=False) as held:
                if held:
                    path.unlink()


class InUse(Exception):
    """Another process holds the lock; the message says which, as far as it said so itself."""


class Lock:
    """An exclusive lock on a file, until `close` or the end of the process.

    As a context manager it yields `held`: False where the file system knows no locks.
    """

    def __init__(self, file: BinaryIO, held: bool) -> None:
        self._file, self.held = file, held

    def __enter__(self) -> bool:
        return self.held

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock."""
        self._file.close()


def lock(path: Path, waiting: Callable[[str], None] | None = None, *, sign: bool = True) -> Lock:
    """Lock the file `path`, which is made if absent.

    Where another process holds it, `waiting` is called with that process's name and the lock is
    waited for; without `waiting` `InUse` is raised. `sign` writes into the file who holds it.
    A file system without locks (some network mounts) gives a `Lock` that is not held. Raises
    `UserError` where `path` is a link or cannot be written.
    """
    with reported(path):
        # Without a buffer: `close` would try again to write what a full disk did not take.
        file = os.fdopen(_open_regular(path, os.O_RDWR), "r+b", buffering=0)
    try:
        with reported(path):
            held = _flocked(file, waiting)
            if sign and held:
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except BaseException:
        file.close()
        raise
    return Lock(file, held)


def holder(path: Path) -> str | None:
    """Return who holds the lock on a file, as far as it said so; None where nobody does.

    The lock is tried for an instant, which `lock` bears with. None also for what cannot be opened
    and on file systems without locks.
    """
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW | _BINARY)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner(file)
        except OSError:
            return None
    return None


def _encoded(content: str | bytes) -> bytes:
    # A file name that is not UTF-8 may be part of a text: it is shown escaped.
    return content.encode(errors="backslashreplace") if isinstance(content, str) else content


def _owner(file: BinaryIO) -> str:
    return file.read(200).decode(errors="replace").strip() or "another process"


def _flocked(file: BinaryIO, waiting: Callable[[str], None] | None) -> bool:
    """Return whether the lock was obtained; raises `InUse` where another process holds it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if waiting is None:
            _flocked_again(file)
            return True
        owner = _owner(file)
        file.seek(0)
        waiting(owner)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _flocked_again(file: BinaryIO) -> None:
    """Lock a file that was held a moment ago; raises `InUse` unless it was `holder` that looked."""
    time.sleep(_LOOK)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUse(_owner(file)) from None


def _open_regular(path: Path, flags: int) -> int:
    """Open or create a regular file; raises `UserError` for links, pipes and devices."""
    try:
        descriptor = os.open(path, flags | os.O_CREAT | _NOFOLLOW | _BINARY, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO) or path.is_symlink():
            raise _no_regular_file(path) from None
        raise
    status = os.fstat(descriptor)
    # A second hard link would have its content overwritten as well.
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise _no_regular_file(path)
    return descriptor


def _no_regular_file(path: Path) -> UserError:
    return UserError(
        f"{path} is a link or not a regular file, so writing it could change another; remove it,"
        " then the same command goes on"
    )
