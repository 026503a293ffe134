"""A process that joined a study which another one holds: it trains what it is handed.

It reads the study and writes nothing but its own folder of the spool, and checkpoints.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from search.config.run import RunConfig
from search.data.dataset import Dataset
from search.errors import SurroundingsError, UserError
from search.executors.build import elsewhere
from search.executors.protocol import Executor
from search.executors.spool import (
    HEARTBEAT,
    JOB,
    WORKERS,
    Task,
    Told,
    begin_seat,
    end_seat,
    read_task,
    write_told,
)
from search.files import write
from search.jobs import Evaluator, Job, Result
from search.runner.evaluation import evaluations
from search.runner.outcome import Outcome, read_outcome
from search.study.checks import Damaged
from search.study.heartbeat import Beat, Heartbeat, Watched, this_process
from search.study.hold import HOLDER
from search.study.settings import refuse_changes
from search.study.study import Study
from search.units import counted

# Seconds from one look for a job to the next, and for the holder.
_POLL, _LOOK = 0.1, 1.0
# Seconds within which a holder has begun its study.
_BEGIN = 60.0

Executors = tuple[Executor, Executor]
"""Those of a search, and of its confirmation."""


class HolderGone(Exception):
    """The process that held the study died or is silent; the message says which."""


@dataclass
class _Holder:
    """The holder as this process sees it; `absent` since when its heartbeat is missing."""

    watched: Watched
    looked: float = 0.0
    absent: float = 0.0

    def ended(self) -> bool:
        """Whether it ended in order; raises `HolderGone` where it did not."""
        now = time.monotonic()
        if now - self.looked < _LOOK:
            return False
        self.looked = now
        try:
            state = self.watched.look()
        except Damaged:
            # Being written for the first time, or damaged: then it will be replaced.
            return False
        if state == "gone":
            raise HolderGone(f"{self.watched.beat and self.watched.beat.process} is gone")
        if state == "alive":
            self.absent = 0.0
            return False
        self.absent = self.absent or now
        # Between two holders it is missing for an instant.
        return now - self.absent > _LOOK


def join(
    config: RunConfig,
    folder: Path,
    settings: Mapping[str, Any],
    dataset: Dataset | None,
    own: Evaluator | Callable[[Job], float] | None,
    console: Console,
) -> Outcome:
    """Evaluate what the holder of the study in `folder` hands out, one by one, until it ends.

    By `own`, an evaluator of the caller's, or by training on `dataset`. Raises `HolderGone` where
    the holder dies, `UserError` for other settings than the study's, where the holder refuses this
    worker, and where its surroundings fail.
    """

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    if elsewhere(config.executor):
        raise UserError(
            "join=true trains in one process on one device: leave out executor= and its keys, and"
            " where there are several devices join once for each, chosen by CUDA_VISIBLE_DEVICES"
        )
    holder = _Holder(Watched(folder / HOLDER))
    holder.ended()
    with _begun(folder, holder) as study:
        refuse_changes(folder, study.settings, settings)
        phases = evaluations(config, own, study, dataset, say)
        computed = study.computed
    beat = holder.watched.beat
    process = this_process()
    name = f"{process.host}:{process.pid}"
    say(f"joined {beat.process if beat else 'the search'}: this process, {name}, trains for it")
    seat = folder / WORKERS / f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
    with ExitStack() as ending:
        ending.callback(end_seat, seat)
        begin_seat(seat)
        mine = Beat(process, seat.name, started=time.time(), more={"computed": computed})
        write(seat / HEARTBEAT, mine.text(0), durable=False)
        # A folder that a holder cleared away, as this process was silent, is not made again.
        ending.callback(Heartbeat(seat / HEARTBEAT, mine, seat.is_dir).stop)
        search, confirm = (ending.enter_context(closing(one.executor())) for one in phases)
        done = _serve(seat, (search, confirm), holder, say)
    say(f"{folder}: the search that this process joined has ended; it trained {done} of its jobs")
    return read_outcome(folder, "joined")


def _begun(folder: Path, holder: _Holder) -> Study:
    """Return the study, open for reading, once its holder has begun it."""
    until = time.monotonic() + _BEGIN
    while True:
        try:
            return Study.read(folder)
        except UserError:
            if time.monotonic() > until:
                raise
            if holder.ended():
                raise HolderGone("the process that began the study has ended") from None
        time.sleep(_POLL)


def _serve(seat: Path, executors: Executors, holder: _Holder, say: Callable[[str], None]) -> int:
    """Do one task after the other until the holder ends; return how many jobs were evaluated."""
    last, done = "", 0
    while not holder.ended():
        task = _asked(seat)
        if task is None or task.attempt == last:
            time.sleep(_POLL)
            continue
        last = task.attempt
        if task.refused:
            raise UserError(f"this process cannot join: {task.refused}")
        told = _told(executors, task)
        # Where the folder is gone, the job went to another.
        with suppress(OSError):
            if seat.is_dir():
                write_told(seat, task.attempt, told)
        if isinstance(told, UserError):
            raise told
        if isinstance(told, SurroundingsError):
            raise UserError(
                f"this worker stops, for its surroundings failed at every try: {told}; its job goes"
                " to another: mend the cause, then the same command joins again"
            )
        if isinstance(told, Result):
            done += 1
            say(_line(task, told))
    return done


def _asked(seat: Path) -> Task | None:
    """Return what the holder asks for, None where that cannot be read now.

    Raises `UserError` where it is damaged, or the holder has removed the folder.
    """
    found = None
    # A network file system fails now and then.
    with suppress(OSError):
        try:
            found = read_task(seat)
        except Damaged as error:
            raise UserError(
                f"{seat / JOB} is damaged ({error}); the same command joins again"
            ) from None
    if found is None and not seat.is_dir():
        raise UserError(
            f"{seat} was removed, so the holder cannot reach this process; the same command joins"
            " again"
        )
    return found


def _told(executors: Executors, task: Task) -> Told:
    if task.job is None:
        return None
    try:
        executor = executors[task.confirming]
        executor.submit(task.number, task.job)
        return executor.next()[1]
    except (SurroundingsError, UserError) as error:
        return error


def _line(task: Task, result: Result) -> str:
    job = task.job
    assert job is not None
    what = f"{job.candidate.id}, {counted(job.epochs, 'epoch')}"
    came = f"accuracy {result.accuracy:.4f}" if result.status == "ok" else result.error
    return f"trained {what}, seed {job.seed}, in {result.seconds:.1f} s: {came}"
