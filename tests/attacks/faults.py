"""Faults at the boundaries of what a process writes: killed there, or told that the disk is full.

A boundary is the moment before a call that changes the disk: opening for writing, synchronising,
renaming, deleting, making a folder, and every statement of SQLite. `injected` counts them from one
and lets one fault happen at the chosen boundary.
"""

import errno
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from search.study.heartbeat import THREAD as HEARTBEAT

CALLS = ("open", "fsync", "replace", "unlink", "mkdir")


class Boundaries:
    """Counts boundaries; at number `at` the `fault` happens, and `once` says if only there."""

    def __init__(self, at: int, fault: Callable[[], None], *, once: bool = True) -> None:
        self.seen = 0
        self._at, self._fault, self._once = at, fault, once

    def reach(self) -> None:
        """Count one boundary, and let the fault happen if it is its turn.

        Those of the heartbeat are left out: how many there are depends on time.
        """
        if threading.current_thread().name == HEARTBEAT:
            return
        self.seen += 1
        if self.seen == self._at or (not self._once and self.seen > self._at > 0):
            self._fault()


def kill() -> None:
    """End this process as a power cut would: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def full_disk() -> None:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def injected(boundaries: Boundaries, *, statements: bool = True) -> Iterator[None]:
    """Count the boundaries of what runs inside; `statements` counts those of SQLite as well.

    SQLite swallows an exception that its trace callback raises, so faults that raise leave them
    out.
    """
    connect = sqlite3.connect

    def traced(*given: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*given, **named)
        connection.set_trace_callback(lambda _: boundaries.reach())
        return connection

    def counted(call: Callable[..., Any], reading: Callable[..., bool]) -> Callable[..., Any]:
        def reached(*given: Any, **named: Any) -> Any:
            if not reading(*given, **named):
                boundaries.reach()
            return call(*given, **named)

        return reached

    def reads(_path: object, flags: int = os.O_RDONLY, *_: Any, **__: Any) -> bool:
        return flags & (os.O_WRONLY | os.O_RDWR) == 0

    def never(*_: Any, **__: Any) -> bool:
        return False

    patches = [
        patch.object(os, name, counted(getattr(os, name), reads if name == "open" else never))
        for name in CALLS
    ]
    if statements:
        patches.append(patch.object(sqlite3, "connect", traced))
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()
