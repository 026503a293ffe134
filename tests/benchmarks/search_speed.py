"""Candidates an hour of the default workload: the engine against one stock jit per candidate.

    python tests/benchmarks/search_speed.py [--candidates 12] [--stock 4] [--epochs 10]

Scikit-learn's digits, networks of the space `small` within 200 k multiplies, levels of cost covered
evenly. Both train the same networks, equally long, with the same batches. The engine's figure is
given with and without its first candidates, which compile the programs that the others share. (A
file called `search.py` here would hide the package from every script beside it.)
"""

import argparse
import time
from itertools import pairwise

import numpy as np
from sklearn.datasets import load_digits
from stock import as_dataset, train_stock

from search import spaces as chain
from search.config.space import SpaceConfig
from search.config.train import TrainConfig
from search.engine.evaluator import TrainingEvaluator
from search.jobs import Candidate
from search.networks.arch import Arch, Input
from search.spaces import stages as space


def candidates(count: int) -> list[Arch]:
    """Networks within 200 k multiplies, their costs spread evenly over the logarithm."""
    choices = space.build(SpaceConfig(), Input(8, 8, 1), 10)
    table = chain.tabulate(choices, 200_000)
    generator = np.random.default_rng(0)
    levels = np.geomspace(14_000, 200_000, count + 1)
    found = [
        table.sample(generator, 1, int(low * 0.9), int(high))[0] for low, high in pairwise(levels)
    ]
    return [choices.value(found[i]) for i in generator.permutation(count)]


def main() -> None:
    """Print both figures and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=12)
    parser.add_argument("--stock", type=int, default=4, help="of them, trained by the stock loop")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.04)
    options = parser.parse_args()
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    data = as_dataset("digits", images[:1437], digits.target[:1437], 287, 10)
    archs = candidates(options.candidates)
    config = TrainConfig(batch=options.batch, learning_rate=options.rate)
    began = time.perf_counter()
    evaluator = TrainingEvaluator(data, config, None)
    results = []
    jobs = [Candidate.of(arch).job(options.epochs) for arch in archs]
    for job, coming in zip(jobs, [*jobs[1:], None], strict=True):
        if coming is not None:
            evaluator.prepare(coming)
        results.append(evaluator(job))
    total = time.perf_counter() - began
    late = results[min(10, len(results) // 2) :]
    waited = sum(result.details["compile_seconds"] for result in late)
    seconds = sum(result.seconds for result in late)
    began = time.perf_counter()
    stock = [train_stock(arch, data, config, options.epochs, 0) for arch in archs[: options.stock]]
    naive = (time.perf_counter() - began) / options.stock
    ours = total / len(archs)
    accuracies = [result.accuracy for result in results]
    print(f"engine: {3600 / ours:.0f} candidates/h over {len(archs)} from a cold start")
    print(f"        {3600 * len(late) / seconds:.0f}/h over the last {len(late)},")
    print(f"        which waited for compilation {waited / seconds:.0%} of their time")
    print(f"stock:  {3600 / naive:.0f} candidates/h over {options.stock}")
    print(f"ratio:  {naive / ours:.1f} from cold, {naive * len(late) / seconds:.1f} then")
    print(
        f"accuracy of the first {options.stock}: engine {np.mean(accuracies[: options.stock]):.4f},"
    )
    print(f"        stock {np.mean(stock):.4f}; best of all {max(accuracies):.4f}")


if __name__ == "__main__":
    main()
