"""Processor time until an unfinished study proposes again; its evaluator takes no time.

python tests/benchmarks/resume.py --trials 10000 --strategies random evolution surrogate
"""

import argparse
import tempfile
import time
import zlib
from pathlib import Path

from search.config.space import SpaceConfig
from search.config.strategy import StrategyConfig
from search.executors.local import LocalExecutor
from search.jobs import Job, Result
from search.networks.arch import Input
from search.runner.loop import Rules, Runner
from search.spaces.budget_table import BudgetTable, tabulate
from search.spaces.stages import build as build_space
from search.strategies import build
from search.study.study import Study, StudyInfo

LOW, HIGH, EPOCHS = 0, 200_000, 9


def accuracy(job: Job) -> Result:
    """An arbitrary number that follows the encoding and grows with the epochs."""
    noise = zlib.crc32(repr(job.options).encode()) % 1000 / 2000
    return Result(0.3 + noise + 0.01 * job.epochs, seconds=1.0)


def search(folder: Path, table: BudgetTable, config: StrategyConfig, trials: int) -> float:
    """Search up to so many trials; return the processor seconds, opening included."""
    began = time.process_time()
    strategy = build(config, table, LOW, HIGH, seed=0, epochs=EPOCHS, chance=0.1)
    info = StudyInfo(LOW, HIGH, LOW, HIGH, 1, True, 0.1, EPOCHS, {})
    with Study.open(folder, {}, info) as study:
        # Writing durably is not what is measured.
        study._database._connection.execute("PRAGMA synchronous=OFF")
        rules = Rules(LOW, HIGH, 1, trials)
        Runner(study, table.chain, strategy, LocalExecutor(accuracy), rules).run()
    return time.process_time() - began


def main() -> None:
    """Make a study with each strategy, go on with it by one trial, and print both times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--strategies", nargs="+", default=["random", "evolution", "surrogate"])
    arguments = parser.parse_args()
    table = tabulate(build_space(SpaceConfig(), Input(8, 8, 1), 10), HIGH)
    for name in arguments.strategies:
        with tempfile.TemporaryDirectory() as folder:
            config = StrategyConfig(name)
            whole = search(Path(folder), table, config, arguments.trials)
            one = search(Path(folder), table, config, arguments.trials + 1)
            with Study.read(Path(folder)) as study:
                kilobytes = len(repr(study.snapshot)) / 1000
            print(
                f"{name}: {whole:.1f} s, resumed {one:.2f} s, snapshot {kilobytes:.0f} kB",
                flush=True,
            )


if __name__ == "__main__":
    main()
