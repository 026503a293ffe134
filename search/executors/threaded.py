"""Evaluates jobs here, several at once, each in a thread of its own."""

import queue
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from search.executors.local import evaluate
from search.jobs import Evaluator, Job, Result

# Seconds after which a thread that waits for a result can be interrupted.
_POLL = 0.1
# Seconds between two looks whether threads that were told to stop have ended.
_PAUSE = 0.01


class _Running(NamedTuple):
    """A job and its thread, which sets `over` at its end."""

    job: Job
    thread: threading.Thread
    over: threading.Event


class ThreadedExecutor:
    """This process, for an evaluator that is safe to call from `at_once` threads.

    Jobs begin in the order in which they are submitted, as soon as there is room, and their results
    are returned in that order, so that nothing depends on how long they take. One that may go on
    from where another ends, the same training but for its length, waits for that. While several
    run, each is charged its equal share of the time that passes as its `seconds`, so that those of
    all jobs add up to the time that they took.

    `stop`: set while the calls that run are to end, by a `KeyboardInterrupt`. An exception that is
    raised in their threads from outside could leave a lock behind that another waits for.
    """

    def __init__(self, evaluator: Evaluator, at_once: int, stop: threading.Event) -> None:
        self._evaluator, self._at_once, self._stop = evaluator, at_once, stop
        self._waiting: deque[tuple[int, Job]] = deque()
        # Numbers of the jobs that are begun and not returned, the oldest first.
        self._begun: deque[int] = deque()
        self._running: dict[int, _Running] = {}
        self._finished: dict[int, Result | BaseException] = {}
        # Filled by the threads, which touch nothing else here.
        self._ended: queue.SimpleQueue[tuple[int, Result | BaseException]] = queue.SimpleQueue()
        # Seconds that each running job is charged, and up to when.
        self._seconds: dict[int, float] = {}
        self._charged = 0.0

    @property
    def workers(self) -> int:
        """One: a search is to count the others as `ahead`, so that it does not depend on timing."""
        return 1

    def submit(self, number: int, job: Job) -> None:
        """Begin the job of trial `number`, or queue it."""
        self._waiting.append((number, job))
        self._begin()

    def withdraw(self) -> list[int]:
        """Give back the jobs that are not begun; return their numbers."""
        numbers = [number for number, _ in self._waiting]
        self._waiting.clear()
        return numbers

    def next(self) -> tuple[int, Result]:
        """Wait for the oldest job; return its number and result. Raises what `evaluate` raises."""
        # After a failure of the surroundings nothing was begun.
        self._begin()
        while self._begun[0] not in self._finished:
            with suppress(queue.Empty):
                self._end(*self._ended.get(timeout=_POLL))
        number = self._begun.popleft()
        found = self._finished.pop(number)
        if isinstance(found, BaseException):
            raise found
        return number, found

    def close(self) -> None:
        """Stop what runs, forget what waits, and return when all threads have ended."""
        self._waiting.clear()
        if self._running:
            self._stop.set()
            self._wait()
            self._stop.clear()
        self._ended = queue.SimpleQueue()
        for one in (self._running, self._begun, self._finished, self._seconds):
            one.clear()

    def _wait(self) -> None:
        """Wait until all threads have ended, and only then be interrupted.

        XLA aborts a process that goes before its threads. `Thread.join` is of no use: interrupted,
        it takes the thread for ended (Python 3.11).
        """
        interrupted = ended = False
        while not ended:
            try:
                # One without an identity was interrupted before it began.
                while any(
                    one.thread.ident is not None and not one.over.is_set()
                    for one in self._running.values()
                ):
                    time.sleep(_PAUSE)
                ended = True
            except KeyboardInterrupt:
                interrupted = True
        if interrupted:
            raise KeyboardInterrupt

    def _begin(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            number, job = self._waiting[0]
            running = [_but_for_length(one.job) for one in self._running.values()]
            if _but_for_length(job) in running:
                return
            self._waiting.popleft()
            self._charge()
            self._seconds[number] = 0.0
            over = threading.Event()
            # No daemon, so that the interpreter does not end before it.
            thread = threading.Thread(
                target=_work,
                args=(self._evaluator, number, job, self._ended, over),
                name=f"train {number}",
            )
            self._running[number] = _Running(job, thread, over)
            self._begun.append(number)
            thread.start()

    def _end(self, number: int, found: Result | BaseException) -> None:
        self._charge()
        del self._running[number]
        seconds = self._seconds.pop(number)
        if isinstance(found, Result):
            found = replace(found, seconds=seconds)
            self._begin()
        self._finished[number] = found

    def _charge(self) -> None:
        """Divide the time since it was last divided among the jobs that ran meanwhile."""
        now = time.perf_counter()
        for number in self._running:
            self._seconds[number] += (now - self._charged) / len(self._running)
        self._charged = now


def _work(
    evaluator: Evaluator,
    number: int,
    job: Job,
    ended: "queue.SimpleQueue[tuple[int, Result | BaseException]]",
    over: threading.Event,
) -> None:
    try:
        ended.put((number, evaluate(evaluator, job)))
    except BaseException as error:
        # Of one that was told to stop nobody asks for it.
        ended.put((number, error))
    finally:
        over.set()


def _but_for_length(job: Job) -> tuple[str, int]:
    return job.candidate.id, job.seed
