"""Trials as a study records them, and the front that they make."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev

from search.jobs import Candidate, Job, Options, Result, Status
from search.networks.arch import FORMAT as ARCH
from search.pareto import front

# Of a study's file; see `search.study.database`.
FORMAT = 2
# What errors of the surroundings say; format 1 stored such errors like any failure.
_SURROUNDINGS = re.compile(
    r"out of memory|RESOURCE_EXHAUSTED|MemoryError|\[Errno \d+\]|No such file|No space left"
    r"|Input/output error|CUDA_ERROR|DEADLINE_EXCEEDED|UNAVAILABLE",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Trial:
    """One recorded evaluation: the job, when it was asked for, and its result.

    `number`: from 0 in the order of asking; `value`: canonical JSON of what the encoding stands
    for, `arch_id` its id; `params`: trainable scalars, None where unknown; `asked_after`: number of
    results told to the strategy before it proposed this job; `same_as`: number of the trial with
    the same training, whose result was taken over, else None; `computed`: what it was computed on
    (`platform`, `device_kind`, `precision`, `cores` and versions), empty where unknown; `format`:
    the study format it was first recorded under.
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
    computed: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def retryable(self) -> bool:
        """Whether this is a failure of the surroundings that format 1 stored as a candidate's own.

        Since format 2 such failures are never stored, so what is stored is not tried again.
        """
        failed = self.result.status != "ok"
        return failed and self.format == 1 and bool(_SURROUNDINGS.search(self.result.error))

    def completed(self, epochs: int) -> bool:
        """Whether it succeeded after all of `epochs`: shorter ones are estimates on the way."""
        return self.result.status == "ok" and self.job.epochs == epochs


@dataclass(frozen=True)
class FrontEntry:
    """One row of a front: an architecture with the mean of its results over seeds.

    `accuracy` is on the validation part; `accuracy_std` the standard deviation over `seeds` of
    them, NaN for one; `seed`, `trial` and `loss` are of the lowest seed; `seconds` is their sum;
    `balanced_accuracy` the mean over seeds of the mean over classes, NaN where it is unknown;
    `search_accuracy` what the search measured, which differs where the front is confirmed.
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
        """The training whose weights are kept: that of the lowest seed."""
        found = Candidate(self.options, self.arch_id, self.multiplies, self.params, self.value)
        return Job(self.options, self.epochs, self.seed, found)


def front_entry(trials: list[Trial]) -> FrontEntry:
    """Return the row of one architecture: the mean of trials of equal length and other seeds."""
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

    Shorter trainings are estimates and never enter it.
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
    """Return the number of blocks of each kind, `2 conv + 1 inverted`; empty for other values.

    `value` is its canonical JSON.
    """
    data = json.loads(value)
    if not isinstance(data, Mapping) or data.get("format") != ARCH:
        return ""
    counts = Counter(block["op"] for block in data["blocks"])
    return " + ".join(f"{count} {op}" for op, count in sorted(counts.items())) or "stem only"
