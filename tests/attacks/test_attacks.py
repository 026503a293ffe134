"""Short forms of the attacks, each in a process of its own, because they fork."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from attacks import overrides, signals

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "attack.py"


def attack(*words: str) -> str:
    command = [sys.executable, str(SCRIPT), *words]
    found = subprocess.run(command, capture_output=True, text=True, cwd=SCRIPT.parents[2])
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


def test_kills_change_nothing() -> None:
    assert "8 kills" in attack("kills", "-n", "8")


@pytest.mark.slow
def test_kills_of_real_trainings_change_nothing() -> None:
    assert "25 kills" in attack("kills", "--study", "trained", "-n", "25")


def test_surroundings_lose_nothing() -> None:
    assert "processes on one study" in attack("surroundings", "-n", "3")


@pytest.mark.parametrize("number", signals.NUMBERS)
def test_a_signal_at_the_start_ends_in_one_line(number: int, tmp_path: Path) -> None:
    signals.stop(tmp_path, "start", number, 0.0)


@pytest.mark.parametrize("command", overrides.FORMS)
def test_bad_words_are_one_line(command: str) -> None:
    assert sum(overrides.attack(command, 40, 0).values()) == 40
