"""Regret of searches with many workers, whose trainings take unequal times, on a simulated clock.

    python tests/benchmarks/parallel.py [--workers 1 8 64] [--strategies NAME…] [--seeds 20]

On the table of trained digits networks; see `strategies.py` for regret. A training takes as long as
its multiplies say and a quarter of the mean more; the mean of all is 1. Workers are kept busy and
results are told as they arrive, as `search.runner.loop` does. For each mark of regret × 10,000: how
many evaluations and how much time were needed until it, mean ± standard error over seeds.
"""

import argparse
import heapq
import math
from collections.abc import Iterator

import numpy as np
from strategies import TABLES, made
from tables import Table

from search.config.strategy import StrategyConfig
from search.jobs import Exhausted, Job, Options

# Regrets × 10,000 that are waited for, and evaluations after which a search gives up.
MARKS = (50, 20, 5)
_MOST = 2000


def arrivals(
    config: StrategyConfig, table: Table, seed: int, workers: int
) -> Iterator[tuple[float, Options]]:
    """Yield the time at which each training ends, and its encoding, in that order."""
    strategy = made(config, table, seed)
    mean = float(np.mean(list(table.costs.values())))
    running: list[tuple[float, int, Job]] = []
    now, asked = 0.0, 0
    while True:
        while len(running) < workers:
            try:
                job = strategy.ask()
            except Exhausted:
                break
            seconds = (table.costs[job.options] / mean + 0.25) / 1.25
            heapq.heappush(running, (now + seconds, asked, job))
            asked += 1
        if not running:
            return
        now, _, job = heapq.heappop(running)
        strategy.tell(job, table.result(job, seed % 3))
        yield now, job.options


def until(
    config: StrategyConfig, table: Table, seed: int, workers: int
) -> list[tuple[float, float]]:
    """Return evaluations and time until each of `MARKS`; those of the end where it is not met."""
    # The table's own volumes are of the whole front: what adds nothing to it is left out.
    found: list[tuple[float, float]] = []
    front: list[Options] = []
    count, now = 0, 0.0
    for count, (now, options) in enumerate(arrivals(config, table, seed, workers), 1):
        if table.volume([*front, options]) > table.volume(front):
            front.append(options)
        regret = 1e4 * (table.best - table.volume(front))
        while len(found) < len(MARKS) and regret <= MARKS[len(found)]:
            found.append((count, now))
        if len(found) == len(MARKS) or count >= _MOST:
            break
    return found + [(math.inf, math.inf)] * (len(MARKS) - len(found))


def _cell(values: np.ndarray) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "never"
    error = known.std() / math.sqrt(max(1, len(known) - 1))
    missed = f" ({len(values) - len(known)} never)" if len(known) < len(values) else ""
    return f"{known.mean():.4g} ± {error:.2g}{missed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--strategies", nargs="+", default=["surrogate", "evolution", "random"])
    parser.add_argument("--table", default="digits", choices=TABLES)
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    table = TABLES[arguments.table]()
    print(f"{arguments.table}: {len(table.costs)} networks; {arguments.seeds} seeds")
    heads = [f"{what} to {mark}" for mark in MARKS for what in ("evaluations", "time")]
    print("| strategy | workers |", " | ".join(heads), "|")
    print("|---|---|", "---|" * len(heads))
    for name in arguments.strategies:
        for workers in arguments.workers:
            rows = np.array(
                [
                    until(StrategyConfig(name), table, seed, workers)
                    for seed in range(arguments.seeds)
                ]
            )
            cells = [_cell(rows[:, mark, i]) for mark in range(len(MARKS)) for i in range(2)]
            print(f"| {name} | {workers} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
