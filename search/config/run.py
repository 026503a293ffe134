"""What one search is: data, space, strategy, training, budget, and when to stop."""

from dataclasses import asdict, dataclass, field
from typing import Any

from search.config.data import DataConfig
from search.config.space import SpaceConfig
from search.config.strategy import StrategyConfig
from search.config.train import TrainConfig
from search.errors import UserError
from search.units import parse_multiplies

EXECUTORS = ("local",)
# Where data lies does not define a study; what it holds does, by its fingerprints.
_PLACES = {"path", "dir", "cache", "budget", "epochs"}
_MOST_EPOCHS = 1_000_000


@dataclass
class ExecutorConfig:
    """Where candidates are trained. `name`: `local`, one after the other in this process."""

    name: str = "local"

    def validate(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        if self.name not in EXECUTORS:
            raise UserError(
                f"executor.name={self.name} is unknown; known are {', '.join(EXECUTORS)}"
            )


@dataclass
class ConfirmConfig:
    """How the front is measured again. `seeds`: trainings of each member with fresh seeds."""

    seeds: int = 0

    def validate(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        whole = isinstance(self.seeds, int) and not isinstance(self.seeds, bool)
        if not (whole and 0 <= self.seeds <= 100):
            raise UserError(
                f"confirm.seeds={self.seeds} must be from 0 (not confirmed) to 100, such as 3"
            )


@dataclass
class RunConfig:
    """One search.

    `budget`: the most multiplies for one image (`200k`, `2M`, a plain integer), a hard limit;
    `budget_low`: the fewest, none if null. `trials`, `hours` of training: when to stop, null for
    never; raising either extends the study. `epochs`: how long each candidate trains. `seed`: of
    the strategy and of the validation split. `ahead`: how many trials may wait for their results
    when the next is proposed; a fixed number, so that results don't depend on timing.
    `confirm`: whether the front is trained again afterwards; it changes nothing of the search.
    `study`: name of its folder under `outputs`, empty for one made of what defines it.
    `allow_mixed`: whether a study may go on with another platform, device or precision.
    """

    data: DataConfig = field(default_factory=DataConfig)
    space: SpaceConfig = field(default_factory=SpaceConfig)
    strategy: StrategyConfig = field(default_factory=StrategyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)
    confirm: ConfirmConfig = field(default_factory=ConfirmConfig)
    budget: str = "200k"
    budget_low: str | None = None
    trials: int | None = 32
    hours: float | None = None
    epochs: int = 20
    seed: int = 0
    ahead: int = 1
    study: str = ""
    allow_mixed: bool = False
    outputs: str = "outputs"

    @property
    def interval(self) -> tuple[int, int]:
        """The budget in multiplies, both ends included; raises `UserError` if it is none."""
        high = parse_multiplies(self.budget)
        low = 0 if self.budget_low is None else parse_multiplies(self.budget_low, "budget_low")
        if low > high:
            raise UserError(
                f"budget_low={self.budget_low} is above budget={self.budget}; it must be at most"
                " that"
            )
        return low, high

    def validate(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        parts = (self.data, self.space, self.strategy, self.train, self.executor, self.confirm)
        for part in parts:
            part.validate()
        _ = self.interval
        if self.trials is not None and self.trials < 1:
            raise UserError(f"trials={self.trials} must be at least 1, or null for no limit")
        if self.hours is not None and not self.hours > 0:
            raise UserError(f"hours={self.hours} must be above 0, or null for no limit")
        if not 1 <= self.epochs <= _MOST_EPOCHS:
            raise UserError(f"epochs={self.epochs} must be from 1 to {_MOST_EPOCHS}")
        if not 0 <= self.seed < 2**31:
            raise UserError(f"seed={self.seed} must be from 0 to {2**31 - 1}")
        if not 0 <= self.ahead <= 1000:
            raise UserError(f"ahead={self.ahead} must be from 0 to 1000")

    def settings(self) -> dict[str, Any]:
        """Return what defines a study's results: all but its limits and its place."""
        low, high = self.interval
        data = {key: value for key, value in asdict(self.data).items() if key not in _PLACES}
        return {
            "data": data,
            "space": asdict(self.space),
            "strategy": asdict(self.strategy),
            "train": self.train.settings(),
            "budget": high,
            "budget_low": low,
            "epochs": self.epochs,
            "seed": self.seed,
            "ahead": self.ahead,
        }
