"""Several jobs at once in one process: contract, order, time, interruption."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from executors.workers import job

from search.errors import SurroundingsError
from search.executors.build import in_process
from search.executors.joined import JoinedWorkers
from search.executors.local import LocalExecutor
from search.executors.shared import SharedExecutor
from search.executors.threaded import ThreadedExecutor
from search.jobs import Job, Result
from search.testing import check_executor

PATIENCE = 30


class Gate:
    """An evaluator whose calls wait until the test lets them go on, or they are stopped."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.stopped: list[int] = []
        self.opened: dict[int, threading.Event] = {}
        self.stop = threading.Event()

    def __call__(self, job: Job) -> Result:
        self.begun.append(job.seed)
        until(lambda: self.may_go(job.seed) or self.stop.is_set())
        if self.stop.is_set():
            self.stopped.append(job.seed)
            raise KeyboardInterrupt
        return Result(job.seed / 100, 1.0, 123.0)

    def may_go(self, number: int) -> bool:
        return self.opened.setdefault(number, threading.Event()).is_set()

    def open(self, number: int) -> None:
        self.opened.setdefault(number, threading.Event()).set()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_the_contract(at_once: int) -> None:
    check_executor(lambda evaluator: ThreadedExecutor(evaluator, at_once, threading.Event()))


def test_the_evaluator_says_how_many() -> None:
    class Two(Gate):
        at_once = 2

    assert isinstance(in_process(Two()), ThreadedExecutor)
    assert isinstance(in_process(Gate()), LocalExecutor)

    def plain(_: Job) -> float:
        return 0.5

    for told in (2, "2", None):
        plain.at_once = told  # type: ignore[attr-defined]
        assert isinstance(in_process(plain), LocalExecutor), "it cannot be told to stop"
    assert in_process(Two()).workers == 1, "or a search would take results in their own order"


def test_two_run_at_once_and_results_come_in_the_order_of_the_jobs() -> None:
    gate = Gate()
    executor = ThreadedExecutor(gate, 2, gate.stop)
    for number in range(3):
        executor.submit(number, job(number, seed=number))
    until(lambda: sorted(gate.begun) == [0, 1])
    gate.open(1)
    gate.open(2)
    gate.open(0)
    assert [executor.next()[0] for _ in range(3)] == [0, 1, 2]
    executor.close()


def test_what_is_not_begun_can_be_withdrawn() -> None:
    gate = Gate()
    executor = ThreadedExecutor(gate, 2, gate.stop)
    for number in range(4):
        executor.submit(number, job(number, seed=number))
    assert executor.withdraw() == [2, 3]
    for number in range(4):
        gate.open(number)
    assert [executor.next()[0], executor.next()[0]] == [0, 1]
    assert sorted(gate.begun) == [0, 1]


def test_a_longer_training_waits_for_the_shorter_one_that_it_goes_on_from() -> None:
    gate = Gate()
    executor = ThreadedExecutor(gate, 2, gate.stop)
    for number, one in enumerate((0, 0, 1)):
        executor.submit(number, replace(job(one, seed=one), epochs=number + 1))
    until(lambda: gate.begun == [0])
    assert executor.withdraw() == [1, 2]
    for number, one in ((1, 0), (2, 1)):
        executor.submit(number, replace(job(one, seed=one), epochs=number + 1))
    assert gate.begun == [0]
    gate.open(1)
    gate.open(0)
    assert [executor.next()[0] for _ in range(3)] == [0, 1, 2]
    assert sorted(gate.begun) == [0, 0, 1]


def test_seconds_add_up_to_the_time_that_all_took() -> None:
    def sleeps(job: Job) -> Result:
        time.sleep(0.05 + 0.05 * job.seed)
        return Result(0.5, 1.0, 99.0)

    executor = ThreadedExecutor(sleeps, 3, threading.Event())
    began = time.perf_counter()
    for number in range(6):
        executor.submit(number, job(number, seed=number))
    found = dict(executor.next() for _ in range(6))
    took = time.perf_counter() - began
    seconds = [found[number].seconds for number in range(6)]
    assert sum(seconds) == pytest.approx(took, rel=0.2)
    assert np.all(np.array(seconds) > 0)


def test_a_failure_of_the_surroundings_is_raised_and_closing_stops_the_other() -> None:
    class Failing(Gate):
        def __call__(self, job: Job) -> Result:
            found = super().__call__(job)
            if job.seed == 0:
                raise MemoryError
            return found

    gate = Failing()
    executor = ThreadedExecutor(gate, 2, gate.stop)
    for number in range(3):
        executor.submit(number, job(number, seed=number))
    until(lambda: set(gate.begun) == {0, 1})
    gate.open(0)
    with pytest.raises(SurroundingsError):
        executor.next()
    assert 2 not in gate.begun, "nothing more is begun"
    executor.close()
    assert gate.stopped == [1]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_ends_a_process_ends_the_search(error: BaseException) -> None:
    def evaluator(_: Job) -> Result:
        raise error

    executor = ThreadedExecutor(evaluator, 2, threading.Event())
    executor.submit(0, job(0))
    with pytest.raises(type(error)):
        executor.next()
    executor.close()


def test_a_second_interrupt_waits_for_the_trainings_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of XLA abort a process that ends before them."""

    class Slow(Gate):
        def __call__(self, job: Job) -> Result:
            until(self.stop.is_set)
            time.sleep(0.3)
            self.stopped.append(job.seed)
            raise KeyboardInterrupt

    interrupts = [1, 2]

    def sleep(seconds: float) -> None:
        if interrupts:
            interrupts.pop()
            raise KeyboardInterrupt
        time.sleep(seconds)

    gate = Slow()
    executor = ThreadedExecutor(gate, 2, gate.stop)
    for number in range(2):
        executor.submit(number, job(number, seed=number))
    clock = SimpleNamespace(sleep=sleep, perf_counter=time.perf_counter)
    monkeypatch.setattr("search.executors.threaded.time", clock)
    with pytest.raises(KeyboardInterrupt):
        executor.close()
    assert not interrupts
    assert sorted(gate.stopped) == [0, 1]


@pytest.mark.parametrize("shared", [False, True])
def test_closing_stops_what_runs(shared: bool, tmp_path: Path) -> None:
    gate = Gate()
    own = ThreadedExecutor(gate, 2, gate.stop)
    executor = SharedExecutor(own, JoinedWorkers(tmp_path, print)) if shared else own
    for number in range(4):
        executor.submit(number, job(number, seed=number))
    if shared:
        assert isinstance(executor, SharedExecutor)
        # As if a worker had joined: the executor works in a thread, which waits for a result.
        executor._share()
    until(lambda: sorted(gate.begun) == [0, 1])
    began = time.monotonic()
    executor.close()
    assert time.monotonic() - began < PATIENCE / 2
    assert sorted(gate.stopped) == [0, 1]
    assert sorted(gate.begun) == [0, 1]
    until(lambda: not [one for one in threading.enumerate() if one.name.startswith("train ")])
    assert not gate.stop.is_set(), "it can be used again"
