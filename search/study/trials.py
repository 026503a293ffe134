"""What a study remembers of one trial, and which of its trials make the front."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev

from search.jobs import Candidate, Job, Options, Result, Status
from search.networks.arch import FORMAT
from search.pareto import front


@dataclass(frozen=True)
class Trial:
    """One row: what was asked, when, and what came of it.

    `number` counts from 0 in the order of asking; `value` is the canonical JSON of what the options
    stand for and `arch_id` its id; `params` is None where nobody counted them; `asked_after` says
    how many results the strategy had been told before it proposed this; `same_as` is the trial
    whose result was taken over because it was the same training, else None.
    """

    number: int
    job: Job
    value: str
    arch_id: str
    multiplies: int
    params: int | None
    asked_after: int
    result: Result
    same_as: int | None = None

    def completed(self, epochs: int) -> bool:
        """Whether it succeeded after all of `epochs`: shorter ones are estimates on the way."""
        return self.result.status == "ok" and self.job.epochs == epochs


@dataclass(frozen=True)
class FrontEntry:
    """One row of a front: an architecture with the mean of its results over seeds.

    `accuracy` is on the validation part; `accuracy_std` the standard deviation over `seeds` of
    them, NaN for one; `seed`, `trial` and `loss` are of the lowest seed; `seconds` is their sum;
    `balanced_accuracy` the mean over seeds of the mean over classes, NaN where nobody measured it.
    """

    arch_id: str
    multiplies: int
    params: int | None
    accuracy: float
    accuracy_std: float
    seeds: int
    epochs: int
    seed: int
    status: Status
    loss: float
    seconds: float
    trial: int
    ops: str
    search_accuracy: float
    balanced_accuracy: float
    options: Options = field(repr=False)
    value: str = field(repr=False)

    @property
    def job(self) -> Job:
        """The training whose weights stand for it: that of the lowest seed."""
        found = Candidate(self.options, self.arch_id, self.multiplies, self.params, self.value)
        return Job(self.options, self.epochs, self.seed, found)


def front_entry(trials: list[Trial]) -> FrontEntry:
    """Put the trials of one architecture, of equal length and differing in seed, into one row."""
    lowest = min(trials, key=lambda trial: (trial.job.seed, trial.number))
    accuracies = [trial.result.accuracy for trial in trials]
    mean = fmean(accuracies)
    details = [trial.result.details for trial in trials]
    balanced = [row["balanced_accuracy"] for row in details if "balanced_accuracy" in row]
    return FrontEntry(
        arch_id=lowest.arch_id,
        multiplies=lowest.multiplies,
        params=lowest.params,
        accuracy=mean,
        accuracy_std=stdev(accuracies) if len(trials) > 1 else math.nan,
        seeds=len(trials),
        epochs=lowest.job.epochs,
        seed=lowest.job.seed,
        status=lowest.result.status,
        loss=lowest.result.loss,
        seconds=sum(trial.result.seconds for trial in trials),
        trial=lowest.number,
        ops=op_mix(lowest.value),
        search_accuracy=mean,
        balanced_accuracy=fmean(balanced) if len(balanced) == len(trials) else math.nan,
        options=lowest.job.options,
        value=lowest.value,
    )


def front_entries(trials: Iterable[Trial], epochs: int) -> list[FrontEntry]:
    """Return the front of the trials that ran for all of `epochs` and succeeded, cheapest first.

    Shorter trainings are estimates on the way and never enter it.
    """
    groups: dict[str, dict[int, Trial]] = {}
    for trial in trials:
        if trial.completed(epochs):
            groups.setdefault(trial.arch_id, {}).setdefault(trial.job.seed, trial)
    seeds = list(groups.values())
    points = [
        (
            next(iter(group.values())).multiplies,
            fmean(trial.result.accuracy for trial in group.values()),
        )
        for group in seeds
    ]
    return [front_entry(list(seeds[index].values())) for index in front(points)]


def op_mix(value: str) -> str:
    """Say how often an architecture has each block: `2 conv + 1 inverted`; empty for other values.

    `value` is its canonical JSON.
    """
    data = json.loads(value)
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        return ""
    counts = Counter(block["op"] for block in data["blocks"])
    return " + ".join(f"{count} {op}" for op, count in sorted(counts.items())) or "stem only"
