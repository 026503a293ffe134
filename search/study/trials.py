"""Trials as a study records them, and the front that they make."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev

from search.jobs import Candidate, Job, Options, Result, Status
from search.networks.arch import FORMAT as ARCH
from search.pareto import Objective, front, value_of
from search.study.checks import parsed, refusal, sequence

# Of a study's file; see `search.study.database`.
FORMAT = 2
# Stands in until the result is there; not NaN, so that trials can be compared.
_PENDING = Result(accuracy=-1.0)
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


def pending(number: int, job: Job, asked_after: int = 0) -> Trial:
    """Return the trial of a job that is still to be evaluated."""
    found = job.candidate
    return Trial(
        number,
        job,
        found.text,
        found.id,
        found.multiplies,
        found.params,
        asked_after,
        _PENDING,
    )


@dataclass(frozen=True)
class FrontEntry:
    """One row of a front: an architecture with the mean of its results over seeds.

    `accuracy` is on the validation part; `accuracy_std` the standard deviation over `seeds` of
    them, NaN for one; `seed`, `trial` and `loss` are of the lowest seed; `seconds` is their sum;
    `balanced_accuracy` the mean over seeds of the mean over classes, `balanced_accuracy_std` its
    standard deviation, NaN where they are unknown; `search_accuracy`, `search_balanced_accuracy`
    what the search measured, which differs where the front is confirmed; `worker`: where the trial
    ran, empty for the searching process.
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
    balanced_accuracy_std: float
    search_balanced_accuracy: float
    options: Options = field(repr=False)
    value: str = field(repr=False)
    worker: str = field(default="", repr=False)

    @property
    def job(self) -> Job:
        """The training whose weights are kept: that of the lowest seed."""
        found = Candidate(self.options, self.arch_id, self.multiplies, self.params, self.value)
        return Job(self.options, self.epochs, self.seed, found)

    def ranked_by(self, objective: Objective) -> float:
        """Return the figure by which the front of that objective ranks it."""
        return self.accuracy if objective == "accuracy" else self.balanced_accuracy

    def spread(self, objective: Objective) -> float:
        """Return the standard deviation over seeds of that figure, NaN for one seed."""
        return self.accuracy_std if objective == "accuracy" else self.balanced_accuracy_std

    def searched(self, objective: Objective) -> float:
        """Return what the search measured of that figure."""
        balanced = objective == "balanced_accuracy"
        return self.search_balanced_accuracy if balanced else self.search_accuracy


def front_entry(trials: list[Trial]) -> FrontEntry:
    """Return the row of one architecture: the mean of trials of equal length and other seeds."""
    lowest = min(trials, key=lambda trial: (trial.job.seed, trial.number))
    accuracies = [trial.result.accuracy for trial in trials]
    mean = fmean(accuracies)
    balanced = [value_of(trial.result, "balanced_accuracy") for trial in trials]
    # `math.nan` itself, so that equal rows compare equal.
    balanced_mean = math.nan if any(map(math.isnan, balanced)) else fmean(balanced)
    return FrontEntry(
        arch_id=lowest.arch_id,
        multiplies=lowest.multiplies,
        params=lowest.params,
        accuracy=mean,
        accuracy_std=_deviation(accuracies),
        seeds=len(trials),
        epochs=lowest.job.epochs,
        seed=lowest.job.seed,
        status=lowest.result.status,
        loss=lowest.result.loss,
        seconds=sum(trial.result.seconds for trial in trials),
        trial=lowest.number,
        ops=op_mix(lowest.value),
        search_accuracy=mean,
        balanced_accuracy=balanced_mean,
        balanced_accuracy_std=_deviation(balanced),
        search_balanced_accuracy=balanced_mean,
        options=lowest.job.options,
        value=lowest.value,
        worker=lowest.result.worker,
    )


def front_entries(
    trials: Iterable[Trial], epochs: int, objective: Objective = "accuracy"
) -> list[FrontEntry]:
    """Return the front of the trials that ran for all of `epochs` and succeeded, cheapest first.

    Shorter trainings are estimates and never enter it, nor do those without a figure for the
    `objective`.
    """
    groups: dict[str, dict[int, Trial]] = {}
    for trial in trials:
        if trial.completed(epochs):
            groups.setdefault(trial.arch_id, {}).setdefault(trial.job.seed, trial)
    seeds = list(groups.values())
    points = [
        (
            next(iter(group.values())).multiplies,
            _mean([value_of(trial.result, objective) for trial in group.values()]),
        )
        for group in seeds
    ]
    return [front_entry(list(seeds[index].values())) for index in front(points)]


def _mean(values: list[float]) -> float:
    # Most architectures are trained once, and `fmean` takes a microsecond for that.
    return values[0] if len(values) == 1 else fmean(values)


def _deviation(values: list[float]) -> float:
    known = len(values) > 1 and not any(map(math.isnan, values))
    return stdev(values) if known else math.nan


def check_value(value: object) -> None:
    """Refuse what calls itself an architecture and has no blocks that could be counted."""
    if type(value) is dict and value.get("format") == ARCH:
        blocks = sequence(value.get("blocks"), "value.blocks")
        ops = [block.get("op") if type(block) is dict else None for block in blocks]
        if not {*map(type, ops)} <= {str}:
            raise refusal(blocks, "value.blocks", "must be a list of blocks, each with its op")


def op_mix(value: str) -> str:
    """Return the number of blocks of each kind, `2 conv + 1 inverted`; empty for other values.

    `value` is its canonical JSON. Raises `Damaged` for what is none, or no architecture.
    """
    data = parsed(value, "value")
    check_value(data)
    if not isinstance(data, Mapping) or data.get("format") != ARCH:
        return ""
    counts = Counter(block["op"] for block in data["blocks"])
    return " + ".join(f"{count} {op}" for op, count in sorted(counts.items())) or "stem only"
