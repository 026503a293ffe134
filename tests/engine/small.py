"""Small data and architectures for the engine's tests."""

import numpy as np

from search.config.train import TrainConfig
from search.data.dataset import Augment, Dataset, Split
from search.engine.evaluator import TrainingEvaluator
from search.jobs import Candidate, Job
from search.networks.arch import Arch, Block, Head, Input, Stem

EVERY_OP = Arch(
    Input(6, 5, 1),
    Stem(4, 3, 1, 2),
    (
        Block("conv", 5, 1),
        Block("separable", 5, 3, skip=True),
        Block("inverted", 5, 3, 1, 2, skip=True),
        Block("basic", 8, 3, 2),
        Block("basic", 8, 3),
    ),
    Head(6),
    3,
    "swish",
)
SMALL = Arch(Input(6, 5, 1), Stem(4), (Block("separable", 6, 3, 2),), Head(), 3)
OTHER = Arch(Input(6, 5, 1), Stem(5), (Block("conv", 6, 3, 2),), Head(), 3, "relu6")
# The fewest programs, where many processes or devices each compile their own.
TINY = Arch(Input(6, 5, 1), Stem(4), (), Head(), 3)
ARCHS = {"tiny": TINY, "every": EVERY_OP, "small": SMALL, "other": OTHER}


def dataset(
    count: int = 50, held_out: int = 13, *, size=(6, 5, 1), classes: int = 3, **augment
) -> Dataset:
    """Random images whose brightness tells their class."""
    generator = np.random.default_rng(0)

    def split(n: int) -> Split:
        labels = generator.integers(0, classes, n).astype(np.int32)
        low = (labels * (180 // classes))[:, None, None, None]
        images = (low + generator.integers(0, 60, (n, *size))).astype(np.uint8)
        return Split(images, labels, str(n))

    channels = size[2]
    return Dataset(
        "random",
        split(count),
        split(held_out),
        tuple(map(str, range(classes))),
        (0.4,) * channels,
        (0.25,) * channels,
        Augment(**augment),
    )


def evaluator(data: Dataset | None = None, checkpoints=None, **settings):
    """An evaluator for small data."""
    return TrainingEvaluator(data or dataset(), train_config(**settings), checkpoints)


def train_config(**settings) -> TrainConfig:
    """Training settings for small data."""
    return TrainConfig(**{"batch": 16, "learning_rate": 0.02, "form": "layers", **settings})


def job_of(name: str | Arch, epochs: int = 1, seed: int = 0) -> Job:
    """A job that trains one of ARCHS, or another network."""
    arch = ARCHS[name] if isinstance(name, str) else name
    found = Candidate.of(arch)
    return Job(found.options, epochs, seed, found)
