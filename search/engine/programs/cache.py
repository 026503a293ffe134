"""Compiled programs, each made once, in threads: compiling releases Python's lock."""

import atexit
import os
import queue
import sys
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import jax
from jax.sharding import SingleDeviceSharding

from search.cores import cores
from search.engine.programs.compile import Program as Program
from search.engine.programs.compile import compiled
from search.engine.programs.store import ProgramStore


@dataclass(frozen=True)
class ProgramSpec:
    """What to compile: a key that determines it, the function, and its arguments' shapes.

    Shapes are trees of `jax.ShapeDtypeStruct`. Equal keys must mean equal programs. `shared`: many
    candidates use the program, so it stays in the cache when no job holds it. `quickly`: compile
    it with less optimisation, for one layer, or where the C++ kernels do the work.
    """

    key: Hashable
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    shared: bool = True
    quickly: bool = True

    @property
    def text(self) -> str:
        """The key in every process: of the parts that it is made of, and of the arguments."""
        leaves, structure = jax.tree.flatten(self.arguments)
        return f"{self.key!r}\n{structure}\n{[(leaf.shape, str(leaf.dtype)) for leaf in leaves]}"


class ProgramCache:
    """All programs of one device. Safe to use from several threads.

    Jobs that run or are prepared hold the programs of their own, which take 13 to 28 MB for each
    network; `release` drops those that no job holds any more. Shared programs are far smaller, and
    stay: of one layer each, as many as a space has shapes, or of packed networks, as many as it has
    sizes. `store`: where programs are kept beyond this process, None for nowhere.
    """

    def __init__(self, device: jax.Device, store: ProgramStore | None = None) -> None:
        self._sharding, self._store = SingleDeviceSharding(device), store
        self._made: dict[Hashable, Future[Program]] = {}
        self._holders: dict[Hashable, set[Hashable]] = {}
        self._lock = threading.Lock()
        self._compilers = _Compilers(min(8, cores()))
        # Its threads would outlive a cache that nobody uses.
        weakref.finalize(self, self._compilers.cancel).atexit = False

    def start(self, program_specs: Sequence[ProgramSpec]) -> list[Future[Program]]:
        """Begin to compile what is not there yet, and return without waiting."""
        with self._lock:
            return [self._begin(spec) for spec in program_specs]

    def get(self, program_specs: Sequence[ProgramSpec]) -> tuple[list[Program], float]:
        """Return the programs, and the seconds it took until they were there."""
        began = time.perf_counter()
        futures = self.start(program_specs)
        try:
            programs = [future.result() for future in futures]
        except BaseException:
            # Memory may have run out: the next candidate shall not inherit the failure.
            self._drop([b.key for b, f in zip(program_specs, futures, strict=True) if _broken(f)])
            raise
        return programs, time.perf_counter() - began

    def hold(self, holder: Hashable, program_specs: Sequence[ProgramSpec]) -> None:
        """Keep these programs until `release(holder)`; a holder may hold several times."""
        with self._lock:
            for spec in program_specs:
                if not spec.shared:
                    self._holders.setdefault(spec.key, set()).add(holder)

    def release(self, holder: Hashable) -> None:
        """Drop the programs that `holder` was the last to hold."""
        with self._lock:
            for key in [key for key, holders in self._holders.items() if holder in holders]:
                self._holders[key].discard(holder)
                if not self._holders[key]:
                    del self._holders[key]
                    self._forget(key)

    def clear(self) -> None:
        """Drop every finished program, for want of memory; trainings keep those they use."""
        with self._lock:
            self._made = {key: made for key, made in self._made.items() if not made.done()}

    def keys(self) -> list[Hashable]:
        """Keys of the programs that are there or being compiled."""
        with self._lock:
            return list(self._made)

    def _drop(self, keys: Sequence[Hashable]) -> None:
        with self._lock:
            for key in keys:
                self._made.pop(key, None)

    def _forget(self, key: Hashable) -> None:
        future = self._made.pop(key, None)
        if future is not None:
            # Of no use to anyone: compiling it would only keep others waiting.
            future.cancel()

    def _begin(self, spec: ProgramSpec) -> "Future[Program]":
        if spec.key not in self._made:
            sharding, store = self._sharding, self._store
            # Not a method: threads that wait for a task would keep the cache.
            self._made[spec.key] = self._compilers.submit(lambda: _made(spec, sharding, store))
        return self._made[spec.key]


def _made(spec: ProgramSpec, sharding: SingleDeviceSharding, store: ProgramStore | None) -> Program:
    """Return the program from the store, or compile it and keep it there."""
    found = store.read(spec.text) if store else None
    if found is None:
        tuned = store.folder if store else None
        found = compiled(spec.function, spec.arguments, sharding, quickly=spec.quickly, tuned=tuned)
        if store:
            store.write(spec.text, found)
    return found


def leave(code: int, patience: float = 2.0) -> None:
    """End this process with `code`, unless all compilations have ended within so many seconds.

    For a command line, as its last act. XLA cannot be told to stop, and a thread that comes back
    from it while Python takes the interpreter down aborts the process ("exception not rethrown"):
    what still compiles then is left to the operating system. Programs that do not call this wait
    for the compilations under way, not for those in the queue.
    """
    until = time.monotonic() + patience
    compilers = list(_COMPILERS)
    for each in compilers:
        each.cancel()
    if not all(each.join(until) for each in compilers):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Compilers:
    """Threads that compile, whose queue is dropped when the process ends.

    The threads of a `ThreadPoolExecutor` are joined when the interpreter exits, after everything
    that was submitted: an interruption with 24 programs in the queue took 27 seconds.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self._tasks: queue.SimpleQueue[tuple[Future[Program], Callable[[], Program]] | None]
        self._tasks = queue.SimpleQueue()

    def submit(self, task: Callable[[], Program]) -> "Future[Program]":
        """Queue a task; called under the cache's lock."""
        if not self._threads:
            for number in range(self._count):
                name = f"compile-{number}"
                self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            for thread in self._threads:
                thread.start()
            if not _COMPILERS:
                atexit.register(_close)
            _COMPILERS.add(self)
        future: Future[Program] = Future()
        self._tasks.put((future, task))
        return future

    def cancel(self) -> None:
        """Drop what waits, and let each thread end after its program."""
        self._closed.set()
        for _ in self._threads:
            self._tasks.put(None)

    def join(self, until: float) -> bool:
        """Wait for the threads till then, by the monotonic clock; say whether all have ended."""
        for thread in self._threads:
            thread.join(min(threading.TIMEOUT_MAX, max(0.0, until - time.monotonic())))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (given := self._tasks.get()) is not None:
            future, task = given
            if self._closed.is_set():
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(task())
            except BaseException as error:
                future.set_exception(error)
            # Not kept while the thread waits for the next.
            del given, future, task


# Those of this process, for `leave`.
_COMPILERS: "weakref.WeakSet[_Compilers]" = weakref.WeakSet()


def _close() -> None:
    """Drop what waits to be compiled, and wait for what is being compiled."""
    compilers = list(_COMPILERS)
    for each in compilers:
        each.cancel()
    for each in compilers:
        each.join(float("inf"))


def _broken(future: "Future[Program]") -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)
