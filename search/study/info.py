"""What every reader of a study must know beside its trials, and checks of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from search.errors import UserError
from search.pareto import OBJECTIVES, Objective
from search.study.checks import (
    Damaged,
    as_read,
    boolean,
    choice,
    integer,
    mapping,
    member,
    number,
    sequence,
    string,
)

# Costs of a user's own chain may be beyond any machine's integers, but are shown as floats.
_LARGEST_COST = 10**300
# In `StudyInfo.data`: how many images nothing but the confirmation is scored on.
CONFIRMATION_IMAGES = "confirmation_images"


@dataclass(frozen=True)
class StudyInfo:
    """What every reader of a study must know beside its trials.

    `cheapest`, `most_expensive`: costs of the space in multiplies; `low`, `high`: the budget;
    `within`: number of encodings inside it; `exact`: whether costs were not binned; `chance`:
    accuracy of guessing, in [0, 1); `epochs`: length of a full training; `data`: what prediction
    needs (`name`, `classes`, `shape`, `mean`, `std`), empty for a user's own evaluator;
    `objective`: what the search maximises, by which the front is ranked.
    """

    cheapest: int
    most_expensive: int
    low: int
    high: int
    within: int
    exact: bool
    chance: float
    epochs: int
    data: Mapping[str, Any]
    objective: Objective = "accuracy"

    @property
    def unseen(self) -> int:
        """How many images a confirmation is scored on that the search never saw."""
        return int(self.data.get(CONFIRMATION_IMAGES, 0))

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that files keep.

        The most expensive cost is `dearest` there, and an objective is said unless it is accuracy,
        as it was before there was a choice.
        """
        values = dict(vars(self))
        if self.objective == "accuracy":
            del values["objective"]
        return {"dearest" if key == "most_expensive" else key: values[key] for key in values}

    @classmethod
    def from_json(cls, values: object) -> "StudyInfo":
        """Undo `as_json`; keys that a later version added are left out.

        Raises `Damaged` for a missing key, a wrong type, or a value out of range.
        """
        given = mapping(values, "facts")
        found = {key: member(given, key, "facts") for key in ("exact", "chance", "data", "epochs")}
        costs = {
            key: integer(member(given, name, "facts"), name, 0, _LARGEST_COST)
            for key, name in (
                ("cheapest", "cheapest"),
                ("most_expensive", "dearest"),
                ("low", "low"),
                ("high", "high"),
            )
        }
        if not (costs["low"] <= costs["high"] and costs["cheapest"] <= costs["most_expensive"]):
            raise Damaged("facts: a lower bound is above the upper one")
        chance = number(found["chance"], "chance", 0, 1)
        if chance == 1:
            raise Damaged("chance is 1; it must be below 1, or no accuracy would be above it")
        return cls(
            **costs,
            within=integer(member(given, "within", "facts"), "within", 0, 10**4000),
            exact=boolean(found["exact"], "exact"),
            chance=chance,
            epochs=integer(found["epochs"], "epochs", 1),
            data=_checked_data(found["data"]),
            # Studies made before there was a choice do not say.
            objective=cast(
                Objective, choice(given.get("objective", "accuracy"), "objective", OBJECTIVES)
            ),
        )


def _checked_data(values: object) -> dict[str, Any]:
    data = mapping(values, "data")
    if data:
        string(member(data, "name", "data"), "data.name")
        for name in sequence(data.get("classes", []), "data.classes"):
            string(name, "data.classes")
        for count in sequence(data.get("class_counts") or [], "data.class_counts"):
            integer(count, "data.class_counts")
        integer(data.get(CONFIRMATION_IMAGES, 0), CONFIRMATION_IMAGES)
    return data


def checked_settings(values: object) -> dict[str, Any]:
    """Check those settings that readers of a study compute with."""
    settings = mapping(values, "settings")
    for key in ("budget", "budget_low"):
        if key in settings:
            integer(settings[key], key, 0, _LARGEST_COST)
    if "seed" in settings:
        integer(settings["seed"], "seed", -(2**63))
    for key in ("data", "train", "confirm", "fingerprints"):
        mapping(settings.get(key, {}), key)
    number(settings.get("train", {}).get("decay", 0.0), "train.decay", 0, 1)
    number(settings.get("confirm", {}).get("fraction", 0.0), "confirm.fraction", 0, 1)
    return settings


def refuse_unreadable(settings: Mapping[str, Any], info: StudyInfo) -> None:
    """Raise `UserError` for a new study that its own readers would refuse."""
    try:
        StudyInfo.from_json(as_read(info.as_json()))
        checked_settings(as_read(settings))
    except (Damaged, ValueError, TypeError) as error:
        raise UserError(f"this study cannot be recorded: {error}") from None
