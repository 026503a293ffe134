"""A search over Ray on this machine: the driver's work for each result, and long life.

python tests/benchmarks/ray_cluster.py driver --workers 64 --results 3000
python tests/benchmarks/ray_cluster.py life --candidates 500
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.config.run import ExecutorConfig
from search.config.strategy import StrategyConfig
from search.executors.ray.executor import RayExecutor
from search.executors.worker import OwnEvaluator
from search.jobs import Job, Result
from search.runner.loop import Rules, Runner
from search.spaces.budget_table import tabulate
from search.strategies import build
from search.study.study import Study, StudyInfo

TESTS = Path(__file__).parents[1]
FOLDERS = [str(TESTS), str(TESTS / "engine"), str(TESTS / "benchmarks")]
sys.path[:0] = FOLDERS


def instant(job: Job) -> float:
    """An evaluator that costs nothing."""
    return job.candidate.multiplies / 1e4


def driver(workers: int, results: int, strategy: str) -> None:
    """Print results a second, and the processor time of this process for each."""
    from chains import numbers

    executor = RayExecutor(ExecutorConfig("ray", devices=workers, cpus=0), OwnEvaluator(instant))
    began = time.monotonic()
    executor.computed()
    while sum(one.ready for one in executor._workers) < workers:
        executor._receive()
    print(f"{workers} workers after {time.monotonic() - began:.1f} s", flush=True)
    # So that every asked encoding is another one.
    table = tabulate(numbers(5, 19, 100), 1000)
    low, high = table.cheapest()[0], table.most_expensive()[0]
    info = StudyInfo(low, high, low, high, table.count(low, high), table.exact, 0.0, 1, data={})
    asked = build(StrategyConfig(strategy), table, low, high, seed=0, epochs=1, chance=0.0)
    with tempfile.TemporaryDirectory() as folder, Study.open(Path(folder), {}, info) as study:
        rules = Rules(low, high, workers, results)
        wall, processor = time.perf_counter(), time.process_time()
        Runner(study, table.chain, asked, executor, rules).run()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        used = {trial.worker for trial in study.trials() if hasattr(trial, "worker")}
    executor.close()
    print(
        f"{results} results of {len(used) or workers} workers: {results / wall:.0f} a second,"
        f" {1000 * processor / results:.2f} ms of the driver's processor time for each"
        " (Ray's threads in it included)"
    )


class Measured:
    """Trains tiny networks, and tells what its process holds."""

    evaluator: Any = None

    def __call__(self, job: Job) -> Result:
        """Train a network of 6×5 pixels for an epoch."""
        if self.evaluator is None:
            sys.path[:0] = FOLDERS
            from small import dataset, evaluator

            self.evaluator = evaluator(dataset(), form="whole")
        # Here, because a worker finds it only once the path is set.
        from tiny import held

        result = self.evaluator(job)
        return replace(result, details={**result.details, **held("self")})


def life(candidates: int, every: int) -> None:
    """Train candidates over Ray; print what driver and workers hold from time to time."""
    from small import job_of
    from tiny import held, network

    executor, began = RayExecutor(ExecutorConfig("ray"), OwnEvaluator(Measured())), time.monotonic()
    print(f"{executor.workers} workers")
    submitted = 0
    last: dict[str, dict[str, float]] = {}
    for done in range(1, candidates + 1):
        while submitted < min(candidates, done + executor.workers):
            executor.submit(submitted, job_of(network(submitted)))
            submitted += 1
        _, result = executor.next()
        assert result.status == "ok", result.error
        last[result.worker] = dict(result.details)
        if done % every == 0:
            each = {"driver": held("self"), **dict(sorted(last.items()))}
            told = "; ".join(
                f"{name} {one['megabytes']:.0f} MB {one['threads']:.0f} threads"
                f" {one['files']:.0f} files"
                for name, one in each.items()
            )
            print(f"{done:5} candidates {time.monotonic() - began:6.0f} s  {told}", flush=True)
    executor.close()


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    first = parts.add_parser("driver")
    first.add_argument("--workers", type=int, default=64)
    first.add_argument("--results", type=int, default=3000)
    first.add_argument("--strategy", default="random")
    second = parts.add_parser("life")
    second.add_argument("--candidates", type=int, default=500)
    second.add_argument("--every", type=int, default=50)
    arguments = parser.parse_args()
    if arguments.part == "driver":
        driver(arguments.workers, arguments.results, arguments.strategy)
    else:
        life(arguments.candidates, arguments.every)


if __name__ == "__main__":
    main()
