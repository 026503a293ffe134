"""Evaluates jobs in worker processes of this machine, each on its own device or cores."""

import math
import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from search.config.run import ExecutorConfig
from search.errors import UserError, shown
from search.executors import child
from search.executors.attempts import Task, given_up, next_task
from search.executors.placement import Placement
from search.executors.worker import Work
from search.jobs import Job, Result

# Seconds within which a worker has its data and device ready, and an idle one ends.
_START, _END = 600.0, 2.0
# Seconds of one wait for the workers: a thread has to come back to Python to be stopped.
_LISTEN = 1.0
# Bytes of a worker's stderr that are kept for the reason of its death.
_TAIL = 4096
# What a terminal sends to all of its processes: the search decides what becomes of its workers.
_FROM_TERMINAL = {
    getattr(signal, name) for name in ("SIGINT", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
}


@dataclass(eq=False)
class _Worker:
    """A process, its pipe, the end of its stderr, and what it does until when at most."""

    placement: Placement
    process: BaseProcess
    pipe: Connection
    stderr: Connection
    deadline: float
    failed_starts: int = 0
    ready: bool = False
    task: Task | None = None
    told: bytes = field(default=b"", repr=False)


class PoolExecutor:
    """One worker process for each placement, started with the first job.

    Jobs go in their order to the next free worker; results come in the order of finishing. A job
    whose worker dies, hangs or loses its surroundings is tried again on a fresh one, the last time
    with nothing beside it. Workers end with the search's process, however that ends.
    """

    def __init__(
        self, config: ExecutorConfig, placements: tuple[Placement, ...], work: Work
    ) -> None:
        """Raise `UserError` where `work` cannot be sent to another process."""
        self._retries, self._timeout = config.retries, config.timeout
        self._placements, self._work = placements, _pickled(work)
        self._workers: list[_Worker] = []
        self._waiting: deque[Task] = deque()
        self._finished: deque[tuple[int, Result]] = deque()
        self._computed: dict[str, Mapping[str, str]] = {}

    @property
    def workers(self) -> int:
        """As many as there are placements, started or not."""
        return len(self._placements)

    def submit(self, number: int, job: Job) -> None:
        """Take the job of trial `number`."""
        self._start()
        self._waiting.append(Task(number, job))
        self._dispatch()

    def next(self) -> tuple[int, Result]:
        """Wait for any of the jobs taken; return its number and result.

        Raises `SurroundingsError` where a job's surroundings failed at every try, or no worker
        starts; what a worker raises for a bad value is raised here.
        """
        while not self._finished:
            assert self._waiting or any(one.task for one in self._workers), "no job was submitted"
            self._dispatch()
            self._receive()
        return self._finished.popleft()

    def computed(self) -> Mapping[str, str]:
        """Return what the first worker that is ready computes on; empty where it does not know."""
        self._start()
        while not self._computed:
            self._receive()
        return next(iter(self._computed.values()))

    def close(self) -> None:
        """End the workers; jobs that are not finished are given up."""
        self._waiting.clear()
        for worker in self._workers:
            if worker.task is not None or not worker.ready:
                worker.process.kill()
            else:
                with suppress(OSError):
                    worker.pipe.send(None)
        until = time.monotonic() + _END
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))
            _end(worker)
        self._workers.clear()

    def _start(self) -> None:
        if not self._workers:
            # A pool that was closed may be used again.
            self._computed.clear()
            self._workers = [_started(place, self._work) for place in self._placements]

    def _dispatch(self) -> None:
        """Hand waiting jobs to free workers; a job that has one try left gets it alone."""
        for worker in self._workers:
            if not worker.ready or worker.task is not None:
                continue
            busy = [one.task for one in self._workers if one.task is not None]
            task = next_task(self._waiting, busy, self._retries)
            if task is None:
                return
            worker.task = task
            worker.deadline = time.monotonic() + (self._timeout or math.inf)
            # One that died meanwhile is noticed when it is listened to.
            with suppress(OSError):
                worker.pipe.send(task.job)

    def _receive(self) -> None:
        """Listen for a moment to what workers say; replace those that died or had their time."""
        handles: dict[Any, _Worker] = {}
        for worker in self._workers:
            handles |= dict.fromkeys((worker.pipe, worker.process.sentinel), worker)
            if not worker.stderr.closed:
                handles[worker.stderr] = worker
        soonest = min(worker.deadline for worker in self._workers) - time.monotonic()
        heard = connection.wait(list(handles), min(max(soonest, 0.0), _LISTEN))
        for worker in dict.fromkeys(handles[handle] for handle in heard):
            if worker.stderr in heard:
                _keep_stderr(worker)
            if worker.pipe in heard or worker.process.sentinel in heard:
                self._hear(worker)
        for worker in list(self._workers):
            if worker.deadline <= time.monotonic():
                limit, key = (
                    (self._timeout, " (executor.timeout)") if worker.ready else (_START, "")
                )
                self._lost(worker, f" gave no sign for {limit:g} s{key}")

    def _hear(self, worker: _Worker) -> None:
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(_END)
            self._lost(worker, f" {_death(worker)}")
            return
        if kind == child.READY:
            worker.ready, worker.deadline, worker.failed_starts = True, math.inf, 0
            self._computed[worker.placement.name] = content
        elif kind == child.RESULT:
            task, worker.task, worker.deadline = worker.task, None, math.inf
            assert task is not None
            name = worker.placement.name
            result = replace(content, worker=name, computed=self._computed[name] or None)
            self._finished.append((task.number, result))
        elif kind == child.WRONG:
            worker.task, worker.deadline = None, math.inf
            raise UserError(content)
        elif kind == child.INTERRUPTED:
            raise KeyboardInterrupt
        else:
            self._lost(worker, f": {content}")

    def _lost(self, worker: _Worker, why: str) -> None:
        """Put a fresh worker in the place of one, and its job in front of the queue."""
        task, idle = worker.task, worker.ready and worker.task is None
        failures = worker.failed_starts + 1
        if task is not None:
            failures = task.failures = task.failures + 1
        _end(worker)
        self._workers[self._workers.index(worker)] = _started(
            worker.placement, self._work, 0 if worker.ready else failures
        )
        if failures > self._retries and not idle:
            raise given_up(worker.placement.name, why, failures)
        if task is not None:
            self._waiting.appendleft(task)


def _pickled(work: Work) -> bytes:
    try:
        return pickle.dumps(work)
    # Whatever an object's own methods raise, it cannot be sent.
    except Exception as error:
        raise UserError(
            f"the evaluator cannot be sent to worker processes ({shown(str(error))}); define it at"
            " the top level of a module, or leave out executor.devices, per_device and timeout"
        ) from None


def _started(placement: Placement, work: bytes, failed_starts: int = 0) -> _Worker:
    context = get_context("spawn")
    pipe, its_pipe = context.Pipe()
    stderr, its_stderr = context.Pipe(duplex=False)
    process = context.Process(
        target=child.serve,
        args=(its_pipe, its_stderr, work, placement.cores),
        name=placement.name,
        daemon=True,
    )
    # Where it is not there yet, `start` starts it and then unblocks signals.
    resource_tracker.ensure_running()
    with _environment(placement.environment), _blocked(_FROM_TERMINAL):
        process.start()
    its_pipe.close()
    its_stderr.close()
    return _Worker(placement, process, pipe, stderr, time.monotonic() + _START, failed_starts)


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.process.close()
    worker.pipe.close()
    worker.stderr.close()


def _keep_stderr(worker: _Worker) -> None:
    """Take what a worker printed, so that it never waits for a reader; keep the last of it."""
    while not worker.stderr.closed and worker.stderr.poll():
        found = os.read(worker.stderr.fileno(), 2**16)
        worker.told = (worker.told + found)[-_TAIL:]
        if not found:
            worker.stderr.close()


def _death(worker: _Worker) -> str:
    """Say how a process ended, with the last line that it printed."""
    _keep_stderr(worker)
    code = worker.process.exitcode
    if code is None:
        said = "closed its pipe"
    elif code >= 0:
        said = f"ended with exit code {code}"
    else:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        said = f"was ended by {name}"
        if name == "SIGKILL":
            said += ", as a system does where memory runs out"
    if not worker.ready:
        said += " before it was ready (a script calls search.run under if __name__ == '__main__')"
    last = [line for line in worker.told.decode(errors="replace").splitlines() if line.strip()]
    return f"{said}; its last words: {shown(last[-1].strip(), 200)}" if last else said


@contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Change the environment that a child inherits, for the time of a `with` block."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _blocked(signals: set[signal.Signals]) -> Iterator[None]:
    """Hold signals back, for this thread; a process that it starts holds them back for good."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
