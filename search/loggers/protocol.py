"""What a logger is told, and what it offers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from search.jobs import Curve
from search.pareto import Objective, Point, front, hypervolume, value_of
from search.study.trials import Trial


class Logger(Protocol):
    """Follows one search. What it wrote for earlier trials of the study stays."""

    def log(self, trial: Trial, curve: Curve | None, figures: Mapping[str, float]) -> None:
        """Write a trial: its curve, where it has one, and the search's figures at this trial."""

    def close(self) -> None:
        """Write what is left."""


@dataclass(frozen=True)
class Place:
    """Where and as what a logger writes.

    `folder` is its own, inside the study's, and `name` the study's; `settings` define its results.
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]


@dataclass
class Figures:
    """The search's figures after each trial: hypervolume, the best, members of the front.

    `low`, `high`, `chance` as in `pareto.hypervolume`; `epochs` of a full training. The front, its
    area and the best are of the `objective`.
    """

    low: int
    high: int
    chance: float
    epochs: int
    objective: Objective = "accuracy"
    _front: list[Point] = field(default_factory=list)

    def after(self, trial: Trial) -> dict[str, float]:
        """Return the figures after one more trial, its own ones first."""
        result = trial.result
        found: dict[str, float] = {
            "multiplies": trial.multiplies,
            "epochs": trial.job.epochs,
            "seconds": result.seconds,
        }
        if result.status == "ok":
            found |= {"accuracy": result.accuracy, "loss": result.loss}
        value = value_of(result, self.objective)
        if result.status == "ok" and value == value:
            found[self.objective] = value
        if trial.completed(self.epochs):
            points = [*self._front, (trial.multiplies, value)]
            self._front = [points[index] for index in front(points)]
        if self._front:
            area = hypervolume(self._front, low=self.low, high=self.high, chance=self.chance)
            best = max(reached for _, reached in self._front)
            found |= {"hypervolume": area, "best": best, "front": len(self._front)}
        return found


def curve_points(curve: Curve) -> list[tuple[int, dict[str, float]]]:
    """Return the values of each epoch by name, those that were measured."""
    columns = {name: values for name, values in vars(curve).items() if name != "epochs"}
    return [
        (epoch, {name: column[at] for name, column in columns.items() if column[at] == column[at]})
        for at, epoch in enumerate(curve.epochs)
    ]
