"""Stop a command by a signal while it starts, trains, confirms and reports."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from attacks.kills import essence, leftovers

# Seconds from the signal to the end of the process.
LIMIT = 3.0
NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# The process sends itself the signal when it comes to this call for the first time.
MOMENTS: Mapping[str, tuple[str, str]] = {
    "start": ("search.runner.session", "_table"),
    "import": ("search.executors.devices", "describe"),
    "training": ("search.engine.trainer", "Trainer"),
    "confirmation": ("search.runner.session", "confirm"),
    "report": ("search.report.study", "export"),
}
_COMMAND = [
    *("run", "data=digits", "space=small", "budget=60k", "trials=2", "epochs=1"),
    *("strategy=random", "confirm.seeds=1"),
]
# Delayed by a thread, so that the signal arrives inside of the call.
_STUB = """
import importlib, os, sys, threading, time
module, name, number, delay = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
def send():
    time.sleep(delay)
    print("sent", time.monotonic(), flush=True)
    os.kill(os.getpid(), number)
if module:
    place = importlib.import_module(module)
    real = getattr(place, name)
    def reached(*given, **named):
        setattr(place, name, real)
        threading.Thread(target=send, daemon=True).start()
        return real(*given, **named)
    setattr(place, name, reached)
from search.__main__ import main
sys.argv[1:] = sys.argv[5:]
sys.exit(main())
"""


def started(folder: Path, moment: tuple[str, str], number: int, delay: float) -> tuple[int, str]:
    """Run the command with the signal `number` at `moment`; returns exit code and stderr.

    Raises `AssertionError` where it took longer than `LIMIT` to end.
    """
    command = [sys.executable, "-c", _STUB, *moment, str(number), str(delay), *_COMMAND]
    command += [f"outputs={folder}", "study=study"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    ended = time.monotonic()
    sent = [line.split()[1] for line in found.stdout.splitlines() if line.startswith("sent ")]
    assert len(sent) == (1 if moment[0] else 0), f"{moment}: no signal was sent"
    if sent:
        assert ended - float(sent[0]) <= LIMIT, f"{moment}: {ended - float(sent[0]):.1f} s"
    return found.returncode, found.stderr


def stop(folder: Path, name: str, number: int, delay: float) -> None:
    """Stop the command at the moment `name`, and check code and closing line."""
    code, said = started(folder, MOMENTS[name], number, delay)
    case = f"{name}, signal {number}, after {delay} s: code {code}, {said!r}"
    assert code == 128 + number, case
    assert said.startswith("convbudget: stopped"), case
    assert said.count("\n") == 1, case


def goes_on(folder: Path, whole: Path) -> None:
    """Check that the same command, undisturbed, ends as a study that was never stopped."""
    code, said = started(folder, ("", ""), 0, 0)
    assert code == 0, said
    assert leftovers(folder) == []
    assert essence(folder / "study") == essence(whole / "study")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be set."""
    parser.add_argument("--moments", nargs="+", choices=MOMENTS, default=list(MOMENTS))
    parser.add_argument("--delays", nargs="+", type=float, default=[0.0, 0.05])


def run(given: argparse.Namespace) -> None:
    """Stop one study again and again by every signal at every moment, then let it end."""
    began = time.perf_counter()
    cases = [(m, n, d) for m in given.moments for n in NUMBERS for d in given.delays]
    with tempfile.TemporaryDirectory() as name:
        whole, folder = Path(name) / "whole", Path(name) / "stopped"
        assert started(whole, ("", ""), 0, 0)[0] == 0
        for case in cases:
            stop(folder, *case)
        goes_on(folder, whole)
    moments = ", ".join(given.moments)
    print(f"{len(cases)} signals ({moments}): each ended in one line within {LIMIT:.0f} s")
    print(f"{time.perf_counter() - began:.0f} s; {os.cpu_count()} cores")
