"""What a worker in another process needs, to evaluate jobs as the searching process would."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from search.config.data import DataConfig
from search.config.train import TrainConfig
from search.data.dataset import Dataset
from search.data.everything import everything
from search.data.open import open_dataset
from search.errors import UserError
from search.executors.malloc import keep_memory_for
from search.jobs import Evaluator, Job


class Work(Protocol):
    """What is sent to a worker, by pickle: it makes the evaluator there."""

    def evaluator(self) -> Evaluator | Callable[[Job], float]:
        """Return what evaluates jobs; called once in each worker."""


@dataclass(frozen=True)
class OwnEvaluator:
    """An evaluator of the user's own, sent as it is."""

    given: Evaluator | Callable[[Job], float]

    def evaluator(self) -> Evaluator | Callable[[Job], float]:
        """Return it."""
        return self.given


@dataclass(frozen=True)
class WorkerSpec:
    """The evaluator of a search in plain values, which can be sent anywhere.

    `data`, `seed` and `confirm_fraction` say which images, `train` how to train, `confirming`
    whether scores are on the confirmation part instead of the validation part; `fingerprints` are
    those of the search's own parts; `checkpoints`: the folder for them, which other workers may
    share, None to keep nothing; `programs`: that for compiled programs, as in `TrainingEvaluator`;
    `whole`: whether to train on all images but the test part, as finals do.
    """

    data: DataConfig
    train: TrainConfig
    seed: int
    confirm_fraction: float
    confirming: bool
    fingerprints: Mapping[str, str]
    checkpoints: Path | None
    programs: str | None = ""
    whole: bool = False

    def anywhere(self) -> "WorkerSpec":
        """Return the same with absolute paths, for a worker with another working directory."""
        names = ("path", "dir", "cache")
        paths = {name: os.path.expanduser(getattr(self.data, name)) for name in names}
        absolute = {name: os.path.abspath(path) for name, path in paths.items() if path}
        checkpoints = None if self.checkpoints is None else self.checkpoints.absolute()
        return replace(self, data=replace(self.data, **absolute), checkpoints=checkpoints)

    def dataset(self) -> Dataset:
        """Open the data; raises `UserError` where this machine's is not the search's."""
        dataset = open_dataset(self.data, seed=self.seed, confirm_fraction=self.confirm_fraction)
        if self.whole:
            dataset = everything(dataset)
        parts = {
            "train": dataset.train,
            "validation": dataset.validation,
            "confirmation": dataset.confirmation,
        }
        for name, expected in self.fingerprints.items():
            part = parts[name]
            if part is None or part.fingerprint != expected:
                raise UserError(
                    f"the {name} images here are not those of the search; give every worker the"
                    " same data (data.dir=, data.path=) and the same versions"
                )
        return dataset

    def evaluator(self, dataset: Dataset | None = None) -> Evaluator:
        """Return what trains on `dataset`, by default on what `dataset()` opens; imports JAX."""
        dataset = self.dataset() if dataset is None else dataset
        keep_memory_for(self.train.batch, *dataset.shape[:2])
        from search.engine.evaluator import TrainingEvaluator

        evaluator = TrainingEvaluator(dataset, self.train, self.checkpoints, programs=self.programs)
        if not self.confirming or dataset.confirmation is None:
            return evaluator
        return evaluator.scored_on(dataset.confirmation, self.checkpoints)
