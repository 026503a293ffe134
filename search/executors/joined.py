"""The processes that joined a study, as its holder sees them: who is there, and their one job."""

import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from search.errors import SurroundingsError
from search.executors.spool import (
    HEARTBEAT,
    WORKERS,
    Task,
    Told,
    end_seat,
    new_attempt,
    read_told,
    write_task,
)
from search.jobs import Job, Result
from search.study.checks import Damaged
from search.study.computed import platform_of
from search.study.heartbeat import SILENT, Beat, Watched, seconds_silent

# Seconds from one look for workers to the next.
_LOOK = 1.0


@dataclass(frozen=True)
class Asked:
    """A job of trial `number`, and how often it was lost or its surroundings failed."""

    number: int
    job: Job
    confirming: bool = False
    failures: int = 0


@dataclass(eq=False)
class Worker:
    """One worker: its folder, its heartbeat, what it computes on, and what it was asked for.

    `pending`: the attempt whose end it has yet to report, empty where it is idle; `asked`: the job
    of that attempt, None where nobody waits for it any more; `deadline` by the monotonic clock.
    """

    seat: Path
    watched: Watched
    name: str
    computed: Mapping[str, str]
    pending: str = ""
    asked: Asked | None = None
    deadline: float = 0.0


class JoinedWorkers:
    """Workers of the study in `folder`: found, given one job at a time, forgotten when gone.

    `computed`: what the search itself computes on; workers on another platform, device or precision
    are refused unless `allow_mixed`. `note` is told who comes, goes, and is refused; `timeout`: the
    seconds that one job may take, None for no limit.
    """

    def __init__(
        self,
        folder: Path,
        note: Callable[[str], None],
        *,
        computed: Callable[[], Mapping[str, str]] = dict,
        allow_mixed: bool = False,
        timeout: float | None = None,
    ) -> None:
        self._folder, self._note, self._timeout = folder / WORKERS, note, timeout
        self._computed, self._allow_mixed = computed, allow_mixed
        self._workers: dict[str, Worker] = {}
        self._lost: list[tuple[Asked, Told]] = []
        # Seats that were refused, and why, so that each is told of once.
        self._ignored: dict[str, str] = {}
        self._looked = -math.inf

    @property
    def count(self) -> int:
        """How many workers are there."""
        self._look()
        return len(self._workers)

    def idle(self) -> list[Worker]:
        """Return the workers that can be given a job."""
        self._look()
        return [one for one in self._workers.values() if not one.pending]

    def hand(self, worker: Worker, asked: Asked | None) -> None:
        """Give a worker a job, or, where it is to leave the one it has, none."""
        worker.pending, worker.asked = new_attempt(), asked
        worker.deadline = time.monotonic() + (self._timeout or 0)
        task = Task(worker.pending)
        if asked is not None:
            task = Task(worker.pending, asked.number, asked.job, asked.confirming)
        # Where it can't be written its worker is found to be gone.
        with suppress(OSError):
            write_task(worker.seat, task)

    def give_up(self) -> None:
        """Ask for no result any more; what workers do they may finish.

        The folders of those who died are removed, also where nobody was asked for anything.
        """
        self._looked = -math.inf
        self._look()
        for worker in self._workers.values():
            if worker.asked is not None:
                self.hand(worker, None)
        self._lost = []

    def collect(self) -> list[tuple[Asked, Told]]:
        """Return what came of jobs since the last call.

        The job of a worker that is gone, or took too long, comes with a `SurroundingsError`.
        """
        self._look()
        found: list[tuple[Asked, Told]] = []
        for key, worker in list(self._workers.items()):
            if not worker.pending:
                continue
            told = self._told(key, worker)
            asked = worker.asked
            if told is not None:
                worker.pending, worker.asked = "", None
                if asked is not None:
                    found.append((asked, told[0]))
                if isinstance(told[0], SurroundingsError):
                    # It ends, and may take a moment.
                    self._ignore(key, str(told[0]), worker.name)
            elif asked is not None and self._timeout and worker.deadline < time.monotonic():
                # It may hang for ever; if not, it says so at the end of what it does.
                why = f"{worker.name} gave no result for {self._timeout:g} s (executor.timeout)"
                worker.asked = None
                found.append((asked, SurroundingsError(why)))
                self.hand(worker, None)
        found += self._lost
        self._lost = []
        return found

    def _told(self, key: str, worker: Worker) -> tuple[Told] | None:
        """Return what came of a worker's task, None while it is not done."""
        try:
            found = read_told(worker.seat)
        except OSError:
            # A network file system fails now and then; the next look reads it.
            return None
        except Damaged as error:
            self._ignore(key, f"its result is damaged ({error})")
            return None
        if found is None or found[0] != worker.pending:
            return None
        told = found[1]
        if isinstance(told, Result):
            told = replace(told, worker=worker.name, computed=worker.computed or None)
        elif told is not None:
            told = type(told)(f"{worker.name}: {told}")
        return (told,)

    def _look(self) -> None:
        """See now and then who is there."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        try:
            with os.scandir(self._folder) as entries:
                there = {one.name for one in entries if one.is_dir(follow_symlinks=False)}
        except OSError:
            there = set()
        for key in there - self._workers.keys() - self._ignored.keys():
            self._meet(key)
        for key, worker in list(self._workers.items()):
            try:
                state = worker.watched.look()
            except Damaged as error:
                self._ignore(key, f"its heartbeat is damaged ({error})")
                continue
            if state != "alive":
                self._forget(key, " left" if state == "absent" else " gives no sign of life")

    def _meet(self, key: str) -> None:
        """Take a worker on, or refuse it; the folder that a dead one left behind is removed."""
        seat = self._folder / key
        watched = Watched(seat / HEARTBEAT)
        try:
            state = watched.look()
            # At the first look the age of its heartbeat alone tells a death on another machine.
            if state == "gone" or (state == "alive" and _silent(watched.path)):
                end_seat(seat)
                return
            beat = watched.beat
            if beat is None:
                return
            computed = _texts(beat.more.get("computed", {}))
        except Damaged as error:
            self._ignore(key, f"its heartbeat is damaged ({error})")
            return
        name = f"{beat.process.host}:{beat.process.pid}"
        if why := self._unlike(computed):
            with suppress(OSError):
                write_task(seat, Task(new_attempt(), refused=why))
            self._ignore(key, why, name)
            return
        self._workers[key] = Worker(seat, watched, name, computed)
        self._note(f"{_who(beat)} joined")

    def _unlike(self, computed: Mapping[str, str]) -> str:
        """Return why results of a worker must not stand beside the search's own."""
        own, theirs = platform_of(self._computed()), platform_of(computed)
        if self._allow_mixed or not own or not theirs or own == theirs:
            return ""
        return (
            f"it computes on {theirs}, and the search on {own}; join from a machine that is alike,"
            " or give both allow_mixed=true to mix such results"
        )

    def _ignore(self, key: str, why: str, name: str = "") -> None:
        if key in self._workers:
            self._forget(key, "")
        if key not in self._ignored:
            self._ignored[key] = why
            self._note(f"worker {name or key} is not used: {why}")

    def _forget(self, key: str, why: str) -> None:
        worker = self._workers.pop(key)
        if worker.asked is not None:
            said = f"{worker.name}{why or ' is not used any more'}"
            self._lost.append((worker.asked, SurroundingsError(said)))
        if why:
            self._note(f"worker {worker.name}{why}")
        beat = worker.watched.beat
        if beat is not None and beat.process.dead:
            end_seat(worker.seat)


def _who(beat: Beat) -> str:
    return f"worker {beat.process.host}:{beat.process.pid}"


def _silent(heartbeat: Path) -> bool:
    return (seconds_silent(heartbeat) or 0.0) > SILENT


def _texts(values: object) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(one, str) for one in values.values()):
        raise Damaged("what it computes on is not told in texts")
    return dict(values)
