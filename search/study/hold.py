"""One writer of a study at a time: a lock, a heartbeat for file systems without locks, a token.

The lock decides where it can. Where it cannot (a file system without locks, or one that keeps them
to each machine) the heartbeat decides: one that is silent for `SILENT` seconds is taken over, that
of a process known to be dead at once. A process that was only suspended may wake up after that. So
each writer puts its token into the database, and every transaction checks that it is still there.
"""

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from search.errors import UserError
from search.files import InUse, Lock, holder, lock, reported
from search.study.checks import Damaged
from search.study.connection import NAME, writer_of
from search.study.heartbeat import (
    INTERVAL,
    SILENT,
    Beat,
    Heartbeat,
    read_beat,
    seconds_silent,
    this_process,
)

LOCK, HOLDER = ".lock", ".holder.json"
# In the heartbeat: whether its process has the lock too.
_LOCKED = "locked"


class StudyInUse(UserError):
    """Another process writes to the study."""


class Hold:
    """The right to write to a study, until `close`.

    `token` proves it; `notes`: what the user should be told.
    """

    def __init__(
        self, folder: Path, held: Lock, heartbeat: Heartbeat, beat: Beat, note: str
    ) -> None:
        self._folder, self._lock, self._heartbeat = folder, held, heartbeat
        self.token, self.notes = beat.token, [note] if note else []
        if not held.held:
            self.notes.append(
                f"{folder} lies on a file system without locks: heartbeats alone keep other"
                " processes from writing"
            )

    def check(self) -> None:
        """Raise `StudyInUse` where another process has taken the study over."""
        found = _read(self._folder / HOLDER)
        if found is not None and found.token != self.token:
            raise _in_use(self._folder, str(found.process))

    def close(self) -> None:
        """Let other processes write."""
        self._heartbeat.stop()
        self._lock.close()


def hold(folder: Path) -> Hold:
    """Take the right to write to the study in a folder that exists.

    Raises `StudyInUse`, which says who has it, and `UserError` where the folder cannot be written.
    """
    try:
        held = lock(folder / LOCK)
    except InUse as owner:
        beat = _read(folder / HOLDER)
        who = str(owner) if beat is None else _described(beat, folder / HOLDER)
        raise _in_use(folder, who) from None
    try:
        note = _vacated(folder, held.held)
        more = {_LOCKED: held.held}
        beat = Beat(this_process(), secrets.token_hex(8), started=time.time(), more=more)
        _begin(folder, beat)

        def mine() -> bool:
            return writer_of(folder / NAME) == beat.token

        return Hold(folder, held, Heartbeat(folder / HOLDER, beat, mine), beat, note)
    except BaseException:
        held.close()
        raise


def running(folder: Path) -> str | None:
    """Return the process that writes to a study, as far as it said who it is; None for none."""
    path = folder / HOLDER
    locked, beat = holder(folder / LOCK), _read(folder / HOLDER)
    if locked is not None or beat is None:
        return locked if beat is None else str(beat.process)
    # Nobody is seen to hold a lock: where locks do not reach, the heartbeat tells.
    released = beat.process.here and beat.more.get(_LOCKED) is True
    return None if beat.process.dead or released or _silent(path) else str(beat.process)


def _vacated(folder: Path, locked: bool) -> str:
    """See to it that no heartbeat of an earlier holder is there; return what to tell of it.

    Raises `StudyInUse` where its process may live.
    """
    path = folder / HOLDER
    if not os.path.lexists(path):
        return ""
    beat = _read(path)
    if beat is None:
        # Damaged, or about to be written.
        if not locked and not _silent(path):
            raise _in_use(folder, "another process")
        path.unlink(missing_ok=True)
        return ""
    process = beat.process
    ours = process.here and process.pid == os.getpid()
    # The lock is ours now, and within one machine a lock can be relied on.
    released = process.here and locked
    if not (process.dead or released):
        if not _silent(path):
            wait = f"; once it is silent for {SILENT:g} s, this command takes over"
            raise _in_use(folder, _described(beat, path), wait)
        time.sleep(2 * INTERVAL)
        _same(folder, beat, _read(path))
    # Renamed first: of several processes that come to this point one has the file.
    aside = path.with_name(f".writing-{secrets.token_hex(8)}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        raise _in_use(folder, "another process, which took it over just now") from None
    taken = _read(aside)
    if taken is None or taken.token != beat.token:
        with suppress(OSError):
            os.link(aside, path)
        aside.unlink(missing_ok=True)
        raise _in_use(folder, "another process, which took it over just now")
    aside.unlink()
    return "" if ours else f"took over from {process}, which no longer writes to this study"


def _same(folder: Path, before: Beat, now: Beat | None) -> None:
    if now is None or (now.token, now.count) != (before.token, before.count):
        raise _in_use(folder, "another process" if now is None else str(now.process))


def _begin(folder: Path, beat: Beat) -> None:
    """Write the first beat, unless another process is first."""
    path = folder / HOLDER
    with reported(path):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            raise _in_use(folder, "another process, which began just now") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(beat.text(0).encode())


def _read(path: Path) -> Beat | None:
    try:
        return read_beat(path)
    except (Damaged, OSError):
        return None


def _silent(path: Path) -> bool:
    seconds = seconds_silent(path)
    return seconds is not None and seconds > SILENT


def _described(beat: Beat, path: Path) -> str:
    seconds = seconds_silent(path)
    age = "" if seconds is None else f", its heartbeat {seconds:.0f} s old"
    return f"{beat.process}{age}"


def _in_use(folder: Path, who: str, more: str = "") -> StudyInUse:
    return StudyInUse(
        f"{folder} is being written by {who}; wait for it, join it with join=true, or choose"
        f" another study={more}"
    )
