"""What one call of retrain is asked for."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from search.config.settings import identity
from search.config.train import TrainConfig, digested
from search.errors import UserError, shown
from search.files import canonical_json
from search.finals.images import FinalImages
from search.finals.networks import Choice
from search.finals.teachers import Teacher

# Final trainings are so many times as long as those of the search, unless --epochs says otherwise.
EPOCHS_FACTOR = 4
SEEDS = 3
# The usual values of knowledge distillation, as in Cho and Hariharan 2019 (arXiv:1910.01348).
TEMPERATURE, TEACHER_WEIGHT = 4.0, 0.9
_MOST_EPOCHS, _MOST_SEEDS = 1_000_000, 100


@dataclass(frozen=True)
class Plan:
    """Which networks are trained, how long, with how many seeds, by whom taught, from what.

    `zoo`: `NAME[@BUDGET]` instead of members of the front; `epochs`: None for `EPOCHS_FACTOR` times
    the study's; `begin`: `scratch`, or `weights` to go on from those of the study. Raises
    `UserError` for values out of range and for those that contradict one another.
    """

    choice: Choice = field(default_factory=Choice)
    zoo: str | None = None
    epochs: int | None = None
    seeds: int = SEEDS
    teacher: str | None = None
    temperature: float = TEMPERATURE
    teacher_weight: float = TEACHER_WEIGHT
    begin: str = "scratch"

    def __post_init__(self) -> None:
        """Check all values."""
        if self.epochs is not None and not 1 <= self.epochs <= _MOST_EPOCHS:
            raise UserError(
                f"--epochs {shown(self.epochs)} must be an integer from 1 to {_MOST_EPOCHS}"
            )
        if not 1 <= self.seeds <= _MOST_SEEDS:
            raise UserError(
                f"--seeds {shown(self.seeds)} must be an integer from 1 to {_MOST_SEEDS}"
            )
        if not 0 < self.temperature <= 1000:
            raise UserError(f"--temperature {self.temperature:g} must be above 0 and at most 1000")
        if not 0 < self.teacher_weight <= 1:
            raise UserError(f"--teacher-weight {self.teacher_weight:g} must be above 0, at most 1")
        if self.zoo is not None and self.begin == "weights":
            raise UserError(
                "--from weights has no effect with --zoo: the study holds no weights of the zoo;"
                " leave one of them out"
            )

    def length(self, epochs: int) -> int:
        """Return the epochs of a final training in a study whose trainings have `epochs`."""
        return min(EPOCHS_FACTOR * epochs, _MOST_EPOCHS) if self.epochs is None else self.epochs

    def taught(self, teacher: Teacher | None) -> dict[str, Any] | None:
        """Return what a record says of the teacher."""
        if teacher is None:
            return None
        return {
            "name": teacher.name,
            "fingerprint": teacher.fingerprint,
            "temperature": self.temperature,
            "weight": self.teacher_weight,
        }

    def settings(
        self, images: FinalImages, recipe: TrainConfig, teacher: Teacher | None
    ) -> dict[str, Any]:
        """Return what all trainings of the call share, their length and number apart."""
        return {
            "data": identity(images.config),
            "train": images.dataset.train.fingerprint,
            "recipe": digested(recipe),
            "teacher": self.taught(teacher),
            "from": self.begin,
        }


def digest(settings: object) -> str:
    """Return 12 hexadecimal digits that tell settings apart."""
    return hashlib.sha256(canonical_json(settings).encode()).hexdigest()[:12]
