"""However a search ends, its workers end with it, and the same command goes on."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from search.errors import UserError
from search.study.study import Study
from search.study.trials import Trial

SCRIPT = Path(__file__).with_name("searching.py")
CALLS = {"timeout": 120}


def begun(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, SCRIPT, folder],
        # A terminal's Ctrl-C reaches the whole group.
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def recorded(folder: Path, count: int) -> list[Trial]:
    """Wait until so many trials are recorded, and return them."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            with Study.read(folder / "study") as study:
                if len(found := study.trials()) >= count:
                    return found
        except UserError:
            # Not there yet.
            pass
        time.sleep(0.05)
    raise AssertionError(f"there were no {count} trials")


def check_no_worker(folder: Path) -> None:
    pids = [int(path.stem) for path in folder.glob("*.pid")]
    assert len(pids) >= 2
    until = time.monotonic() + 20
    while alive := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < until, f"{alive} outlive the search"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        # A zombie, which nobody waits for in some containers, has ended.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def check_goes_on(folder: Path, before: list[Trial], *, again: int) -> None:
    """Check that the same command keeps what was recorded, and tries only `again` jobs again."""
    done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, **CALLS)
    assert (done.returncode, done.stderr) == (0, b"")
    with Study.read(folder / "study") as study:
        trials = study.trials()
    assert [trial.number for trial in trials] == list(range(12))
    known = {trial.number: trial for trial in trials}
    assert all(known[trial.number] == trial for trial in before)
    calls = Counter((folder / "calls").read_text().splitlines())
    assert sum(calls.values()) - len(calls) <= again
    check_no_worker(folder)


def test_a_killed_search_leaves_no_worker_and_goes_on(tmp_path: Path) -> None:
    process = begun(tmp_path)
    recorded(tmp_path, 3)
    process.kill()
    process.communicate(**CALLS)
    check_no_worker(tmp_path)
    # Two were being evaluated, and one may have been heard and not recorded yet.
    check_goes_on(tmp_path, recorded(tmp_path, 3), again=3)


def test_an_interrupted_search_ends_in_one_line_and_goes_on(tmp_path: Path) -> None:
    process = begun(tmp_path)
    recorded(tmp_path, 3)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(**CALLS)
    assert process.returncode == 130
    assert err.startswith("convbudget: stopped after ")
    assert err.endswith(" trials, all of them kept; the same command goes on\n")
    assert err.count("\n") == 1
    assert "Traceback" not in out
    check_no_worker(tmp_path)
    check_goes_on(tmp_path, recorded(tmp_path, 3), again=3)


@pytest.mark.slow
def test_a_killed_worker_costs_one_more_try(tmp_path: Path) -> None:
    process = begun(tmp_path)
    recorded(tmp_path, 2)
    os.kill(int(next(tmp_path.glob("*.pid")).stem), signal.SIGKILL)
    _, err = process.communicate(**CALLS)
    assert (process.returncode, err) == (0, "")
    check_goes_on(tmp_path, recorded(tmp_path, 12), again=1)
