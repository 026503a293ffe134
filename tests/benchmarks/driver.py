"""The driver's work per result with 64 workers that need no time: ask, record, tell, snapshot.

    python tests/benchmarks/driver.py [--results 2000 10000] [--strategies random surrogate]

On the default space, with a study on this disk, fully synchronised. `CPU` is the processor's time,
which other load on the machine hardly changes; `recording` the part of the wall time spent in
writing each trial; `synchronising` what of it is spent waiting for the disk, found by the same
trials written without.
"""

import argparse
import tempfile
import time
import zlib
from collections import deque
from pathlib import Path
from typing import Any

import search.spaces.stages
from search.config.space import SpaceConfig
from search.config.strategy import StrategyConfig
from search.jobs import Job, Result
from search.networks.arch import Input
from search.runner.loop import Rules, Runner
from search.spaces.budget_table import BudgetTable, tabulate
from search.strategies import build
from search.study.study import Study, StudyInfo

_LOW, _HIGH, _EPOCHS = 0, 200_000, 20
_WORKERS = 64


class Instant:
    """64 workers that are done at once, the newest of four first, so that results overtake."""

    workers = _WORKERS

    def __init__(self) -> None:
        self._jobs: deque[tuple[int, Job]] = deque()

    def submit(self, number: int, job: Job) -> None:
        self._jobs.append((number, job))

    def next(self) -> tuple[int, Result]:
        place = min(len(self._jobs) - 1, 3)
        number, job = self._jobs[place]
        del self._jobs[place]
        accuracy = 0.3 + 0.6 * (zlib.crc32(repr(job.options).encode()) % 1000) / 1000
        return number, Result(accuracy, 0.5, 1.0, worker=f"node{number % _WORKERS}:0")

    def close(self) -> None:
        self._jobs.clear()


def drive(
    name: str, table: BudgetTable, results: int, folder: Path, *, synchronous: bool
) -> tuple[float, float, float]:
    """Return seconds of a search, of the processor's time, and of recording in it."""
    low, high = table.cheapest()[0], table.most_expensive()[0]
    info = StudyInfo(low, high, _LOW, _HIGH, table.count(_LOW, _HIGH), True, 0.1, _EPOCHS, {})
    strategy = build(
        StrategyConfig(name), table, _LOW, _HIGH, seed=0, epochs=_EPOCHS, chance=info.chance
    )
    recording = 0.0
    with Study.open(folder, {}, info) as study:
        if not synchronous:
            study._database._connection.execute("PRAGMA synchronous=OFF")
        add = study.add

        def timed(*arguments: Any) -> None:
            nonlocal recording
            begin = time.perf_counter()
            add(*arguments)
            recording += time.perf_counter() - begin

        study.add = timed
        rules = Rules(_LOW, _HIGH, 1, trials=results)
        runner = Runner(study, table.chain, strategy, Instant(), rules)
        begin, worked = time.perf_counter(), time.process_time()
        ended = runner.run()
        spent, worked = time.perf_counter() - begin, time.process_time() - worked
        assert (ended.reason, len(study.trials())) == ("trials", results)
    return spent, worked, recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", nargs="+", type=int, default=[2000, 10_000])
    parser.add_argument("--strategies", nargs="+", default=["random", "surrogate"])
    arguments = parser.parse_args()
    chain = search.spaces.stages.build(SpaceConfig(), Input(8, 8, 1), 10)
    table = tabulate(chain, _HIGH)
    print("| strategy | results | ms a result | CPU | recording | synchronising | results/s |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.strategies:
        for results in arguments.results:
            with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
                spent, worked, recording = drive(name, table, results, Path(one), synchronous=True)
                unsynchronised = drive(name, table, results, Path(other), synchronous=False)[2]
            each = 1e3 / results
            print(
                f"| {name} | {results:,} | {spent * each:.2f} | {worked * each:.2f}"
                f" | {recording * each:.2f}"
                f" | {(recording - unsynchronised) * each:.2f} | {results / spent:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
