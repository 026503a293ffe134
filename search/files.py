"""Files that are written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from search.errors import UserError


def canonical_json(value: Any) -> str:
    """Return the one JSON text that stands for `value`: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn an `OSError` (disk full, no permission, …) into a `UserError` that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{path} cannot be written ({reason}); free the disk or point outputs= at a folder"
            " that can be written, then the same command goes on"
        ) from error


def write(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace the file `path` by `content`: a reader, or a kill, sees the old or the new whole.

    `durable` waits for the disk, so that it survives a loss of power as well. Raises `UserError`
    when the disk is full or the folder can't be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            # mkstemp makes a file for its owner's eyes only.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
