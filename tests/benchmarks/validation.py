"""What the validation part costs where it is evaluated after every epoch (`train.validate=epoch`).

    python tests/benchmarks/validation.py [--pairs 8] data=digits

The overrides are those of `convbudget run`. One network of half the budget is trained with
`train.validate=end` and `epoch` in turn, after one training of each that compiles.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from rich.console import Console

from search.cli.hydra import compose
from search.engine.evaluator import TrainingEvaluator
from search.networks.arch import Input
from search.runner.images import open_images
from search.spaces.budget_table import tabulate
from search.spaces.stages import build


def main() -> None:
    """Print processor seconds of a training in both ways, and the ratio pair by pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("override", nargs="*")
    parser.add_argument("--pairs", type=int, default=8)
    arguments = parser.parse_args()
    config = compose(arguments.override)
    dataset = open_images(config, Console(stderr=True))
    low, high = config.interval
    chain = build(config.space, Input(*dataset.shape), len(dataset.classes))
    table = tabulate(chain, high)
    rng = np.random.default_rng(0)
    network = table.candidate(table.sample_at(rng, [high / 2], low, high)[0])
    evaluators = [
        TrainingEvaluator(dataset, replace(config.train, validate=when), None)
        for when in ("end", "epoch")
    ]
    seconds = np.empty((arguments.pairs + 1, 2))
    for seed in range(arguments.pairs + 1):
        accuracies = set()
        for column, evaluator in enumerate(evaluators):
            began = time.process_time()
            accuracies.add(evaluator(network.job(config.epochs, seed)).accuracy)
            seconds[seed, column] = time.process_time() - began
        assert len(accuracies) == 1, "the results are the same"
    measured = seconds[1:]
    ratios = measured[:, 1] / measured[:, 0]
    end, epoch = np.median(measured, axis=0)
    print(
        f"{network.multiplies} multiplies, {config.epochs} epochs, {len(dataset.train)} training"
        f" and {len(dataset.validation)} validation images\n"
        f"end {end:.2f} s, epoch {epoch:.2f} s, ratio {np.median(ratios):.2f}"
        f" ({ratios.min():.2f} to {ratios.max():.2f})"
    )


if __name__ == "__main__":
    main()
