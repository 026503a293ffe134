"""The real command joins a study: it trains for the holder, and takes over from a killed one."""

import csv
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from search.errors import UserError
from search.study.heartbeat import read_beat
from search.study.hold import HOLDER
from search.study.study import Study
from search.study.trials import Trial

# Trainings of a second or two: all of them last several times as long as a command takes to begin,
# so that the second is in time to train some of them.
WORDS = ("data=digits", "space=small", "budget=200k", "epochs=40", "strategy=random", "study=s")
TRAINED = re.compile(r"^trained (\w+), 40 epochs, seed 0, in .* s: accuracy \d\.\d+$", re.MULTILINE)
PATIENCE = 300


class Commands:
    """Commands on one study, each with a file for what it says."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder, self._running = folder, running
        self.started = 0

    def start(self, *more: str) -> "subprocess.Popen[bytes]":
        self.started += 1
        out = self._running.enter_context(self.said(self.started).open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "search", "run", *WORDS, *more],
            cwd=self.folder,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        self._running.callback(process.wait)
        self._running.callback(process.kill)
        return process

    def said(self, number: int) -> Path:
        """What the command of this number, from 1, says."""
        return self.folder / f"said-{number}"

    def trained(self, number: int) -> list[str]:
        """The networks that a command said it trained for the holder."""
        return TRAINED.findall(self.said(number).read_text())

    @property
    def study(self) -> Path:
        return self.folder / "outputs" / "s"

    def recorded(self) -> list[Trial]:
        try:
            with Study.read(self.study) as study:
                return study.trials()
        except UserError:
            # Not begun yet.
            return []

    def joined(self) -> bool:
        """Whether a training of a joined process is recorded."""
        return any(trial.result.worker for trial in self.recorded())

    def workers(self) -> list[str]:
        with (self.study / "trials.csv").open() as file:
            return [row["worker"] for row in csv.DictReader(file)]


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    with ExitStack() as running:
        yield Commands(tmp_path, running)


def until(condition: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.slow
def test_a_second_command_trains_and_goes_on_where_the_first_is_killed(commands: Commands) -> None:
    """Nothing recorded is lost, nothing is trained twice but what was on its way."""
    first = commands.start("join=true", "trials=24")
    until(lambda: (commands.study / HOLDER).exists(), what="a holder")
    second = commands.start("join=true", "trials=24")
    third = commands.start("trials=24")
    assert third.wait(PATIENCE) == 2
    (refused,) = commands.said(3).read_text().splitlines()
    assert re.match(
        rf"convbudget: outputs/s is being written by process {first.pid} on \S+ \(convbudget run .*"
        r"\), its heartbeat \d+ s old; wait for it, join it with join=true, or choose another",
        refused,
    )

    until(commands.joined, what="a recorded training of the second")
    first.kill()
    first.wait()
    before = commands.recorded()
    assert 0 < len(before) < 24
    until(lambda: _holder(commands.study) == second.pid, what="the second holds the study")
    assert second.wait(PATIENCE) == 0
    said = commands.said(2).read_text()
    assert re.search(rf"^process {first.pid} on .* is gone; this process goes on$", said, re.M)

    after = commands.recorded()
    assert [trial.number for trial in after] == list(range(24))
    kept = {trial.number: trial for trial in after}
    assert all(kept[trial.number] == trial for trial in before)
    joined = [name for name in commands.workers() if name]
    assert len(joined) >= 1
    assert {name.rpartition(":")[2] for name in joined} == {str(second.pid)}
    trained = commands.trained(2)
    assert len(trained) == len(set(trained)), "the second trained none twice for the first"
    assert not (commands.study / HOLDER).exists()
    assert not (commands.study / "workers").exists()


@pytest.mark.slow
def test_holder_and_joined_are_killed_and_the_same_command_goes_on(commands: Commands) -> None:
    first = commands.start("join=true", "trials=16")
    until(lambda: (commands.study / HOLDER).exists(), what="a holder")
    second = commands.start("join=true", "trials=16")
    until(commands.joined, what="a recorded training of the second")
    first.kill()
    second.kill()
    first.wait()
    second.wait()
    before = commands.recorded()
    third = commands.start("join=true", "trials=16")
    assert third.wait(PATIENCE) == 0
    said = commands.said(3).read_text()
    assert f"going on after {len(before)} trials; those are not run again\n" in said
    after = commands.recorded()
    assert [trial.number for trial in after] == list(range(16))
    kept = {trial.number: trial for trial in after}
    assert all(kept[trial.number] == trial for trial in before)
    assert not (commands.study / "workers").exists()


def _holder(folder: Path) -> int:
    beat = read_beat(folder / HOLDER)
    return beat.process.pid if beat is not None and not beat.process.dead else 0
