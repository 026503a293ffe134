"""Temporary folders named for the process that they belong to, so that a dead one's are found."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def own_folder(prefix: str, place: str) -> Path:
    """Make a folder of this process in `place`; delete those of processes that were killed.

    `prefix` tells them from other folders.
    """
    _sweep(prefix, Path(place))
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=place))


def _sweep(prefix: str, place: Path) -> None:
    for folder in place.glob(f"{prefix}*-*"):
        with suppress(OSError, ValueError):
            owner = int(folder.name.removeprefix(prefix).split("-")[0])
            if folder.stat().st_uid == os.getuid() and _ended(owner):
                shutil.rmtree(folder, ignore_errors=True)


def _ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
