"""Jobs on a real Ray cluster of this machine, whatever dies meanwhile."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from search.config.run import ExecutorConfig
from search.errors import SurroundingsError, UserError
from search.executors.ray.cluster import join
from search.executors.ray.executor import RayExecutor
from search.executors.worker import OwnEvaluator
from search.jobs import Candidate, Evaluator, Job, Result
from search.testing.executors import check_executor

pytest.importorskip("ray", reason="the tests of executor=ray need the extra ray")
pytestmark = [
    pytest.mark.ray,
    # Ray's own use of what Python 3.12 and later deprecate, and its open files at exit.
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture(scope="module")
def connected() -> Iterator[None]:
    """One cluster for all: executors use the connection that the program has."""
    cluster = join(ExecutorConfig("ray"))
    yield
    cluster.leave()


def executor(evaluator: Evaluator | Callable[[Job], float], **keys: Any) -> RayExecutor:
    settings = {"devices": 2, "cpus": 0, "retries": 1, **keys}
    return RayExecutor(ExecutorConfig("ray", **settings), OwnEvaluator(evaluator))


def job(name: str, number: int = 0) -> Job:
    return Candidate((name, number), f"{number:012x}", 1, None, f'["{name}"]').job()


def runs(folder: Path) -> Callable[[Job], float]:
    """Return an evaluator that notes each of its runs in `folder`.

    A job called `kill`, `hang`, `stop` or `grow` does so at its first run, `killed` at each;
    `outlast` takes 10 seconds, or until job 0 is killed and begins once more.
    """

    def tries(name: str) -> int:
        done = folder / name
        return len(done.read_text().splitlines()) if done.exists() else 0

    def evaluate(job: Job) -> float:
        name, number = job.options
        done = folder / f"{name}-{number}"
        first = not done.exists()
        with done.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if name == "killed" or (name == "kill" and first):
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "hang" and first:
            time.sleep(1000)
        if name == "stop" and first:
            os.kill(os.getpid(), signal.SIGSTOP)
        if name == "grow" and first:
            held = bytearray(600 * 2**20)
            held[::4096] = b"1" * len(held[::4096])
            time.sleep(1000)
        if name == "slow":
            time.sleep(5)
        until = time.monotonic() + 10
        while name == "outlast" and time.monotonic() < until and tries("kill-0") < 2:
            time.sleep(0.05)
        return int(number) / 1000

    return evaluate


def received(executor: RayExecutor, count: int) -> dict[int, Result]:
    found = [executor.next() for _ in range(count)]
    assert len(dict(found)) == count, "a number came twice"
    return dict(found)


def times_run(folder: Path) -> dict[str, int]:
    return {path.name: len(path.read_text().splitlines()) for path in folder.iterdir()}


def test_the_contract(connected: None) -> None:
    made: list[RayExecutor] = []

    def make(evaluator: Evaluator) -> RayExecutor:
        made.append(executor(evaluator))
        return made[-1]

    check_executor(make)
    made[0].close()


@pytest.mark.parametrize("way", ["kill", "hang", "stop"])
@pytest.mark.slow
def test_the_job_of_a_lost_worker_runs_elsewhere(connected: None, tmp_path: Path, way: str) -> None:
    # Only the lost one runs so long.
    limit = {} if way == "kill" else {"timeout": 4.0}
    workers = executor(runs(tmp_path), **limit)
    names = ["fine"] * 3 + [way] + ["fine"] * 6
    for number, name in enumerate(names):
        workers.submit(number, job(name, number))
    found = received(workers, len(names))
    workers.close()
    assert {number: told.accuracy for number, told in found.items()} == {
        number: number / 1000 for number in range(len(names))
    }
    # On a busy machine one may have done all before the other is there.
    assert {told.worker.split(":")[1] for told in found.values()} <= {"0", "1"}
    assert times_run(tmp_path) == {
        f"{name}-{number}": 1 + (name == way) for number, name in enumerate(names)
    }


@pytest.mark.slow
def test_a_slow_job_holds_no_other(connected: None, tmp_path: Path) -> None:
    workers = executor(runs(tmp_path))
    for number, name in enumerate(["slow", *["fine"] * 20]):
        workers.submit(number, job(name, number))
    assert [workers.next()[0] for _ in range(21)][-1] == 0
    workers.close()


@pytest.mark.slow
def test_retries_are_bounded(connected: None, tmp_path: Path) -> None:
    workers = executor(runs(tmp_path))
    workers.submit(0, job("killed"))
    with pytest.raises(SurroundingsError, match=r"worker .+:\d died; tried 2 times"):
        workers.next()
    workers.close()
    assert times_run(tmp_path) == {"killed-0": 2}


@pytest.mark.slow
def test_the_last_try_has_nothing_beside_it(connected: None, tmp_path: Path) -> None:
    workers = executor(runs(tmp_path))
    for name, number in (("outlast", 1), ("kill", 0), ("fine", 2)):
        workers.submit(number, job(name, number))
    # The worker of 0 dies while 1 is being evaluated, so 0 waits for it, and 2 waits for 0.
    assert [workers.next()[0] for _ in range(3)] == [1, 0, 2]
    workers.close()
    assert times_run(tmp_path) == {"outlast-1": 1, "kill-0": 2, "fine-2": 1}


@pytest.mark.slow
def test_memory_is_limited(connected: None, tmp_path: Path) -> None:
    workers = executor(runs(tmp_path), memory=0.5)
    for number, name in enumerate(["fine", "grow", "fine"]):
        workers.submit(number, job(name, number))
    assert received(workers, 3)[1].accuracy == 0.001
    workers.close()
    assert times_run(tmp_path) == {"fine-0": 1, "grow-1": 2, "fine-2": 1}


def test_what_cannot_be_sent(connected: None) -> None:
    lock = threading.Lock()
    workers = executor(lambda job: float(lock.locked()))
    with pytest.raises(UserError, match="the evaluator cannot be sent to workers"):
        workers.submit(0, job("fine"))
    workers.close()
