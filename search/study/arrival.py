"""The order of events of a search with several workers, and where its trials ran, as records.

A search with one worker tells its results in the order of trials, and needs no such record. With
several workers the order of arrival decides what a strategy knew when it proposed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from search.study.checks import boolean, integer, mapping, member, string
from search.study.curves import key_number
from search.study.trials import Trial

# Kinds of records, each under the number of its trial or confirmation; none for this process.
KIND = "arrival"
WORKER, CONFIRMATION_WORKER = "worker", "confirmation_worker"


@dataclass(frozen=True)
class Arrival:
    """When a result was told to the strategy, in a search with several workers.

    `place`: results told before it; `asked`: jobs that the strategy had proposed by then;
    `exhausted`: whether it was asked once more between the result before this one and this one, and
    had nothing to propose.
    """

    place: int
    asked: int
    exhausted: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that a study keeps."""
        found: dict[str, Any] = {"place": self.place, "asked": self.asked}
        return {**found, "exhausted": True} if self.exhausted else found


def read_arrivals(records: Mapping[str, Any]) -> dict[int, Arrival]:
    """Return the arrivals that a study recorded by number of the trial; raises `Damaged`."""
    found = {}
    for key, value in records.items():
        where = f"{KIND} {key:.40}"
        row = mapping(value, where)
        found[key_number(key, KIND)] = Arrival(
            integer(member(row, "place", where), f"{where}.place"),
            integer(member(row, "asked", where), f"{where}.asked", 1),
            boolean(row.get("exhausted", False), f"{where}.exhausted"),
        )
    return found


def with_workers(trials: Iterable[Trial], records: Mapping[str, Any]) -> list[Trial]:
    """Return `trials` with the names of their workers, from `records` by number."""
    if not records:
        return [*trials]
    return [
        trial
        if (name := records.get(str(trial.number))) is None
        else replace(trial, result=replace(trial.result, worker=_name(name, trial.number)))
        for trial in trials
    ]


def _name(value: object, number: int) -> str:
    return string(value, f"{WORKER} {number}")
