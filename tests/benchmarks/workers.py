"""Candidates an hour of one process with all cores against workers with a share of them each.

python tests/benchmarks/workers.py --candidates 8 --workers 2

The same candidates, drawn at random, in every run; each run has a study in memory, compiles its own
programs, and its start counts. Both runs are made `--repeats` times, in turn.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

# Overrides of each row of the table.
ROWS = {
    "digits, 8 px, the default command": [],
    "12,000 images of fashion_mnist, 28 px": [
        "data=fashion_mnist",
        "data.train='train[:12000]'",
        "epochs=1",
    ],
}


@dataclass(frozen=True)
class Measured:
    """Candidates an hour, the start included, and the accuracies in the order of asking."""

    hourly: float
    accuracies: list[float]


def search_once(candidates: int, workers: int, overrides: list[str]) -> None:
    """Print the seconds of one search and its accuracies; runs in a process of its own."""
    import search

    began = time.monotonic()
    found = search.run(
        trials=candidates,
        strategy="random",
        executor={"devices": workers} if workers else "local",
        study=None,
        # Programs of earlier runs would tell nothing of compiling.
        overrides=[*overrides, "cache.programs=null"],
        progress=False,
    )
    seconds = time.monotonic() - began
    trials = sorted(found.trials, key=lambda trial: trial.number)
    print(seconds, *(trial.result.accuracy for trial in trials))


def measured(candidates: int, workers: int, overrides: list[str]) -> Measured:
    """Run this file in a new process, as a user's command is one."""
    arguments = [str(candidates), str(workers), *overrides]
    out = subprocess.run(
        [sys.executable, __file__, "--once", *arguments], capture_output=True, text=True, check=True
    )
    seconds, *accuracies = map(float, out.stdout.split())
    return Measured(3600 * candidates / seconds, accuracies)


def main() -> None:
    """Print a table of candidates an hour and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--row", choices=[*ROWS], nargs="*", default=[*ROWS])
    parser.add_argument("--once", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        candidates, workers, *overrides = given.once
        search_once(int(candidates), int(workers), overrides)
        return
    print("| candidates an hour | one process | workers | ratio | accuracies differ by at most |")
    print("|---|---|---|---|---|")
    for name in given.row:
        pairs = [
            (
                measured(given.candidates, 0, ROWS[name]),
                measured(given.candidates, given.workers, ROWS[name]),
            )
            for _ in range(given.repeats)
        ]
        one, many = (statistics.median(pair[side].hourly for pair in pairs) for side in (0, 1))
        ratio = statistics.median(b.hourly / a.hourly for a, b in pairs)
        apart = max(
            abs(x - y) for a, b in pairs for x, y in zip(a.accuracies, b.accuracies, strict=True)
        )
        print(f"| {name} | {one:.0f} | {many:.0f} | {ratio:.2f} | {apart:.4f} |", flush=True)


if __name__ == "__main__":
    main()
