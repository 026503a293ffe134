"""What settings of training reach, on networks at even levels of cost within the budget.

    python tests/benchmarks/settings.py [--networks 12] [--seeds 2] data=digits \\
        --try epochs=10 --try epochs=15 train.batch=64 train.learning_rate=0.08

The overrides are those of `convbudget run`; what follows a `--try` is added to the ones before the
first. All are trained on the same networks, seeds and split.
"""

import argparse
import time

import numpy as np
from rich.console import Console

from search.cli.hydra import compose
from search.engine.evaluator import TrainingEvaluator
from search.networks.arch import Input
from search.runner.images import open_images
from search.spaces.budget_table import tabulate
from search.spaces.stages import build


def accuracies(overrides: list[str], networks: int, seeds: int) -> np.ndarray:
    """Validation accuracies [networks, seeds] with these settings, cheapest network first."""
    config = compose(overrides)
    dataset = open_images(config, Console(stderr=True))
    chain = build(config.space, Input(*dataset.shape), len(dataset.classes))
    table = tabulate(chain, config.interval[1])
    low, high = np.log([table.cheapest()[0], config.interval[1]])
    levels = np.exp(np.linspace(low, high, networks))
    encodings = table.sample_at(np.random.default_rng(0), levels.tolist(), *config.interval)
    evaluator = TrainingEvaluator(dataset, config.train, None)
    found = [table.candidate(options) for options in encodings]
    jobs = [[one.job(config.epochs, seed) for seed in range(seeds)] for one in found]
    return np.array([[evaluator(job).accuracy for job in row] for row in jobs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("override", nargs="*")
    parser.add_argument("--try", nargs="+", action="append", required=True, dest="tries")
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    print(
        "mean accuracy; cheapest, middle and most_expensive third; deviation of seeds; seconds each"
    )
    for tried in arguments.tries:
        began = time.perf_counter()
        found = accuracies([*arguments.override, *tried], arguments.networks, arguments.seeds)
        seconds = (time.perf_counter() - began) / found.size
        thirds = " ".join(f"{part.mean():.4f}" for part in np.array_split(found, 3))
        deviation = found.std(1, ddof=min(1, arguments.seeds - 1)).mean()
        print(
            f"{found.mean():.4f}  {thirds}  {deviation:.4f}  {seconds:5.1f}  {' '.join(tried)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
