"""The weights of a found model, in one file that says what it needs to predict."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from search.errors import UserError
from search.jobs import Job
from search.networks.arch import Arch, from_json
from search.study.study import Study, StudyInfo
from search.study.trials import FrontEntry

FORMAT = "convbudget-weights/1"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Packed:
    """A model on the disk: its Arch, its arrays by name, and what `facts.data` says of its data.

    `accuracy` is on the validation part, `multiplies` for one image.
    """

    arch: Arch
    arrays: Arrays
    data: Mapping[str, Any]
    accuracy: float
    multiplies: int


def pack(arrays: Mapping[str, NDArray[Any]], row: FrontEntry, info: StudyInfo) -> bytes:
    """Return the safetensors file of a front's member."""
    metadata = {
        "format": FORMAT,
        "arch": row.value,
        "data": json.dumps(dict(info.data)),
        "accuracy": repr(row.accuracy),
        "multiplies": str(row.multiplies),
        "training": _training(row),
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(contiguous, metadata)


def holds(path: Path, row: FrontEntry) -> bool:
    """Say whether the file is there and its weights and accuracy are those of `row`."""
    from safetensors import safe_open

    if not path.exists():
        return False
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError):
        return False
    wanted = {"training": _training(row), "accuracy": repr(row.accuracy)}
    return all(metadata.get(key) == value for key, value in wanted.items())


def _training(row: FrontEntry) -> str:
    """What tells the trainings of one architecture apart."""
    return f"{row.epochs} epochs, seed {row.seed}"


def unpack(path: Path) -> Packed:
    """Read a file of `pack`; raises `UserError` where it is missing, damaged or something else."""
    # Imported here, because only this needs the lower half of the library.
    from safetensors import safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read ({error}); run the study's command again") from None
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path} is not written by convbudget ({FORMAT}); name a study's weights")
    return Packed(
        from_json(metadata["arch"], str(path)),
        arrays,
        json.loads(metadata["data"]),
        float(metadata["accuracy"]),
        int(metadata["multiplies"]),
    )


def leave_weights(
    study: Study,
    found: Sequence[FrontEntry],
    weights: Callable[[Job], Arrays],
    tell: Callable[[str], None],
) -> None:
    """Leave the weights of the front, and of nothing else, in the study's folder.

    `weights` returns those of a finished job, and raises `UserError` where its checkpoint is gone;
    then `tell` gets a line, for that is no reason to withhold the front.
    """
    if study.folder is None:
        return
    folder = study.folder / "weights"
    wanted = {f"{row.arch_id}.safetensors": row for row in found}
    for name, row in wanted.items():
        if holds(folder / name, row):
            continue
        try:
            arrays = weights(row.job)
        except UserError as error:
            tell(f"no weights/{name}: {error}")
            continue
        study.write(f"weights/{name}", pack(arrays, row, study.info))
    for path in folder.glob("*.safetensors"):
        if path.name not in wanted:
            path.unlink()
