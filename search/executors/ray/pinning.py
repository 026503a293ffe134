"""Cores for the workers of one machine: each is pinned to some that no other worker has.

Ray books CPUs and does not say which; XLA takes all those that a process may run on.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from search.errors import UserError
from search.files import InUse, Lock, lock


def pin(count: int, folder: Path | None = None) -> list[Lock]:
    """Pin this process to `count` free cores and return what claims them while it is open.

    A core is claimed by the lock on a file in `folder`, the same one for all of a user's workers on
    a machine, of whatever search, so that a core is free again as soon as its worker has ended in
    any way. Where fewer are free, or the system pins no processes, nothing changes.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    allowed = sorted(os.sched_getaffinity(0))
    if count >= len(allowed):
        return []
    claimed: dict[int, Lock] = {}
    # A folder that is another user's, or cannot be written: then no core can be claimed.
    with suppress(UserError, OSError):
        place = _own_folder() if folder is None else folder
        for core in allowed:
            with suppress(InUse):
                claimed[core] = lock(place / str(core), sign=False)
            if len(claimed) == count:
                os.sched_setaffinity(0, claimed)
                return list(claimed.values())
    for held in claimed.values():
        held.close()
    return []


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"convbudget-cores-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is another user's")
    return folder
