"""Heartbeats: small JSON files that processes rewrite while they live, read by other processes.

Clocks of two hosts are never compared: an observer watches the count of a heartbeat change by its
own monotonic clock, and the age of a file is a difference of two times of one file system.
"""

import os
import secrets
import shlex
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from search.errors import shown
from search.files import canonical_json, writing
from search.study.checks import Damaged, choice, integer, member, read_object, string

# Of the thread that beats.
THREAD = "heartbeat"
# Seconds from one beat to the next, and without one after which a process counts as gone. Network
# file systems show a change to other hosts up to 30 seconds later.
INTERVAL, SILENT = 3.0, 60.0
_FORMAT = "convbudget-heartbeat/1"
_PROCESS = ("host", "machine", "born", "command")


@dataclass(frozen=True)
class Process:
    """One process of one machine.

    `machine` tells hosts of one name apart, and containers; `born`: when the process began, as its
    machine counts, which tells a number that was given again; both empty where unknown. `command`
    is for people.
    """

    host: str
    pid: int
    machine: str = ""
    born: str = ""
    command: str = ""

    def __str__(self) -> str:
        """Return `process 12 on host (its command)`."""
        command = f" ({shown(self.command)})" if self.command else ""
        return f"process {self.pid} on {shown(self.host)}{command}"

    @property
    def here(self) -> bool:
        """Whether its number means the same to this process: one machine, one container."""
        return (self.host, self.machine) == (socket.gethostname(), _machine())

    @property
    def dead(self) -> bool:
        """Whether it is known to have ended; False where it cannot be known."""
        # On Windows `os.kill` would end the process.
        if not self.here or os.name == "nt":
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        # Readable, for the signal was allowed; one that only waits to be reaped has ended.
        return bool(self.born) and _born(self.pid) != self.born


@dataclass(frozen=True)
class Beat:
    """What a heartbeat says: who lives, the `token` of what it holds, and how often it has beaten.

    `started`: seconds since 1970 by its own clock; `more`: what else its reader wants to know.
    """

    process: Process
    token: str
    count: int = 0
    started: float = 0.0
    more: Mapping[str, Any] = field(default_factory=dict)

    def text(self, count: int) -> str:
        """Return the JSON of the beat of this count, with the time of its own clock for people."""
        own = {"format": _FORMAT, "token": self.token, "count": count}
        times = {"started": self.started, "beat": time.time()}
        return canonical_json({**asdict(self.process), **own, **times, "more": self.more})


def this_process() -> Process:
    """Return the process that asks."""
    program = Path(sys.argv[0]).name if sys.argv else ""
    words = ["convbudget" if program == "__main__.py" else program, *sys.argv[1:]]
    command = shlex.join(words).encode(errors="backslashreplace").decode()[:400]
    pid = os.getpid()
    return Process(socket.gethostname(), pid, _machine(), _born(pid), command)


def read_beat(path: Path) -> Beat | None:
    """Return what a heartbeat says, None where there is none; raises `Damaged`, `OSError`."""
    values = read_object(path)
    if values is None:
        return None
    choice(member(values, "format", "heartbeat"), "format", (_FORMAT,))
    words = {key: string(member(values, key, "heartbeat"), key) for key in _PROCESS}
    more = values.get("more")
    return Beat(
        Process(pid=integer(member(values, "pid", "heartbeat"), "pid", 1), **words),
        string(member(values, "token", "heartbeat"), "token"),
        integer(member(values, "count", "heartbeat"), "count"),
        more=more if isinstance(more, dict) else {},
    )


def seconds_silent(path: Path) -> float | None:
    """Return how long ago a file was written, by its file system's clock; None where unknown."""
    probe = path.with_name(f".writing-{secrets.token_hex(8)}")
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            return max(0.0, probe.stat().st_mtime - path.stat().st_mtime)
        finally:
            probe.unlink()
    except OSError:
        return None


class Watched:
    """One heartbeat as another process sees it, by this process's clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.beat: Beat | None = None
        self._changed = time.monotonic()

    def look(self) -> str:
        """Read it: `alive`, `gone` (dead or silent too long), or `absent`.

        Raises `Damaged` for what is no heartbeat.
        """
        now = time.monotonic()
        with suppress(OSError):
            found = read_beat(self.path)
            if found is None:
                return "absent"
            if self.beat is None or _stamp(found) != _stamp(self.beat):
                self._changed = now
            self.beat = found
        if self.beat is None:
            return "absent"
        silent = now - self._changed > SILENT
        return "gone" if silent or self.beat.process.dead else "alive"


class Heartbeat:
    """Beats from a thread of its own, so also during long trainings, until `stop`.

    `beat` is what it says. Where the file is another's, or is gone, `mine` decides whether it is
    written again; without it, or where that says no, the heart stops. One that is forgotten stops
    as well.
    """

    def __init__(self, path: Path, beat: Beat, mine: Callable[[], bool] | None = None) -> None:
        self._path, self._beat, self._stopped = path, beat, threading.Event()
        # The thread must not keep this object alive.
        self._forgotten = weakref.finalize(self, self._stopped.set)
        arguments = (path, beat, self._stopped, mine)
        self._thread = threading.Thread(target=_beating, args=arguments, name=THREAD, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and remove the file if it is still this one's."""
        self._stopped.set()
        self._thread.join()
        if _says(self._path, self._beat.token):
            with suppress(OSError):
                self._path.unlink()


def _beating(
    path: Path, beat: Beat, stopped: threading.Event, mine: Callable[[], bool] | None
) -> None:
    count = beat.count
    while not stopped.wait(INTERVAL):
        count += 1
        # Another took over while this process was suspended, or someone tidied up.
        if not _says(path, beat.token) and not (mine is not None and mine()):
            return
        # `writing` would make the folder of a study that was deleted.
        if not path.parent.is_dir():
            return
        with suppress(OSError), writing(path, durable=False) as file:
            file.write(beat.text(count).encode())


def _says(path: Path, token: str) -> bool:
    try:
        found = read_beat(path)
    except (Damaged, OSError):
        return False
    return found is not None and found.token == token


def _stamp(beat: Beat) -> tuple[str, int]:
    return beat.token, beat.count


@cache
def _machine() -> str:
    """Return what no two machines or containers share, where Linux tells it."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _born(pid: int) -> str:
    """Return when a process began, in ticks since its machine did; empty if ended, or unknown."""
    try:
        # The name of the program, in brackets, may hold blanks and brackets.
        after = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if after[0] in "ZX" else after[19]
    except (OSError, IndexError):
        return ""
