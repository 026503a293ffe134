"""The configured executor beside workers that joined: each job once, lost ones elsewhere."""

import errno
import json
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from search.errors import SurroundingsError, UserError
from search.executors.joined import Asked, JoinedWorkers
from search.executors.local import LocalExecutor
from search.executors.shared import SharedExecutor
from search.executors.spool import (
    HEARTBEAT,
    JOB,
    RESULT,
    WORKERS,
    Task,
    begin_seat,
    read_task,
    read_told,
    write_task,
    write_told,
)
from search.jobs import Candidate, Curve, Evaluator, Job, Result, failed
from search.runner import join
from search.study.checks import Damaged
from search.study.heartbeat import Beat, Process, this_process
from search.testing import check_executor

CURVE = Curve((1, 2), (0.5, 0.25), (0.5, 0.75), (math.nan, 0.5), (0.5, 0.5), (0.1, 0.1), (1.0, 2.0))


def job(number: int) -> Job:
    return Candidate(("a", number), f"{number:012x}", 1000 + number, None, '["a"]').job(3, -7)


class Workers:
    """Workers in threads of this process, each with a seat in `folder`."""

    def __init__(self, folder: Path, evaluator: Evaluator) -> None:
        self.folder, self.evaluator = folder, evaluator
        self.over = threading.Event()
        self.threads: list[threading.Thread] = []
        self.said: list[str] = []

    def ended(self) -> bool:
        return self.over.is_set()

    def seat(self, name: str, computed: dict[str, str] | None = None) -> Path:
        seat = self.folder / WORKERS / name
        begin_seat(seat)
        beat = Beat(this_process(), name, more={"computed": computed or {}})
        (seat / HEARTBEAT).write_text(beat.text(0))
        return seat

    def start(self, name: str, computed: dict[str, str] | None = None) -> Path:
        seat = self.seat(name, computed)

        def serve() -> None:
            try:
                own = LocalExecutor(self.evaluator)
                join._serve(seat, (own, own), self, self.said.append)
            except UserError as error:
                self.said.append(str(error))

        self.threads.append(threading.Thread(target=serve))
        self.threads[-1].start()
        return seat


@contextmanager
def workers(folder: Path, evaluator: Evaluator) -> Iterator[Workers]:
    made = Workers(folder, evaluator)
    try:
        yield made
    finally:
        made.over.set()
        for thread in made.threads:
            thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.executors.joined._LOOK", 0.02)
    monkeypatch.setattr("search.executors.shared._POLL", 0.01)
    monkeypatch.setattr("search.runner.join._POLL", 0.01)


def shared(folder: Path, evaluator: Evaluator, notes: list[str], **more: object) -> SharedExecutor:
    joined = JoinedWorkers(folder, notes.append, **more)  # type: ignore[arg-type]
    return SharedExecutor(LocalExecutor(evaluator), joined, retries=1)


def quarter(job: Job) -> Result:
    time.sleep(0.01)
    return Result(0.25 + int(job.options[1]) / 1000, curve=CURVE)


def test_tasks_and_results_come_back_as_they_were(tmp_path: Path) -> None:
    begin_seat(tmp_path)
    assert read_task(tmp_path) == Task("")
    assert read_told(tmp_path) == ("", None)
    task = Task("one", 5, job(3), True)
    write_task(tmp_path, task)
    found = read_task(tmp_path)
    assert found == task
    assert found is not None
    assert found.job is not None
    assert vars(found.job.candidate) == vars(job(3).candidate)
    for result in (
        Result(0.1 + 0.2, 1 / 3, 1e-9, "ok", "", {"x": 0.1, "y": 2.0}),
        failed("Grüße \udcff of\nmany lines"),
        Result(math.nan, status="infeasible", error="no"),
    ):
        write_told(tmp_path, "one", result)
        told = read_told(tmp_path)
        assert told is not None
        assert isinstance(told[1], Result)
        assert repr(told[1]) == repr(result).replace("\\udcff", "\\\\udcff")
    write_told(tmp_path, "two", Result(0.5, curve=CURVE))
    told = read_told(tmp_path)
    assert told is not None
    assert isinstance(told[1], Result)
    assert repr(told[1].curve) == repr(CURVE)
    write_told(tmp_path, "three", SurroundingsError("memory"))
    assert repr(read_told(tmp_path)) == "('three', SurroundingsError('memory'))"


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": 1.5},
        {"accuracy": None},
        {"accuracy": "high"},
        {"status": "fine"},
        {"seconds": -1},
        {"details": [1]},
        {"curve": {"epochs": [0]}},
        {"raised": 1},
    ],
    ids=str,
)
def test_a_wrong_result_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    begin_seat(tmp_path)
    write_told(tmp_path, "one", Result(0.5))
    values = json.loads((tmp_path / RESULT).read_text())
    values["result"] |= change
    (tmp_path / RESULT).write_text(json.dumps(values))
    with pytest.raises(Damaged):
        read_told(tmp_path)


@pytest.mark.parametrize("joined", [0, 2])
def test_the_contract(tmp_path: Path, joined: int) -> None:
    made: list[SharedExecutor] = []
    with workers(tmp_path, quarter) as beside:

        def make(evaluator: Evaluator) -> SharedExecutor:
            beside.evaluator = evaluator
            for place in range(joined):
                beside.start(f"w{place}")
            made.append(shared(tmp_path, evaluator, []))
            return made[0]

        check_executor(make)
        made[0].close()


def test_alone_it_is_the_executor_itself(tmp_path: Path) -> None:
    main = threading.get_ident()
    seen: list[int] = []

    def here(job: Job) -> Result:
        seen.append(threading.get_ident())
        return Result(0.5)

    executor = shared(tmp_path, here, [])
    for number in range(5):
        executor.submit(number, job(number))
    assert executor.workers == 1
    assert [executor.next()[0] for _ in range(5)] == list(range(5))
    assert set(seen) == {main}
    assert not (tmp_path / WORKERS).exists()


def test_all_take_part_and_say_who_they_are(tmp_path: Path) -> None:
    notes: list[str] = []
    executor = shared(tmp_path, quarter, notes)
    executor.submit(0, job(0))
    executor.submit(1, job(1))
    with workers(tmp_path, quarter) as beside:
        assert executor.next()[0] == 0
        beside.start("w0", {"platform": "cpu"})
        beside.start("w1", {"platform": "cpu"})
        time.sleep(0.05)
        assert executor.workers == 3
        for number in range(2, 30):
            executor.submit(number, job(number))
        found = dict(executor.next() for _ in range(29))
        executor.close()
    assert sorted(found) == list(range(1, 30))
    assert all(one.accuracy == 0.25 + number / 1000 for number, one in found.items())
    name = f"{os.uname().nodename}:{os.getpid()}"
    assert {one.worker for one in found.values()} == {"", name}
    assert {str(one.computed) for one in found.values()} == {"None", "{'platform': 'cpu'}"}
    assert notes[:2] == [f"worker {name} joined"] * 2
    assert sum("accuracy 0.2" in line for line in beside.said) >= 2


def test_a_job_whose_worker_is_lost_goes_elsewhere(tmp_path: Path) -> None:
    notes: list[str] = []
    beside = Workers(tmp_path, quarter)
    gone = beside.seat("gone")
    begun = threading.Event()

    def slow(job: Job) -> Result:
        # The worker gets a job before it is lost.
        assert begun.wait(10)
        return quarter(job)

    executor = shared(tmp_path, slow, notes)
    for number in range(4):
        executor.submit(number, job(number))

    def lose() -> None:
        while read_task(gone) == Task(""):
            time.sleep(0.01)
        (gone / HEARTBEAT).unlink()
        begun.set()

    thread = threading.Thread(target=lose)
    thread.start()
    found = dict(executor.next() for _ in range(4))
    thread.join()
    executor.close()
    assert sorted(found) == [0, 1, 2, 3]
    assert notes[-1].endswith(" left")


def test_a_job_that_is_lost_too_often_ends_the_search(tmp_path: Path) -> None:
    def broken(job: Job) -> Result:
        raise MemoryError("all of it")

    hold = threading.Event()

    def waits(job: Job) -> Result:
        hold.wait(10)
        return quarter(job)

    executor = SharedExecutor(LocalExecutor(waits), JoinedWorkers(tmp_path, print), retries=0)
    with workers(tmp_path, broken) as beside:
        beside.start("w0")
        time.sleep(0.05)
        for number in range(6):
            executor.submit(number, job(number))
        with pytest.raises(SurroundingsError, match=r":\d+: MemoryError: all of it"):
            executor.next()
        hold.set()
        executor.close()
    stopped = "this worker stops, for its surroundings failed at every try"
    assert sum(stopped in line for line in beside.said) == 1


def test_a_job_that_takes_too_long_is_given_to_another(tmp_path: Path) -> None:
    beside = Workers(tmp_path, quarter)
    seat = beside.seat("hangs")
    joined = JoinedWorkers(tmp_path, lambda _: None, timeout=0.05)

    def second(job: Job) -> Result:
        until = time.monotonic() + 10
        while read_task(seat) == Task("") and time.monotonic() < until:
            time.sleep(0.01)
        return quarter(job)

    executor = SharedExecutor(LocalExecutor(second), joined)
    for number in range(3):
        executor.submit(number, job(number))
    found = dict(executor.next() for _ in range(3))
    assert sorted(found) == [0, 1, 2]
    assert {one.worker for one in found.values()} == {""}
    assert joined.idle() == [], "it has not said yet that it is free"
    task = read_task(seat)
    assert task is not None
    assert task.job is None
    write_told(seat, task.attempt, None)
    joined.collect()
    assert len(joined.idle()) == 1
    executor.close()


def test_a_worker_on_another_platform_is_refused(tmp_path: Path) -> None:
    notes: list[str] = []
    own = {"platform": "cpu", "precision": "float32", "jax": "1"}
    executor = shared(tmp_path, quarter, notes, computed=lambda: own)
    with workers(tmp_path, quarter) as beside:
        beside.start("alike", {**own, "jax": "2"})
        beside.start("other", {**own, "platform": "gpu"})
        time.sleep(0.05)
        assert executor.workers == 2
        beside.threads[1].join(10)
    (said,) = beside.said
    assert "cannot join: it computes on gpu, float32, and the search on cpu, float32;" in said
    assert sum("is not used: it computes on gpu" in note for note in notes) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (HEARTBEAT, b"no json"),
        (HEARTBEAT, b'{"format":"other"}'),
        (RESULT, b"\x80\x04\x95cos\nsystem\n"),
        (RESULT, b'{"attempt":1}'),
        (RESULT, b"{" * 100_000),
    ],
)
def test_a_damaged_spool_is_passed_over(tmp_path: Path, name: str, content: bytes) -> None:
    notes: list[str] = []
    seat = Workers(tmp_path, quarter).seat("w0")
    (seat / name).write_bytes(content)
    executor = shared(tmp_path, quarter, notes)
    for number in range(3):
        executor.submit(number, job(number))
    assert sorted(executor.next()[0] for _ in range(3)) == [0, 1, 2]
    assert sum("is not used: its" in note for note in notes) == 1
    executor.close()


def test_links_and_strangers_in_the_spool_are_passed_over(tmp_path: Path) -> None:
    notes: list[str] = []
    elsewhere = tmp_path / "elsewhere"
    seat = Workers(elsewhere, quarter).seat("w0")
    spool = tmp_path / "study" / WORKERS
    spool.mkdir(parents=True)
    (spool / "linked").symlink_to(seat)
    (spool / "file").write_text("mine")
    (spool / "empty").mkdir()
    linked = spool / "inside"
    begin_seat(linked)
    (linked / HEARTBEAT).symlink_to(seat / HEARTBEAT)
    joined = JoinedWorkers(tmp_path / "study", notes.append)
    assert joined.count == 0
    assert read_task(seat) == Task(""), "nothing was written through the link"


def test_a_damaged_job_ends_the_worker_with_a_line(tmp_path: Path) -> None:
    with workers(tmp_path, quarter) as beside:
        seat = beside.seat("w0")
        (seat / JOB).write_bytes(b"\x80\x04.")
        own = LocalExecutor(quarter)
        with pytest.raises(UserError, match=r"job\.json is damaged .* joins again"):
            join._serve(seat, (own, own), beside, print)


@pytest.mark.parametrize("asked", [True, False])
def test_a_dead_workers_folder_is_removed(tmp_path: Path, asked: bool) -> None:
    seat = Workers(tmp_path, quarter).seat("w0")
    here = this_process()
    dead = Process(here.host, here.pid, here.machine, "0")
    (seat / HEARTBEAT).write_text(Beat(dead, "w0").text(0))
    notes: list[str] = []
    if asked:
        assert JoinedWorkers(tmp_path, notes.append).count == 0
    else:
        # As a command does that finds all trials recorded.
        shared(tmp_path, quarter, notes).close()
    assert not (tmp_path / WORKERS).exists()
    assert notes == []


def test_a_worker_that_died_on_another_machine_is_met_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("search.executors.joined", "search.study.heartbeat"):
        monkeypatch.setattr(f"{module}.SILENT", 0.5)
    elsewhere = Process("elsewhere", 5, "another machine")
    seat = Workers(tmp_path, quarter).seat("w0")
    (seat / HEARTBEAT).write_text(Beat(elsewhere, "w0").text(0))
    notes: list[str] = []
    joined = JoinedWorkers(tmp_path, notes.append)
    assert joined.count == 1
    until = time.monotonic() + 10
    while (tmp_path / WORKERS).exists() and time.monotonic() < until:
        time.sleep(0.01)
        joined.idle()
    assert notes == ["worker elsewhere:5 joined", "worker elsewhere:5 gives no sign of life"]
    assert not (tmp_path / WORKERS).exists()


def test_what_a_file_system_refuses_once_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    def refusing(name: str, read: Callable[[Path], object]) -> Callable[[Path], object]:
        def once(seat: Path) -> object:
            if name not in refused:
                refused.append(name)
                raise OSError(errno.ESTALE, "Stale file handle")
            return read(seat)

        return once

    monkeypatch.setattr("search.executors.joined.read_told", refusing("result", read_told))
    monkeypatch.setattr("search.runner.join.read_task", refusing("job", read_task))
    notes: list[str] = []
    joined = JoinedWorkers(tmp_path, notes.append)
    with workers(tmp_path, quarter) as beside:
        beside.start("w0")
        (worker,) = joined.idle()
        joined.hand(worker, Asked(3, job(3)))
        until = time.monotonic() + 10
        found = joined.collect()
        while not found and time.monotonic() < until:
            time.sleep(0.01)
            found = joined.collect()
    ((asked, told),) = found
    assert asked.number == 3
    assert isinstance(told, Result)
    assert told.accuracy == 0.25 + 3 / 1000
    assert sorted(refused) == ["job", "result"]
    assert len(notes) == 1, "that it joined"


def test_a_worker_whose_folder_was_removed_ends_with_a_line(tmp_path: Path) -> None:
    with workers(tmp_path, quarter) as beside:
        seat = beside.seat("w0")
        shutil.rmtree(seat)
        own = LocalExecutor(quarter)
        with pytest.raises(UserError, match="w0 was removed, so the holder cannot reach this"):
            join._serve(seat, (own, own), beside, print)


def test_a_job_that_cannot_be_submitted_ends_the_search(tmp_path: Path) -> None:
    class Refusing(LocalExecutor):
        def submit(self, number: int, job: Job) -> None:
            raise UserError("the evaluator cannot be sent")

    Workers(tmp_path, quarter).seat("w0")
    joined = JoinedWorkers(tmp_path, lambda _: None)
    executor = SharedExecutor(Refusing(quarter), joined)
    for number in range(2):
        executor.submit(number, job(number))
    with pytest.raises(UserError, match="the evaluator cannot be sent"):
        executor.next()
    executor.close()


def test_what_was_lost_is_not_told_to_the_next_phase(tmp_path: Path) -> None:
    notes: list[str] = []
    joined = JoinedWorkers(tmp_path, notes.append)
    seat = Workers(tmp_path, quarter).seat("w0")
    (worker,) = joined.idle()
    joined.hand(worker, Asked(0, job(0)))
    shutil.rmtree(seat)
    joined.give_up()
    assert notes[-1].endswith(" left")
    assert joined.collect() == []


def test_close_stops_what_the_thread_evaluates(tmp_path: Path) -> None:
    begun = threading.Event()

    def long(job: Job) -> Result:
        begun.set()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            time.sleep(0.001)
        return Result(0.5)

    executor = shared(tmp_path, long, [])
    Workers(tmp_path, long).seat("w0")
    for number in range(4):
        executor.submit(number, job(number))
    interrupted = threading.Timer(0.3, lambda: executor._finished.append(KeyboardInterrupt()))
    interrupted.start()
    with pytest.raises(KeyboardInterrupt):
        executor.next()
    assert begun.is_set()
    start = time.monotonic()
    executor.close()
    assert time.monotonic() - start < 10
