"""Hypervolume over epochs of training, with halving and without.

    python tests/benchmarks/halving.py [--tables NAME…] [--inner surrogate] [--seeds 20]

A training that goes on from a shorter one costs the epochs that it adds. Only results at full
length count. Differences are of the same seeds; ± is half a 95 % interval (normal).
"""

import argparse
import math

import numpy as np
from strategies import TABLES, propose_jobs
from tables import Table

from search.config.strategy import StrategyConfig
from search.jobs import Options

MARKS = (54, 63, 72, 90, 108, 135, 180, 270, 450, 900)


def volumes(config: StrategyConfig, table: Table, seed: int) -> list[float]:
    """Return the hypervolume after each of `MARKS` epochs."""
    longest = table.epochs[-1]
    spent = 0
    trained: dict[Options, int] = {}
    full: list[Options] = []
    found: list[float] = []
    for job in propose_jobs(config, table, seed):
        spent += job.epochs - trained.get(job.options, 0)
        while len(found) < len(MARKS) and spent > MARKS[len(found)]:
            found.append(table.volume(full))
        if len(found) == len(MARKS):
            break
        trained[job.options] = job.epochs
        full += [job.options] * (job.epochs == longest)
    # A small table may have been trained whole.
    return found + [table.volume(full)] * (len(MARKS) - len(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=["digits", "mixed"])
    parser.add_argument("--inner", default="surrogate")
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    plain = StrategyConfig(arguments.inner)
    halving = StrategyConfig("halving", inner=arguments.inner)
    print("regret × 10,000 after", *MARKS, "epochs, and what halving takes from it")
    for name in arguments.tables:
        table = TABLES[name]()
        rows = np.array(
            [[volumes(c, table, s) for c in (plain, halving)] for s in range(arguments.seeds)]
        )
        gain = 1e4 * (rows[:, 1] - rows[:, 0])
        width = 1.96 * gain.std(axis=0, ddof=1) / math.sqrt(arguments.seeds)
        print(name)
        for label, row in zip(("plain", "halving"), rows.mean(axis=0), strict=True):
            print(f"  {label:8s}", "  ".join(f"{1e4 * (table.best - v):7.1f}       " for v in row))
        pairs = zip(gain.mean(axis=0), width, strict=True)
        print("  gain    ", "  ".join(f"{g:7.1f} ±{w:5.1f}" for g, w in pairs), flush=True)


if __name__ == "__main__":
    main()
