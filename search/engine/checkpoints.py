"""Checkpoints: one .npz file for each finished job, written whole or not at all."""

import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
_NAME = re.compile(r"([0-9a-f]{12})-s(\d+)-e(\d+)\.npz")


@dataclass(frozen=True)
class CheckpointKey:
    """Whose checkpoint it is: an architecture's id, a seed, the epochs of the finished job."""

    arch_id: str
    seed: int
    epochs: int

    @property
    def filename(self) -> str:
        """Name of the file in the checkpoints' folder."""
        return f"{self.arch_id}-s{self.seed}-e{self.epochs}.npz"


class Checkpoints:
    """A folder of checkpoints that all belong to one data set and one set of settings.

    A file that was written under another `signature` counts as absent.
    """

    def __init__(self, folder: Path, signature: str) -> None:
        self.folder, self._signature = folder, signature

    def write(self, place: CheckpointKey, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a checkpoint whole: under another name first, renamed when it is on the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, signature=np.array(self._signature), **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.folder / place.filename)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def read(self, place: CheckpointKey) -> Arrays | None:
        """Return the arrays, or None where there is no whole file of the same settings."""
        try:
            # Opened here: of a file cut short, NumPy would leave the handle open.
            path = self.folder / place.filename
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                if str(file["signature"]) != self._signature:
                    return None
                return {name: file[name] for name in file.files if name != "signature"}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def places(self) -> list[CheckpointKey]:
        """Every checkpoint in the folder, whatever it was written under."""
        try:
            found = [_NAME.fullmatch(path.name) for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(
            (CheckpointKey(m[1], int(m[2]), int(m[3])) for m in found if m),
            key=lambda p: (p.arch_id, p.seed, p.epochs),
        )

    def longest(self, place: CheckpointKey) -> list[CheckpointKey]:
        """Checkpoints of the same architecture and seed that are no longer, the longest first."""
        same = [p for p in self.places() if (p.arch_id, p.seed) == (place.arch_id, place.seed)]
        return sorted((p for p in same if p.epochs <= place.epochs), key=lambda p: -p.epochs)

    def keep(self, places: Iterable[CheckpointKey]) -> None:
        """Delete all but those of `places`, and for each the longest from which it can go on."""
        needed: set[CheckpointKey] = set()
        for place in places:
            needed |= set(self.longest(place)[:1])
        for place in self.places():
            if place not in needed:
                (self.folder / place.filename).unlink(missing_ok=True)
