"""What soft labels of a larger teacher give a small network on a part of Fashion-MNIST.

    python tests/benchmarks/distillation.py data.dir=FOLDER

Trains a teacher, then a student with and without its soft labels, from the same seeds and on the
same images, and prints accuracies on images that neither saw. The official test split is not read.
"""

import sys
from statistics import fmean, stdev

import numpy as np

from search.cli.hydra import compose
from search.config.train import TrainConfig
from search.data.dataset import Dataset, Split
from search.data.open import open_dataset
from search.engine.distillation import Distillation, SoftLabels
from search.engine.evaluator import TrainingEvaluator
from search.engine.predict import logits
from search.engine.trainer import Trainer
from search.jobs import Candidate
from search.networks.arch import Arch, Block, Head, Input, Stem

IMAGES, HELD_OUT, EPOCHS, SEEDS = 4000, 4000, 20, 5
SETTINGS = TrainConfig(batch=64, learning_rate=0.01)
SHAPE = Input(28, 28, 1)


def network(width: int) -> Arch:
    """A network of three stages, `width` channels in the first."""
    blocks = tuple(Block("conv", width * scale, 3, 2) for scale in (1, 2, 4))
    return Arch(SHAPE, Stem(width, stride=2), blocks, Head(), 10)


def part(split: Split, count: int) -> Split:
    """The first images of a part."""
    return Split(np.asarray(split.images[:count]), split.labels[:count], f"{count}")


def main() -> None:
    """Print a line for the teacher and one for each way to train the student."""
    import jax

    data = open_dataset(compose(["data=fashion_mnist", *sys.argv[1:]]).data, seed=0)
    mean, std = data.mean, data.std
    small = Dataset(
        data.name,
        part(data.train, IMAGES),
        part(data.validation, HELD_OUT),
        data.classes,
        mean,
        std,
    )
    teacher, student = network(24), network(4)
    trainer = Trainer(small, SETTINGS, jax.local_devices()[0])
    fitted = trainer.fit(teacher, EPOCHS, 1)
    from search.engine.state import weights_of

    (known,) = logits(teacher, [weights_of(fitted.state)], small.train.images, mean, std)
    print(f"teacher {Candidate.of(teacher).multiplies:,} multiplies: {fitted.scores.accuracy:.4f}")
    cost = Candidate.of(student)
    plain: list[float] = []
    for temperature, weight in ((None, None), (1, 0.5), (2, 0.9), (4, 0.5), (4, 0.9)):
        soft = None
        if temperature is not None:
            soft = SoftLabels.of(known, Distillation(temperature, weight))
        evaluator = TrainingEvaluator(small, SETTINGS, None, soft=soft)
        found = [evaluator(cost.job(EPOCHS, seed)).accuracy for seed in range(SEEDS)]
        plain = plain or found
        gains = [one - before for one, before in zip(found, plain, strict=True)]
        said = "without" if soft is None else f"T={temperature} weight={weight}"
        print(
            f"student {cost.multiplies:,} multiplies, {said}: {fmean(found):.4f}"
            f" ± {stdev(found):.4f}, gain {fmean(gains):+.4f} ± {stdev(gains):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
