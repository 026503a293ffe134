"""Kill a study at every boundary of its writing, and give the same command again."""

import argparse
import math
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from attacks.faults import Boundaries, injected, kill
from chains import numbers

import search
from search.jobs import Job
from search.report import study as report
from search.study.study import Study

# Four choices of 0 to 4; the price is ten and their sum.
CHAIN = numbers(4, 4, end=10)


def looked_up(job: Job) -> float:
    """Return an accuracy that depends on the encoding and a little on the seed."""
    first, *_, last = (int(option) for option in job.options)
    total = sum(int(option) for option in job.options)
    return (total + math.sin(7 * first + last) + math.sin(job.seed) / 50) / 20 + 0.06


def instant(folder: Path) -> None:
    """Search with an evaluator that takes no time, confirm, and leave the report."""
    # Drawing takes most of the time and writes nothing.
    with patch.object(report, "draw", lambda *_: b"picture"):
        search.run(
            space=CHAIN,
            budget=18,
            evaluator=looked_up,
            trials=5,
            strategy="random",
            confirm=1,
            study=folder,
        )


def trained(folder: Path) -> None:
    """Search with real trainings of a second, confirm, and leave report and weights."""
    with patch.object(report, "draw", lambda *_: b"picture"):
        search.run(
            data="digits",
            space="small",
            budget="60k",
            trials=2,
            epochs=1,
            strategy="random",
            confirm=1,
            study=folder,
            progress=False,
        )


STUDIES: dict[str, Callable[[Path], None]] = {"instant": instant, "trained": trained}


def essence(folder: Path) -> tuple[Any, ...]:
    """Return what a kill must not change: every result, the front, and which files there are."""
    with Study.read(folder) as study:
        trials = study.trials()
        rows = [
            [(t.number, t.job, t.arch_id, t.asked_after, t.same_as, _measured(t)) for t in of]
            for of in (trials, study.confirmations())
        ]
        front = [(m.arch_id, m.multiplies, m.accuracy) for m in study.front(trials)[0]]
    files = sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "checkpoints" not in path.parts
    )
    return rows, front, files


def leftovers(folder: Path) -> list[Path]:
    """Return what a killed process leaves half-written."""
    return [*folder.rglob(".writing-*"), *folder.rglob("*.part"), *folder.rglob("*-journal")]


def in_child(work: Callable[[], None]) -> int:
    """Do `work` in a forked process; returns its exit code, negative for a signal."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def boundaries_of(work: Callable[[Path], None], folder: Path, *, statements: bool = True) -> int:
    """Return how many boundaries an undisturbed run has; the study is left in `folder`."""
    count = folder.with_name(f"{folder.name}.count")

    def counting() -> None:
        boundaries = Boundaries(0, kill)
        with injected(boundaries, statements=statements):
            work(folder)
        count.write_text(str(boundaries.seen))

    assert in_child(counting) == 0
    return int(count.read_text())


def killed(work: Callable[[Path], None], folder: Path, at: int) -> int:
    """Run `work` and kill it at the boundary `at`; returns the exit code."""

    def run() -> None:
        with injected(Boundaries(at, kill)):
            work(folder)

    return in_child(run)


def sweep(work: Callable[[Path], None], folder: Path, most: int | None) -> tuple[int, int]:
    """Kill `work` at every boundary, or at `most` of them evenly spread, each in a new study.

    Returns how many kills were made, and how many boundaries there are. Raises `AssertionError`
    where the same command again does not end as the undisturbed run did.
    """
    whole, study = folder / "whole", folder / "killed"
    # What is imported by now need not be imported by every child. JAX starts in the children only.
    instant(folder / "warm")
    if work is trained:
        import_module("search.engine.evaluator")
    with patch.dict(os.environ, _compiled_once(folder / "programs")):
        # It leaves data and programs in the cache, so that every later run has the same boundaries.
        assert in_child(lambda: work(folder / "first")) == 0
        total = boundaries_of(work, whole)
        expected = essence(whole)
        count = total if most is None else min(most, total)
        places = [1 + number * total // count for number in range(count)]
        # So that a run which is cut short has been everywhere.
        Random(0).shuffle(places)
        began = time.perf_counter()
        for done, at in enumerate(places, 1):
            shutil.rmtree(study, ignore_errors=True)
            assert killed(work, study, at) == -9, f"boundary {at}: not killed"
            assert in_child(lambda: work(study)) == 0, f"boundary {at}: the same command failed"
            assert leftovers(study) == [], f"boundary {at}"
            assert essence(study) == expected, f"boundary {at}: other results"
            if done % 25 == 0:
                spent = time.perf_counter() - began
                print(f"{done} of {total} boundaries, {spent:.0f} s", file=sys.stderr, flush=True)
    return count, total


def _compiled_once(folder: Path) -> dict[str, str]:
    """Return the environment in which processes share compiled programs, and nothing else has them.

    Compiling would be nearly all of the time: JAX's own cache keeps what the program's does not.
    """
    return {
        "CONVBUDGET_CACHE": str(folder / "kept"),
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be set."""
    parser.add_argument("--study", choices=STUDIES, default="instant")
    parser.add_argument("-n", type=int, help="how many kills, evenly spread (all boundaries)")


def run(given: argparse.Namespace) -> None:
    """Print how many kills there were; a study that ends otherwise is an exception."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        count, total = sweep(STUDIES[given.study], Path(name), given.n)
    print(f"{given.study}: {count} kills at {total} boundaries, all went on to the same study")
    print(f"{time.perf_counter() - began:.0f} s")


def _measured(trial: Any) -> tuple[Any, ...]:
    return trial.result.accuracy, trial.result.loss, trial.result.status
