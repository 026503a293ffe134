"""Reads and drops what trainings left in checkpoints; no JAX, so that no device is opened."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.engine.checkpoints import Arrays, CheckpointKey, Checkpoints
from search.errors import UserError
from search.jobs import Job

Tree = dict[str, dict[str, Any]]
CLASSIFIER = "classifier"
# Where a file keeps the final arrays.
FINAL = "final"
_LEAF = re.compile(rf"{FINAL}\.(parameters|statistics)\['(.+)'\]\['(\w+)'\]")


class KeptTrainings:
    """The checkpoints of a study's trainings, for those who want the weights."""

    def __init__(self, store: Checkpoints) -> None:
        self._store = store

    @classmethod
    def of_workers(cls, folder: Path) -> "KeptTrainings":
        """Return those that worker processes write to `folder`, on whatever devices."""
        return cls(Checkpoints(folder, None))

    def weights(self, job: Job) -> dict[str, NDArray[Any]]:
        """Return the final weights of a finished job, named as in `search.build`'s module.

        Raises `UserError` where its checkpoint is not there.
        """
        arrays = self._store.read(key_of(job))
        found = {} if arrays is None else _final_weights(arrays)
        if not found:
            raise UserError(
                f"{job.candidate.id} has no checkpoint of {job.epochs} epochs with seed {job.seed};"
                " train it again to get its weights"
            )
        return found

    def keep(self, jobs: Iterable[Job]) -> None:
        """Delete every checkpoint that these jobs neither are nor can go on from."""
        self._store.keep([key_of(job) for job in jobs])


def key_of(job: Job) -> CheckpointKey:
    """Return whose checkpoint that of a finished job is."""
    return CheckpointKey(job.candidate.id, job.seed, job.epochs)


def named(parameters: Tree, statistics: Tree) -> dict[str, NDArray[Any]]:
    """Return weights and statistics, named as in the nnx module of the same Arch."""
    found: dict[str, NDArray[Any]] = {}
    for tree in (parameters, statistics):
        for path, values in tree.items():
            normal = "norm." if path != CLASSIFIER else ""
            for leaf, value in values.items():
                part = leaf if leaf == "kernel" else f"{normal}{leaf}"
                found[f"{path}.{part}"] = np.asarray(value)
    return found


def _final_weights(arrays: Arrays) -> dict[str, NDArray[Any]]:
    trees: dict[str, Tree] = {"parameters": {}, "statistics": {}}
    for name, value in arrays.items():
        if leaf := _LEAF.fullmatch(name):
            trees[leaf[1]].setdefault(leaf[2], {})[leaf[3]] = value
    return named(**trees)
