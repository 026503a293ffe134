"""What stands before a search starts: the data, and the space for images of its shape."""

from dataclasses import dataclass
from typing import Any

from search.config.run import RunConfig
from search.data.dataset import Dataset
from search.data.open import open_dataset
from search.networks.arch import Input
from search.report.loading import Loading
from search.spaces.chain import Chain
from search.spaces.stages import build


@dataclass(frozen=True, eq=False)
class Ground:
    """A data set, and the chain of decisions for its shape and classes."""

    dataset: Dataset
    chain: Chain

    def info(self) -> dict[str, Any]:
        """Return what a stored model needs to predict: names of classes, normalisation, shape."""
        dataset = self.dataset
        return {
            "name": dataset.name,
            "shape": list(dataset.shape),
            "classes": list(dataset.classes),
            "mean": list(dataset.mean),
            "std": list(dataset.std),
        }

    def fingerprints(self) -> dict[str, str]:
        """Return what tells whether a study goes on with the same images."""
        dataset = self.dataset
        return {"train": dataset.train.fingerprint, "validation": dataset.validation.fingerprint}

    def text(self) -> str:
        """Say what the data is, on one line."""
        height, width, channels = self.dataset.shape
        return (
            f"data: {self.dataset.name}, {len(self.dataset.train):,} training and"
            f" {len(self.dataset.validation):,} validation images of {height}x{width}x{channels},"
            f" {len(self.dataset.classes)} classes"
        )


def lay(config: RunConfig) -> Ground:
    """Open the data and build the space for it; raises `UserError` for what cannot be had."""
    with Loading() as loading:
        dataset = open_dataset(
            config.data, seed=config.seed, progress=loading.progress, say=loading.say
        )
    chain = build(config.space, Input(*dataset.shape), len(dataset.classes))
    return Ground(dataset, chain)
