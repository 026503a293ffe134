"""Worker processes of this machine: their results, their deaths, and their end."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from executors.workers import Scripted, job

from search.config.run import ExecutorConfig
from search.errors import SurroundingsError, UserError
from search.executors import build as building
from search.executors import shared
from search.executors.build import build
from search.executors.local import LocalExecutor
from search.executors.pool import PoolExecutor
from search.testing import check_executor

Make = Callable[..., PoolExecutor]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Any] = []

    def start(**keys: Any) -> Any:
        made.append(build(ExecutorConfig(**{"devices": 2, **keys}), Scripted(tmp_path)))
        return made[-1]

    yield start
    for one in made:
        one.close()


def tries(folder: Path, number: int) -> int:
    return Scripted(folder).tries(number)


def test_one_worker_is_this_process() -> None:
    assert isinstance(build(ExecutorConfig(), len), LocalExecutor)


def test_the_contract_of_executors() -> None:
    def pool(evaluator: Any) -> Any:
        made.append(build(ExecutorConfig(devices=2, retries=0), evaluator))
        return made[-1]

    made: list[Any] = []
    check_executor(pool)
    made[0].close()


def test_jobs_run_at_once_on_cores_of_their_own(make: Make) -> None:
    pool = make()
    assert pool.workers == 2
    for number, kind in enumerate(["slow", "slow", "fine", "infeasible"]):
        pool.submit(number, job(number, kind))
    results = dict(pool.next() for _ in range(4))
    assert [results[n].accuracy for n in range(3)] == [0.5, 0.5001, 0.5002]
    assert (results[3].status, results[3].error) == ("infeasible", "on purpose")
    assert {results[0].worker, results[1].worker} == {"local:0", "local:1"}
    pids = {results[n].details["pid"] for n in range(3)}
    assert len(pids) == 2
    assert os.getpid() not in pids
    whole = len(os.sched_getaffinity(0))
    assert sum(results[n].details["cores"] for n in (0, 1)) == whole


def test_a_slow_job_holds_no_other(make: Make) -> None:
    pool = make()
    pool.submit(0, job(0, "hangs"))
    for number in range(1, 4):
        pool.submit(number, job(number))
    assert [pool.next()[0] for _ in range(3)] == [1, 2, 3]


def test_a_job_whose_worker_dies_runs_on_a_fresh_one(make: Make, tmp_path: Path) -> None:
    pool = make()
    for number, kind in enumerate(["dies once", "fine", "fine"]):
        pool.submit(number, job(number, kind))
    results = dict(pool.next() for _ in range(3))
    assert [results[n].status for n in range(3)] == ["ok"] * 3
    assert [tries(tmp_path, n) for n in range(3)] == [2, 1, 1]


def test_the_search_stops_after_the_last_try(make: Make, tmp_path: Path) -> None:
    pool = make(retries=1)
    pool.submit(0, job(0, "dies"))
    with pytest.raises(SurroundingsError) as caught:
        pool.next()
    said = str(caught.value)
    assert "was ended by SIGKILL" in said
    assert said.endswith("its last words: the last words; tried 2 times")
    assert tries(tmp_path, 0) == 2
    # The pool goes on.
    pool.submit(1, job(1))
    assert pool.next()[0] == 1


def test_a_job_that_loses_its_surroundings_has_a_fresh_worker(make: Make, tmp_path: Path) -> None:
    pool = make(retries=1)
    pool.submit(0, job(0, "lost"))
    with pytest.raises(SurroundingsError, match=r"local:[01]: the device is lost; tried 2 times"):
        pool.next()
    # Each worker tries twice, as in the search's own process.
    assert tries(tmp_path, 0) == 4


def test_a_hung_worker_is_ended(make: Make, tmp_path: Path) -> None:
    pool = make(timeout=1.0)
    pool.submit(0, job(0, "hangs once"))
    assert pool.next()[1].status == "ok"
    assert tries(tmp_path, 0) == 2


def test_the_last_try_has_nothing_beside_it(make: Make) -> None:
    pool = make(retries=1)
    pool.submit(1, job(1, "outlasts 0"))
    pool.submit(0, job(0, "dies once"))
    pool.submit(2, job(2))
    # The worker of 0 dies while 1 is being evaluated, so 0 waits for it, and 2 waits for 0.
    assert [pool.next()[0] for _ in range(3)] == [1, 0, 2]


def test_values_and_interruptions_cross_the_pipe(make: Make) -> None:
    pool = make()
    pool.submit(0, job(0, "percent"))
    with pytest.raises(UserError, match="accuracy=50; an accuracy lies in"):
        pool.next()
    pool.submit(1, job(1, "interrupts"))
    with pytest.raises(KeyboardInterrupt):
        pool.next()


def test_an_evaluator_that_cannot_be_sent(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be sent to worker processes .* top level of a"):
        build(ExecutorConfig(devices=2), lambda job: 0.5)


class Gone(Scripted):
    def __reduce__(self) -> Any:
        return _absent, ()


def _absent() -> Any:
    raise AttributeError("no such evaluator")


class Unready(Scripted):
    def __reduce__(self) -> Any:
        return os._exit, (7,)


def test_workers_that_cannot_start(tmp_path: Path) -> None:
    pool = build(ExecutorConfig(devices=1), Gone(tmp_path))
    pool.submit(0, job(0))
    with pytest.raises(UserError, match=r"does not find the evaluator .no such evaluator."):
        pool.next()
    pool.close()
    pool = build(ExecutorConfig(devices=1, retries=1), Unready(tmp_path))
    pool.submit(0, job(0))
    with pytest.raises(SurroundingsError, match=r"exit code 7 before it was ready.*tried 2 times"):
        pool.next()
    pool.close()


def test_close_ends_every_worker(make: Make) -> None:
    pool = make()
    pool.submit(0, job(0))
    pid = int(pool.next()[1].details["pid"])
    pool.submit(1, job(1, "hangs"))
    processes = [worker.process.pid for worker in pool._workers]
    assert pid in processes
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 30
    for one in processes:
        assert one is not None
        with pytest.raises(ProcessLookupError):
            os.kill(one, 0)
    # It may be used again, as for landmarks after a confirmation.
    pool.submit(2, job(2))
    assert pool.next()[0] == 2


def test_a_thread_that_waits_for_workers_can_be_stopped(make: Make, tmp_path: Path) -> None:
    pool = make(devices=1)
    pool.submit(0, job(0, "hangs"))
    stopped = threading.Event()

    def wait() -> None:
        try:
            pool.next()
        except KeyboardInterrupt:
            stopped.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not (tmp_path / "0").exists() and time.monotonic() < until:
        time.sleep(0.05)
    # Nothing is heard of the worker from here on.
    time.sleep(0.2)
    shared._interrupt(thread)
    assert stopped.wait(10)


def test_elsewhere_is_asked_before_anything_is_made() -> None:
    assert not building.elsewhere(ExecutorConfig())
    assert building.elsewhere(ExecutorConfig(devices=1))
    with pytest.raises(UserError, match="is more than"):
        building.elsewhere(ExecutorConfig(devices=4096))
