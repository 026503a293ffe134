"""The weights of a found model, in one file that says what it needs to predict."""

import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from search.errors import UserError
from search.files import canonical_json
from search.networks.arch import Arch, from_json, to_json
from search.networks.cost import cost_of, multiplies_of
from search.study.checks import (
    LARGEST,
    Damaged,
    integer,
    mapping,
    member,
    number,
    parsed,
    reading,
    refusal,
    sequence,
    string,
)
from search.study.study import StudyInfo
from search.study.trials import FrontEntry
from search.units import counted

FORMAT = "convbudget-weights/1"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Measured:
    """How a model was trained, and on what its accuracy was measured.

    `part` is that part of the data, `validation`, `confirmation` or `test`; `epochs` and `seed` are
    of the training whose weights are kept; `seeds` is the number of trainings whose mean the
    accuracy is, and `accuracy_std` their standard deviation, None for one. `details` are further
    figures on that part by name, such as `balanced_accuracy`. `epochs` is None where an older file
    doesn't say.
    """

    part: str = "validation"
    epochs: int | None = None
    seed: int | None = None
    seeds: int = 1
    accuracy_std: float | None = None
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Packed:
    """A model in the file `path`: its Arch, its arrays by name, and `StudyInfo.data` of its study.

    `data` holds `name`, `classes` (`arch.classes` of them), `mean` and `std` (a number for each
    channel); `accuracy` is on the part that `measured` names, `multiplies` for one image. The
    names and shapes of the arrays stand in `search/networks/ARCH_FORMAT.md`.
    """

    path: Path
    arch: Arch
    arrays: Arrays
    data: Mapping[str, Any]
    accuracy: float
    multiplies: int
    measured: Measured = Measured()


def packed_of(
    arrays: Mapping[str, NDArray[Any]],
    row: FrontEntry,
    data: Mapping[str, Any],
    path: Path,
    part: str = "validation",
) -> Packed:
    """Return a front's member with its arrays; `data` is `StudyInfo.data`, `path` its file's.

    `part` is the part of the data that the row's accuracy is on.
    """
    return Packed(
        path,
        from_json(row.value),
        dict(arrays),
        data,
        row.accuracy,
        row.multiplies,
        measured_of(row, part),
    )


def measured_of(row: FrontEntry, part: str = "validation") -> Measured:
    """Return how a member of a front was trained and measured."""
    balanced = row.balanced_accuracy
    return Measured(
        part=part,
        epochs=row.epochs,
        seed=row.seed,
        seeds=row.seeds,
        accuracy_std=None if math.isnan(row.accuracy_std) else row.accuracy_std,
        details={} if math.isnan(balanced) else {"balanced_accuracy": balanced},
    )


def pack(
    arrays: Mapping[str, NDArray[Any]],
    row: FrontEntry,
    info: StudyInfo,
    part: str = "validation",
) -> bytes:
    """Return the safetensors file of a front's member, with all that prediction needs.

    `part` is the part of the data that the row's accuracy is on.
    """
    return to_bytes(packed_of(arrays, row, info.data, Path(), part))


def to_bytes(packed: Packed) -> bytes:
    """Return the safetensors file of a model, with all that prediction needs; `unpack` reads it."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in packed.arrays.items()}
    measured = packed.measured
    metadata = {
        "format": FORMAT,
        "arch": to_json(packed.arch),
        "data": canonical_json(dict(packed.data)),
        "accuracy": repr(packed.accuracy),
        "multiplies": str(packed.multiplies),
        "training": _training(measured.epochs, measured.seed),
        "measured": canonical_json(asdict(measured)),
    }
    metadata["checksum"] = _checksum(metadata, contiguous)
    return save(contiguous, metadata)


def holds(path: Path, row: FrontEntry) -> bool:
    """Return whether the file is there and its weights and accuracy are those of `row`."""
    from safetensors import safe_open

    if not path.exists():
        return False
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError):
        return False
    # Earlier versions wrote 1 epochs.
    trainings = (_training(row.epochs, row.seed), f"{row.epochs} epochs, seed {row.seed}")
    return metadata.get("training") in trainings and metadata.get("accuracy") == repr(row.accuracy)


def kind_of_weights(packed: Packed) -> str:
    """Return `final` if the accuracy is on the test split, which retraining alone reads."""
    return "final" if packed.measured.part == "test" else "search"


def _training(epochs: int | None, seed: int | None) -> str:
    """What tells the trainings of one architecture apart."""
    length = "unknown epochs" if epochs is None else counted(epochs, "epoch")
    return f"{length}, seed {seed}"


def unpack(path: Path, fix: str = "run the study's command again") -> Packed:
    """Read a file of `pack`; raises `UserError` where it is missing, damaged or something else.

    `fix` is what the error tells the user to do.
    """
    # Imported here, because only this needs the lower half of the library.
    from safetensors import safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # Of types that NumPy lacks, such as bfloat16, it is an AttributeError or a TypeError.
    except (OSError, SafetensorError, AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read ({reason:.200}); {fix}") from None
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path} was not written by convbudget ({FORMAT}); name a study's weights")
    with reading(path, fix):
        # Files of the first version have none.
        if "checksum" in metadata and metadata["checksum"] != _checksum(metadata, arrays):
            raise Damaged("it was changed: its checksum is wrong")
        arch = from_json(member(metadata, "arch", "metadata"), str(path))
        price = integer(
            parsed(member(metadata, "multiplies", "metadata"), "multiplies"), "multiplies"
        )
        if price != multiplies_of(arch):
            raise Damaged(f"multiplies is {price}; its architecture costs {multiplies_of(arch)}")
        accuracy = parsed(member(metadata, "accuracy", "metadata"), "accuracy")
        data = parsed(member(metadata, "data", "metadata"), "data")
        packed = Packed(
            path,
            arch,
            arrays,
            _checked_data(data, arch),
            number(accuracy, "accuracy"),
            price,
            _checked_measured(metadata),
        )
        _check_size(packed)
        return packed


def _check_size(packed: Packed) -> None:
    """Refuse an architecture far larger than the file, before anything is built of it."""
    numbers = sum(array.size for array in packed.arrays.values())
    params = cost_of(packed.arch).params
    if numbers < params:
        raise Damaged(f"it holds {numbers} numbers; its architecture has {params} parameters")


def _checked_data(values: object, arch: Arch) -> dict[str, Any]:
    """Check the names of classes and the normalisation against the network they belong to."""
    data = mapping(values, "data")
    string(member(data, "name", "data"), "data.name")
    classes = sequence(member(data, "classes", "data"), "data.classes")
    if len(classes) != arch.classes or not all(isinstance(name, str) for name in classes):
        raise refusal(classes, "data.classes", f"must be the {arch.classes} names of the classes")
    for key, low in (("mean", -math.inf), ("std", 0.0)):
        values = sequence(member(data, key, "data"), f"data.{key}")
        if len(values) != arch.input.channels:
            raise refusal(values, f"data.{key}", f"must hold {arch.input.channels} numbers")
        for value in values:
            if not number(value, f"data.{key}", low) > low:
                raise refusal(values, f"data.{key}", "must hold numbers above 0")
    return data


def _checked_measured(metadata: Mapping[str, str]) -> Measured:
    """Read what `to_bytes` wrote; files of the first version have nothing but a default."""
    if "measured" not in metadata:
        return Measured()
    values = mapping(parsed(metadata["measured"], "measured"), "measured")

    def optional(key: str) -> int | None:
        value = values.get(key)
        return None if value is None else integer(value, f"measured.{key}", -LARGEST)

    spread, details = values.get("accuracy_std"), mapping(values.get("details", {}), "details")
    return Measured(
        part=string(member(values, "part", "measured"), "measured.part"),
        epochs=optional("epochs"),
        seed=optional("seed"),
        seeds=integer(member(values, "seeds", "measured"), "measured.seeds", 1),
        accuracy_std=None if spread is None else number(spread, "measured.accuracy_std", 0),
        details={key: number(value, f"details.{key:.60}") for key, value in details.items()},
    )


def _checksum(metadata: Mapping[str, str], arrays: Arrays) -> str:
    """Return the CRC-32 of all that a file says, as hexadecimal digits."""
    words = {key: text for key, text in metadata.items() if key != "checksum"}
    shapes = {name: [str(array.dtype), array.shape] for name, array in arrays.items()}
    total = zlib.crc32(canonical_json([words, shapes]).encode())
    for name in sorted(arrays):
        total = zlib.crc32(np.ascontiguousarray(arrays[name]).tobytes(), total)
    return f"{total:08x}"
