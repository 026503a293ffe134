"""Several commands on one study: one holds it, the others train for it, and one takes over."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from chains import numbers

import search
from search.errors import UserError
from search.executors.spool import WORKERS
from search.jobs import Job
from search.study.checks import Damaged
from search.study.heartbeat import Beat, Process, read_beat
from search.study.hold import HOLDER, hold, running
from search.study.study import Study
from search.study.trials import Trial

ROOT = Path(__file__).parents[2]
CHAIN = numbers(6, 4, end=10)
# A search that joins; every evaluation takes a moment and leaves a line that says who did it.
CODE = """
import sys
sys.path[:0] = sys.argv[6:]
import search, test_join
from search.errors import Interrupted
from search.executors import joined, shared
from search.runner import join
join._POLL = shared._POLL = 0.01
join._LOOK = joined._LOOK = 0.05
try:
    found = search.run(
        space=test_join.CHAIN, budget=40, evaluator=test_join.logged, strategy="random",
        trials=int(sys.argv[2]), seed=int(sys.argv[3]), ahead=3, study=sys.argv[1], join=True,
        progress=True,
    )
    print("ended", found.reason, len(found.trials))
except search.UserError as error:
    print("refused", error)
except Interrupted as error:
    print("interrupted", error.args[0])
"""


WAITED: list[bool] = []


def logged(job: Job) -> float:
    with Path(sys.argv[1]).with_suffix(".log").open("a") as file:
        file.write(f"{os.getpid()} {' '.join(map(str, job.options))}\n")
    # Python starts slowly on a busy machine: a process's first job waits until all have joined.
    deadline = time.monotonic() + 60 * (not WAITED)
    WAITED.append(True)
    while len(seats(Path(sys.argv[1]))) < int(sys.argv[5]) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(float(sys.argv[4]))
    return sum(map(int, job.options)) / 40


class Command:
    def __init__(
        self, folder: Path, trials: int = 60, seed: int = 0, pause: float = 0.02, joined: int = 0
    ) -> None:
        words = [folder, trials, seed, pause, joined, ROOT / "tests/runner", ROOT / "tests"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, *map(str, words)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        return self.process.communicate(timeout=120)[0]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    made: list[Command] = []

    def start(**changes: float) -> Command:
        made.append(Command(tmp_path / "study", **changes))
        return made[-1]

    yield start
    for command in made:
        command.process.kill()
        command.process.communicate()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def holder(folder: Path) -> int:
    """Return the number of the process that holds the study, 0 for none."""
    try:
        beat = read_beat(folder / HOLDER)
    except Damaged:
        # Being written for the first time.
        return 0
    return beat.process.pid if beat is not None and not beat.process.dead else 0


def seats(folder: Path) -> list[str]:
    return [one.name for one in (folder / WORKERS).glob("*")]


def evaluated(folder: Path) -> list[tuple[int, str]]:
    try:
        lines = folder.with_suffix(".log").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [(int(line.partition(" ")[0]), line.partition(" ")[2]) for line in lines]


def recorded(folder: Path) -> list[Trial]:
    with Study.read(folder) as study:
        return study.trials()


def check_complete(folder: Path, trials: int = 60) -> None:
    found = recorded(folder)
    assert [one.number for one in found] == list(range(trials))
    assert all(one.result.accuracy == sum(map(int, one.job.options)) / 40 for one in found)
    assert (folder / "front.csv").exists()
    assert not (folder / HOLDER).exists()
    assert not (folder / WORKERS).exists()
    assert running(folder) is None


def test_of_three_commands_one_holds_and_all_train(
    tmp_path: Path, begin: Callable[..., Command]
) -> None:
    commands = [begin(joined=2) for _ in range(3)]
    said = [one.output() for one in commands]
    assert sum("ended trials 60" in one for one in said) == 1, said
    assert sum("ended joined 60" in one for one in said) == 2, said
    check_complete(tmp_path / "study")
    done = evaluated(tmp_path / "study")
    assert {pid for pid, _ in done} == {one.pid for one in commands}
    assert Counter(options for _, options in done).most_common(1)[0][1] == 1, "none ran twice"


def test_a_joined_worker_is_killed(tmp_path: Path, begin: Callable[..., Command]) -> None:
    folder = tmp_path / "study"
    first = begin(trials=100, joined=1)
    until(lambda: holder(folder))
    second = begin(trials=100, pause=60, joined=1)
    until(lambda: any(pid == second.pid for pid, _ in evaluated(folder)))
    # Not reaped before the end: a process that has ended, but is listed.
    second.process.kill()
    said = first.output()
    assert "ended trials 100" in said
    assert "gives no sign of life" in said
    check_complete(folder, 100)


@pytest.mark.slow
def test_a_joined_worker_is_interrupted(tmp_path: Path, begin: Callable[..., Command]) -> None:
    folder = tmp_path / "study"
    first = begin(trials=100, joined=1)
    until(lambda: holder(folder))
    second = begin(trials=100, joined=1)
    until(lambda: any(pid == second.pid for pid, _ in evaluated(folder)))
    second.process.send_signal(signal.SIGINT)
    assert "interrupted stopped; what was recorded is kept" in second.output()
    said = first.output()
    assert "ended trials 100" in said
    assert " left" in said
    check_complete(folder, 100)


def test_the_holder_is_killed_and_a_worker_goes_on(
    tmp_path: Path, begin: Callable[..., Command]
) -> None:
    folder = tmp_path / "study"
    commands = [begin(trials=150, joined=2) for _ in range(3)]
    until(lambda: len(seats(folder)) == 2 and len({pid for pid, _ in evaluated(folder)}) == 3)
    dead = holder(folder)
    before = {(one.number, one.job, one.result.accuracy) for one in recorded(folder)}
    os.kill(dead, signal.SIGKILL)
    said = {one.pid: one.output() for one in commands}
    others = [text for pid, text in said.items() if pid != dead]
    assert sum("ended trials 150" in one for one in others) == 1, others
    assert sum("ended joined 150" in one for one in others) == 1, others
    assert sum("this process goes on" in one for one in others) >= 1, others
    check_complete(folder, 150)
    after = {(one.number, one.job, one.result.accuracy) for one in recorded(folder)}
    assert before <= after, "recorded before, there after"


@pytest.mark.slow
def test_the_holder_is_interrupted_and_the_workers_end(
    tmp_path: Path, begin: Callable[..., Command]
) -> None:
    folder = tmp_path / "study"
    first = begin(trials=1000)
    until(lambda: holder(folder))
    second = begin(trials=1000)
    until(lambda: any(pid == second.pid for pid, _ in evaluated(folder)))
    first.process.send_signal(signal.SIGINT)
    assert "interrupted stopped after" in first.output()
    assert "the search that this process joined has ended; it trained" in second.output()
    trials = len(recorded(folder))
    assert (folder / "front.csv").exists()
    third = begin(trials=trials + 5)
    assert f"ended trials {trials + 5}" in third.output()
    check_complete(folder, trials + 5)


def quarter(job: Job) -> float:
    return 0.25


def held_elsewhere(folder: Path) -> None:
    """Make a study that a process of another machine seems to hold."""
    search.run(space=CHAIN, budget=40, evaluator=lambda _: 0.5, trials=3, study=folder)
    elsewhere = Process("elsewhere", 5, "another machine")
    (folder / HOLDER).write_text(Beat(elsewhere, "theirs").text(0))


def test_other_settings_are_refused(tmp_path: Path) -> None:
    held_elsewhere(tmp_path)
    with pytest.raises(UserError, match="was made with other settings: seed 0 -> 1; go on with"):
        search.run(
            space=CHAIN, budget=40, evaluator=lambda _: 0.5, seed=1, study=tmp_path, join=True
        )
    assert not (tmp_path / WORKERS).exists()


@pytest.mark.parametrize("executor", [{"devices": 1}, {"timeout": 60}], ids=str)
def test_a_process_that_would_train_elsewhere_is_refused(
    tmp_path: Path, executor: dict[str, int]
) -> None:
    """Whoever joins is one process on one device, as its study tells it."""
    held_elsewhere(tmp_path)
    with pytest.raises(UserError, match="join=true trains in one process on one device: leave out"):
        search.run(
            space=CHAIN, budget=40, evaluator=quarter, executor=executor, study=tmp_path, join=True
        )
    assert not (tmp_path / WORKERS).exists()


def test_without_join_it_is_refused(tmp_path: Path) -> None:
    with (
        closing(hold(tmp_path)),
        pytest.raises(UserError, match=r"is being written by .*; wait for it, join it with join="),
    ):
        search.run(space=CHAIN, budget=40, evaluator=logged, study=tmp_path)


def test_a_worker_that_cannot_begin_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise UserError("the disk is full")

    folder = tmp_path / "study"
    held_elsewhere(folder)
    monkeypatch.setattr("search.runner.join.write", full)
    with pytest.raises(UserError, match="the disk is full"):
        search.run(space=CHAIN, budget=40, evaluator=lambda _: 0.5, study=folder, join=True)
    assert not (folder / WORKERS).exists()


def test_a_spool_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    held_elsewhere(folder)
    (folder / WORKERS).write_text("a file")
    with pytest.raises(UserError, match=rf"{WORKERS}/.* cannot be written"):
        search.run(space=CHAIN, budget=40, evaluator=lambda _: 0.5, study=folder, join=True)
