"""One writer of a study: refused beside another, taken over when gone, found out when woken up."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.errors import UserError
from search.study import heartbeat, hold
from search.study.database import NAME
from search.study.heartbeat import Beat, Process, Watched, read_beat, this_process
from search.study.hold import HOLDER, StudyInUse, running
from search.study.study import Study
from tests.study.samples import FACTS, SETTINGS, trial

# Opens a study, records a trial for every line read, and says so; quick hearts. `nolocks` stands
# for a file system without locks.
WRITER = """
import sys
from pathlib import Path
from search import files
from search.study import heartbeat, hold
from search.study.study import Study
from tests.study.samples import FACTS, SETTINGS, trial

folder, locks = Path(sys.argv[1]), sys.argv[2]
heartbeat.INTERVAL = hold.INTERVAL = 0.05
heartbeat.SILENT = hold.SILENT = 1.0
if locks == "nolocks":
    files.fcntl = None
try:
    with Study.open(folder, SETTINGS, FACTS) as study:
        print("open", *study.notes, flush=True)
        for line in sys.stdin:
            study.add(trial(int(line)))
            print("added", flush=True)
except ValueError as error:
    print("refused", error, flush=True)
"""


class Writer:
    def __init__(self, folder: Path, locks: str = "locks") -> None:
        command = [sys.executable, "-c", WRITER, str(folder), locks]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def add(self, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[list[Writer]]:
    made: list[Writer] = []
    yield made
    for writer in made:
        writer.end()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (heartbeat, hold):
        monkeypatch.setattr(module, "INTERVAL", 0.05)
        monkeypatch.setattr(module, "SILENT", 0.5)


def numbers(folder: Path) -> list[int]:
    with Study.read(folder) as study:
        return [one.number for one in study.trials()]


def test_a_second_writer_is_refused_with_host_pid_and_age(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS):
        with pytest.raises(StudyInUse) as refused:
            Study.open(tmp_path, SETTINGS, FACTS)
        said = str(refused.value)
        assert f"is being written by process {os.getpid()} on {os.uname().nodename}" in said
        assert "its heartbeat 0 s old; wait for it, join it with join=true" in said
        assert running(tmp_path) == str(this_process())
    assert running(tmp_path) is None
    assert not (tmp_path / HOLDER).exists(), "removed at the end"


def test_a_heart_beats_while_the_process_is_busy(tmp_path: Path, quick: None) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS):
        first = read_beat(tmp_path / HOLDER)
        deadline = time.monotonic() + 0.4
        while time.monotonic() < deadline:
            sum(range(1000))
        second = read_beat(tmp_path / HOLDER)
    assert first is not None
    assert second is not None
    assert second.count > first.count
    assert second.token == first.token


def test_a_hold_that_is_forgotten_is_free(tmp_path: Path, quick: None) -> None:
    forgotten = hold.hold(tmp_path)
    forgotten._lock.close()
    del forgotten
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        assert study.notes == []


@pytest.mark.parametrize("locks", ["locks", "nolocks"])
def test_a_killed_writer_is_taken_over_at_once(
    tmp_path: Path, writers: list[Writer], locks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers.append(Writer(tmp_path, locks))
    assert writers[0].says().startswith("open")
    pid = writers[0].process.pid
    if locks == "nolocks":
        monkeypatch.setattr("search.files.fcntl", None)
    assert str(pid) in (running(tmp_path) or "")
    with pytest.raises(StudyInUse, match=f"process {pid} on "):
        Study.open(tmp_path, SETTINGS, FACTS)
    writers[0].end()
    assert running(tmp_path) is None
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        assert any(f"took over from process {pid} on " in note for note in study.notes)


def test_a_suspended_writer_with_a_lock_keeps_its_study(
    tmp_path: Path, writers: list[Writer], quick: None
) -> None:
    writers.append(Writer(tmp_path))
    assert writers[0].says() == "open"
    writers[0].process.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    with pytest.raises(StudyInUse, match=r"its heartbeat [1-9] s old"):
        Study.open(tmp_path, SETTINGS, FACTS)
    writers[0].process.send_signal(signal.SIGCONT)
    writers[0].add(0)
    assert writers[0].says() == "added"


def test_a_writer_that_wakes_up_after_a_takeover_writes_no_more(
    tmp_path: Path, writers: list[Writer]
) -> None:
    old = Writer(tmp_path, "nolocks")
    writers.append(old)
    assert old.says().startswith("open")
    old.add(0)
    assert old.says() == "added"
    old.process.send_signal(signal.SIGSTOP)
    time.sleep(1.3)
    new = Writer(tmp_path, "nolocks")
    writers.append(new)
    assert f"took over from process {old.process.pid} on " in new.says()
    old.process.send_signal(signal.SIGCONT)
    old.add(1)
    assert "was taken over by another process" in old.says()
    time.sleep(0.3)
    new.add(1)
    assert new.says() == "added", "the old heart stopped, and did not mislead the new one"
    beat = read_beat(tmp_path / HOLDER)
    assert beat is not None
    assert beat.process.pid == new.process.pid
    assert numbers(tmp_path) == [0, 1]


@pytest.mark.parametrize("locks", ["locks", "nolocks"])
def test_of_several_takers_one_writes(tmp_path: Path, writers: list[Writer], locks: str) -> None:
    first = Writer(tmp_path, locks)
    writers.append(first)
    assert first.says().startswith("open")
    first.end()
    writers += [Writer(tmp_path, locks) for _ in range(4)]
    said = [writer.says() for writer in writers[1:]]
    assert sum(one.startswith("open") for one in said) == 1, said
    assert all("is being written by" in one for one in said if not one.startswith("open")), said


@pytest.mark.parametrize("attempt", range(5))
def test_takers_at_the_same_moment_do_not_both_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None, attempt: int
) -> None:
    monkeypatch.setattr("search.files.fcntl", None)
    gone = Process("elsewhere", 5, "another machine", "1", "convbudget run")
    path = tmp_path / HOLDER
    path.write_text(Beat(gone, "old").text(7))
    os.utime(path, (time.time() - 100,) * 2)
    barrier = threading.Barrier(4)
    held: list[hold.Hold] = []
    refused: list[str] = []

    def take() -> None:
        barrier.wait()
        try:
            held.append(hold.hold(tmp_path))
        except StudyInUse as error:
            refused.append(str(error))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1, refused
    assert len(refused) == 3
    assert "took over from process 5 on elsewhere (convbudget run)" in held[0].notes[0]
    held[0].close()


def test_a_process_elsewhere_is_waited_for_while_its_heart_beats(tmp_path: Path) -> None:
    elsewhere = Process("elsewhere", 5, "another machine", "1", "convbudget run")
    (tmp_path / HOLDER).write_text(Beat(elsewhere, "theirs").text(7))
    assert running(tmp_path) == "process 5 on elsewhere (convbudget run)"
    with pytest.raises(StudyInUse, match="once it is silent for 60 s, this command takes"):
        Study.open(tmp_path, SETTINGS, FACTS)
    assert read_beat(tmp_path / HOLDER) is not None, "left as it is"


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff\xfe", b"{" * 5000, b'{"format": "other"}'])
def test_a_damaged_heartbeat_is_replaced_where_the_lock_is_free(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / HOLDER).write_bytes(content)
    with Study.open(tmp_path, SETTINGS, FACTS):
        assert running(tmp_path) == str(this_process())


def test_a_link_in_the_heartbeats_place_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "mine.txt"
    target.write_text("kept")
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / HOLDER).symlink_to(target)
    with pytest.raises(UserError, match=r"\.holder\.json is a link"):
        Study.open(folder, SETTINGS, FACTS)
    assert target.read_text() == "kept"


def test_a_deleted_study_does_not_come_back(tmp_path: Path, quick: None) -> None:
    folder = tmp_path / "study"
    study = Study.open(folder, SETTINGS, FACTS)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    time.sleep(0.3)
    assert not folder.exists()
    study.close()


def test_an_observer_needs_no_clock_of_others(tmp_path: Path, quick: None) -> None:
    path = tmp_path / "beat"
    watched = Watched(path)
    assert watched.look() == "absent"
    elsewhere = Beat(Process("elsewhere", 5, "another machine"), "theirs")
    path.write_text(elsewhere.text(1))
    # Of the year 2001: only changes count.
    os.utime(path, (1e9, 1e9))
    assert watched.look() == "alive"
    time.sleep(0.6)
    assert watched.look() == "gone"
    path.write_text(elsewhere.text(2))
    assert watched.look() == "alive"
    path.write_text(Beat(Process(os.uname().nodename, 2**22 + 1), "dead").text(0))
    assert Watched(path).look() == "alive", "of an unknown machine, so only its silence counts"
    here = this_process()
    path.write_text(Beat(Process(here.host, here.pid, here.machine, "0"), "dead").text(0))
    assert Watched(path).look() == "gone", "its number was given again"


def test_no_table_is_written_after_a_takeover(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(trial(0))
        study._database._connection.execute("DELETE FROM meta WHERE key = 'writer'")
        for attempt in (
            lambda: study.add(trial(1)),
            lambda: study.write("front.csv", "x"),
            lambda: study.record("kind", "key", {}),
        ):
            with pytest.raises(UserError, match=f"{NAME} was taken over by another process"):
                attempt()
        assert not (tmp_path / "front.csv").exists()


def test_a_file_that_cannot_be_read_meanwhile_is_one_line(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        for table in ("meta", "totals"):
            study._database._connection.execute(f"DROP TABLE {table}")
        with pytest.raises(UserError, match=rf"{NAME} cannot be read or written \(no such table"):
            study.write("front.csv", "x")
        with pytest.raises(UserError, match=rf"{NAME} cannot be read or written \(no such table"):
            study._database.counted("trials")
