"""Checkpoints: .npz files of finished and of unfinished jobs, written whole or not at all."""

import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.files import writing

Arrays = dict[str, NDArray[Any]]
_NAME = re.compile(r"([0-9a-f]{12})-s(\d+)-e(\d+)(-partial)?\.npz")


@dataclass(frozen=True)
class CheckpointKey:
    """Whose checkpoint it is: a candidate's id, and the seed and the epochs of its job.

    `partial`: the job has not come to its end; the checkpoint holds a stable phase alone.
    """

    arch_id: str
    seed: int
    epochs: int
    partial: bool = False

    @property
    def filename(self) -> str:
        """Name of the file in the checkpoints' folder."""
        partial = "-partial" if self.partial else ""
        return f"{self.arch_id}-s{self.seed}-e{self.epochs}{partial}.npz"


class Checkpoints:
    """A folder of checkpoints that all belong to one data set and one set of settings.

    A file that was written under another `signature` counts as absent; with None, for readers,
    none does. Several processes may write here at once; what older versions left half-written is
    deleted.
    """

    def __init__(self, folder: Path, signature: str | None) -> None:
        self.folder, self._signature = folder, signature
        for left in folder.glob(".*.part"):
            left.unlink(missing_ok=True)

    def write(self, place: CheckpointKey, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a checkpoint whole: under another name first, renamed when it is on the disk.

        That of a finished job takes the place of its partial one.
        """
        assert self._signature is not None, "a reader"
        with writing(self.folder / place.filename) as file:
            np.savez(file, allow_pickle=False, signature=np.array(self._signature), **arrays)
        if not place.partial:
            (self.folder / replace(place, partial=True).filename).unlink(missing_ok=True)

    def read(self, place: CheckpointKey) -> Arrays | None:
        """Return the arrays, or None where there is no whole file of the same settings."""
        try:
            # Opened here: of a file cut short, NumPy would leave the handle open.
            path = self.folder / place.filename
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                if self._signature not in (None, str(file["signature"])):
                    return None
                return {name: file[name] for name in file.files if name != "signature"}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def places(self) -> list[CheckpointKey]:
        """Return every checkpoint in the folder, of any signature, in one reading."""
        try:
            found = [_NAME.fullmatch(name) for name in os.listdir(self.folder)]
        except FileNotFoundError:
            return []
        keys = [CheckpointKey(m[1], int(m[2]), int(m[3]), bool(m[4])) for m in found if m]
        return sorted(keys, key=astuple)

    def longest(self, place: CheckpointKey) -> list[CheckpointKey]:
        """Return those that a job can go on from: its own and shorter ones, the longest first."""
        return _at_most(place, _by_training(self.places()).get(_training(place), []))

    def keep(self, places: Iterable[CheckpointKey]) -> None:
        """Delete all but those of `places`, and for each the longest from which it can go on.

        Partial ones stay until their job has ended: it may be the one that runs.
        """
        there = self.places()
        trainings = _by_training(place for place in there if not place.partial)
        needed = {
            found
            for place in places
            for found in _at_most(place, trainings.get(_training(place), []))[:1]
        }
        for place in there:
            if not place.partial and place not in needed:
                (self.folder / place.filename).unlink(missing_ok=True)


def _training(place: CheckpointKey) -> tuple[str, int]:
    return place.arch_id, place.seed


def _by_training(places: Iterable[CheckpointKey]) -> dict[tuple[str, int], list[CheckpointKey]]:
    found: dict[tuple[str, int], list[CheckpointKey]] = {}
    for place in places:
        found.setdefault(_training(place), []).append(place)
    return found


def _at_most(place: CheckpointKey, same: Iterable[CheckpointKey]) -> list[CheckpointKey]:
    """Those of `same` that are no longer than `place`, the longest first, finished before not."""
    shorter = [one for one in same if one.epochs <= place.epochs]
    return sorted(shorter, key=lambda one: (-one.epochs, one.partial))
