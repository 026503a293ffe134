"""Our searches in the race: the shipped command as a user types it, its study watched from outside.

    python tests/benchmarks/race_ours.py FILE --search ours --seed 0 --limit 240 data=digits

`ours` is the command with no program compiled before; `ours-front`, `ours-best`, `ours-halving` and
`ours-average` are with `aim=front`, `aim=best`, `strategy=halving` and `train.finish=average`.
Those that end in `-warm` have the programs that a run of another seed left (where the command keeps
them).
"""

import argparse
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from race_runs import Evaluated, Run, machine, on_some_front, save

from search.config.run import RunConfig
from search.study.study import Study
from search.study.trials import Trial

SEARCHES: dict[str, tuple[str, ...]] = {
    "ours": (),
    "ours-warm": (),
    "ours-front": ("aim=front",),
    "ours-front-warm": ("aim=front",),
    "ours-best": ("aim=best",),
    "ours-halving": ("strategy=halving",),
    "ours-average": ("train.finish=average",),
}
# Of the run that only leaves its programs to those that are timed.
_OTHER_SEED = 1_000_000
_PATIENCE = 120.0
_LOOK = 0.25
KEEPS_PROGRAMS = hasattr(RunConfig(), "cache")


def play(search: str, overrides: list[str], seed: int, limit: float, programs: Path) -> Run:
    """Return what the command found within `limit` seconds from its start.

    `programs`: the folder of compiled programs that warm runs share.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        warm = search.endswith("-warm")
        own = programs if warm else folder / "programs"
        # Beside the folder, which may be there from a run that was cut off.
        whole = programs.with_name(f"{programs.name}.whole")
        if warm and not whole.exists():
            typed(overrides, search, _OTHER_SEED, limit, programs, folder / "before")
            whole.touch()
        seen = typed(overrides, search, seed, limit, own, folder / "timed")
        with Study.read(folder / "timed" / "race") as study:
            info, trials = study.info, study.trials()
    full = [t for t in trials if t.completed(info.epochs) and t.number in seen]
    full.sort(key=lambda trial: (seen[trial.number], trial.number))
    found = [of_trial(trial, seen[trial.number]) for trial in full]
    kept = on_some_front(found)
    return Run(
        search,
        seed,
        info.cheapest,
        info.high,
        info.chance,
        limit,
        min(seen.values(), default=limit) - (trials[0].result.seconds if trials else 0.0),
        1,
        tuple(found),
        {trial.arch_id: trial.value for trial in full if trial.arch_id in kept},
        machine(),
    )


def of_trial(trial: Trial, seconds: float) -> Evaluated:
    """Return a trial with the time at which its study was seen to hold it."""
    return Evaluated(seconds, trial.arch_id, trial.multiplies, trial.result.accuracy)


def typed(
    overrides: list[str], search: str, seed: int, limit: float, programs: Path, outputs: Path
) -> dict[int, float]:
    """Run the command; return when each trial was first in its study, in seconds from typing."""
    words = [*overrides, *SEARCHES[search], f"seed={seed}", "trials=null", "study=race"]
    words += [f"outputs={outputs}"]
    if KEEPS_PROGRAMS:
        words.append(f"cache.programs={programs}")
    began, seen = time.time(), dict[int, float]()
    outputs.mkdir(parents=True, exist_ok=True)
    with open(outputs / "said.txt", "w") as said:
        command = [sys.executable, "-m", "search", "run", *words]
        process = subprocess.Popen(command, stdout=said, stderr=said, env=dict(os.environ))
        try:
            while process.poll() is None and time.time() - began < limit:
                time.sleep(_LOOK)
                look(outputs / "race" / "study.db", time.time() - began, seen)
        finally:
            # What was recorded is kept, as by Ctrl-C, whose signal a shell lets its background jobs
            # ignore.
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    # A search without a trial in its time has an empty front; one that never began is a fault.
    if not (outputs / "race" / "study.db").exists():
        raise SystemExit(f"no study within {limit:g} s: {(outputs / 'said.txt').read_text()}")
    return seen


def look(path: Path, now: float, seen: dict[int, float]) -> None:
    """Note the trials that a study holds and that were not seen before."""
    if not path.exists():
        return
    # The study may be about to be made, or being written.
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database,
    ):
        for (number,) in database.execute("SELECT number FROM trials"):
            seen.setdefault(number, now)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("override", nargs="*", default=[])
    parser.add_argument("--search", choices=SEARCHES, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=240.0)
    parser.add_argument("--programs", type=Path, help="folder of programs that warm runs share")
    given = parser.parse_intermixed_args()
    programs = given.programs or Path(tempfile.mkdtemp()) / "programs"
    try:
        save(play(given.search, given.override, given.seed, given.limit, programs), given.file)
    finally:
        if given.programs is None:
            shutil.rmtree(programs.parent)


if __name__ == "__main__":
    main()
