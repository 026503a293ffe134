"""Fashion-MNIST: the same three networks trained by the engine and by the stock loop.

    python tests/benchmarks/accuracy.py --data FOLDER [--images 6000] [--epochs 2] [--seeds 3]

FOLDER holds `train-images-idx3-ubyte.gz` and `train-labels-idx1-ubyte.gz` (Debian's package
dataset-fashion-mnist), or is an .npz file with `images` and `labels`. Speed must not be bought with
accuracy: the means over seeds must lie within the seeds' own deviation of each other.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
from stock import as_dataset, networks, train_stock

from search.config.train import TrainConfig
from search.engine.evaluator import TrainingEvaluator
from search.jobs import Candidate


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 28, 28, 1] and labels."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return file["images"].reshape(-1, 28, 28, 1), file["labels"]
    parts = []
    for name, header in (("train-images-idx3-ubyte.gz", 16), ("train-labels-idx1-ubyte.gz", 8)):
        with gzip.open(path / name) as file:
            parts.append(np.frombuffer(file.read(), np.uint8, offset=header))
    return parts[0].reshape(-1, 28, 28, 1), parts[1]


def main() -> None:
    """Print mean and deviation of both for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--held-out", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--nets", nargs="+", default=["conv", "separable", "mixed"])
    options = parser.parse_args()
    images, labels = read(options.data)
    count = options.images + options.held_out
    data = as_dataset("fashion", images[:count], labels[:count], options.held_out, 10)
    nets = networks(28, 1)
    config = TrainConfig(batch=options.batch)
    evaluator = TrainingEvaluator(data, config, None)
    print("net         engine          stock           difference")
    for name in options.nets:
        seeds = range(options.seeds)
        ours = [
            evaluator(Candidate.of(nets[name]).job(options.epochs, seed)).accuracy for seed in seeds
        ]
        theirs = [train_stock(nets[name], data, config, options.epochs, seed) for seed in seeds]
        print(
            f"{name:10} {np.mean(ours):.4f} ± {np.std(ours):.4f}"
            f" {np.mean(theirs):.4f} ± {np.std(theirs):.4f} {np.mean(ours) - np.mean(theirs):+.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
