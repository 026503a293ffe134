"""Evaluates jobs by the configured executor and by the processes that joined the study."""

import ctypes
import threading
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import Any

from search.errors import SurroundingsError
from search.executors.joined import Asked, JoinedWorkers
from search.executors.protocol import Executor
from search.executors.spool import Told
from search.jobs import Job, Result

# Seconds from one look for results to the next.
_POLL = 0.1


class SharedExecutor:
    """The executor `own`, which alone evaluates while nobody has joined, as if this were not here.

    From the first worker on, `own` works in a thread, so that jobs are handed out and results taken
    meanwhile. A job whose worker is lost goes elsewhere, at most `retries` times.
    """

    def __init__(
        self, own: Executor, joined: JoinedWorkers, *, confirming: bool = False, retries: int = 2
    ) -> None:
        self._own, self._joined = own, joined
        self._confirming, self._retries = confirming, retries
        self._waiting: deque[Asked] = deque()
        self._finished: deque[tuple[int, Result] | BaseException] = deque()
        # Guards the two queues and the jobs that `own` has.
        self._changed = threading.Condition()
        self._with_own: dict[int, Asked] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def workers(self) -> int:
        """Those of the configured executor and those that joined."""
        return self._own.workers + self._joined.count

    def submit(self, number: int, job: Job) -> None:
        """Take the job of trial `number`."""
        asked = Asked(number, job, self._confirming)
        if self._thread is None and not self._joined.count:
            self._with_own[number] = asked
            self._own.submit(number, job)
            return
        with self._changed:
            self._waiting.append(asked)
            self._changed.notify_all()

    def next(self) -> tuple[int, Result]:
        """Wait for any of the jobs taken; return its number and result.

        Raises `SurroundingsError` where a job was lost too often, and what `own` or a worker
        raises.
        """
        if self._thread is None:
            if not self._joined.count and not self._waiting:
                number, result = self._own.next()
                self._with_own.pop(number, None)
                return number, result
            self._share()
        with self._changed:
            while not self._finished:
                self._hand_out()
                if not self._finished:
                    self._changed.wait(_POLL)
            found = self._finished.popleft()
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """End the configured executor; workers that joined may be given jobs by another."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        self._joined.give_up()
        if self._thread is not None:
            if self._with_own:
                _interrupt(self._thread)
            self._thread.join()
            self._thread = None
        self._own.close()
        self._with_own.clear()
        self._finished.clear()
        self._closed = False

    def _share(self) -> None:
        """Let `own` go on in a thread, and take back what it has not begun."""
        withdraw: Any = getattr(self._own, "withdraw", None)
        for number in withdraw() if withdraw is not None else ():
            self._waiting.append(self._with_own.pop(number))
        self._thread = threading.Thread(target=self._work, name="evaluate", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        # Raised by `close`, at whatever line the thread has come to.
        with suppress(KeyboardInterrupt):
            self._evaluate()

    def _evaluate(self) -> None:
        """Evaluate jobs by `own`, which gets one more than it works on, to prepare for it."""
        while True:
            try:
                with self._changed:
                    while not (self._closed or self._waiting or self._with_own):
                        self._changed.wait()
                    if self._closed:
                        return
                    while self._waiting and len(self._with_own) <= self._own.workers:
                        asked = self._waiting.popleft()
                        self._with_own[asked.number] = asked
                        self._own.submit(asked.number, asked.job)
                found = self._own.next()
            except BaseException as error:
                with self._changed:
                    self._finished.append(error)
                    self._changed.notify_all()
                return
            with self._changed:
                self._with_own.pop(found[0], None)
                self._finished.append(found)
                self._changed.notify_all()

    def _hand_out(self) -> None:
        """Take the results of those who joined, and give the idle ones jobs."""
        for asked, told in self._joined.collect():
            self._take(asked, told)
        for worker in self._joined.idle():
            if not self._waiting:
                return
            self._joined.hand(worker, self._waiting.popleft())

    def _take(self, asked: Asked, told: Told) -> None:
        if isinstance(told, Result):
            self._finished.append((asked.number, told))
        elif isinstance(told, SurroundingsError) and asked.failures < self._retries:
            self._waiting.appendleft(replace(asked, failures=asked.failures + 1))
            self._changed.notify_all()
        elif told is None:
            self._waiting.appendleft(asked)
        else:
            self._finished.append(told)


def _interrupt(thread: threading.Thread) -> None:
    """Raise `KeyboardInterrupt` in a thread that evaluates, as Ctrl-C does in the main one."""
    identity = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(KeyboardInterrupt))
