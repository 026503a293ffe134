"""Known networks trained as the candidates were: landmarks beside the front, never trials."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast, get_args

from search.files import finite
from search.jobs import Status
from search.study.checks import (
    cells_of,
    choice,
    identifier,
    integer,
    mapping,
    number,
    number_or_nan,
    string,
)

# The kind of its records in a study; each has the network's name as key.
KIND = "landmark"


@dataclass(frozen=True)
class Landmark:
    """One network of the zoo with what its training measured on the validation part.

    `width`: factor on its channels; `multiplies` for one image; `params`: trainable scalars;
    `accuracy`, `balanced_accuracy` and `loss` NaN where it failed or they are unknown or not
    finite, `error` the reason of a failure; `seconds` of training.
    """

    name: str
    width: float
    arch_id: str
    multiplies: int
    params: int
    accuracy: float
    balanced_accuracy: float
    loss: float
    epochs: int
    seed: int
    seconds: float
    status: Status
    error: str

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that a study and `front.json` keep; null for NaN and infinity."""
        return {key: finite(value) for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: object, where: str) -> "Landmark":
        """Undo `as_json`; raises `Damaged`, naming `where`, for anything else."""
        row = mapping(values, where)
        cell = cells_of(row, where)

        return cls(
            name=string(*cell("name")),
            width=number(*cell("width"), 0),
            arch_id=identifier(*cell("arch_id")),
            multiplies=integer(*cell("multiplies")),
            params=integer(*cell("params")),
            accuracy=number_or_nan(*cell("accuracy")),
            balanced_accuracy=number_or_nan(*cell("balanced_accuracy")),
            loss=number_or_nan(*cell("loss")),
            epochs=integer(*cell("epochs"), 1),
            seed=integer(*cell("seed")),
            seconds=number(*cell("seconds"), 0),
            status=cast(Status, choice(*cell("status"), get_args(Status))),
            error=string(*cell("error")),
        )


def read_landmarks(records: Mapping[str, Any]) -> list[Landmark]:
    """Return the landmarks that a study recorded, cheapest first; raises `Damaged`."""
    found = [Landmark.from_json(value, f"landmark {key:.40}") for key, value in records.items()]
    return sorted(found, key=lambda one: (one.multiplies, one.name))
