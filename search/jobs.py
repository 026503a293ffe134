"""What a search hands around: candidates, jobs, results, and the protocols that exchange them."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

from search.errors import UserError, shown
from search.networks.arch import FORMAT, Arch, from_json, id_of, to_json
from search.networks.cost import cost_of

# One decision of a chain: JSON scalars, so that every encoding can be stored and read back.
Option = str | int
Options = tuple[Option, ...]
Status = Literal["ok", "failed", "infeasible"]


@dataclass(frozen=True)
class Candidate:
    """One architecture of a space: what an encoding stands for, priced and named once.

    `options`: the encoding; `id`: 12 hexadecimal digits, equal for equal values; `multiplies` for
    one image; `params`: trainable scalars, None unless the value is an `Arch`; `text`: canonical
    JSON of the value, as a study stores it. Spaces make candidates (`BudgetTable.candidate`,
    `search.spaces.candidate`); two are equal where their encodings are.
    """

    options: Options
    id: str = field(compare=False)
    multiplies: int = field(compare=False)
    params: int | None = field(compare=False)
    text: str = field(compare=False, repr=False)

    @classmethod
    def of(cls, arch: Arch, options: Options | None = None) -> "Candidate":
        """Return the candidate of a network, whose encoding is its id unless one is given."""
        cost, text = cost_of(arch), to_json(arch)
        own = id_of(text)
        encoding = (own,) if options is None else options
        return cls(encoding, own, cost.multiplies, cost.params, text)

    def job(self, epochs: int = 1, seed: int = 0) -> "Job":
        """Return the job of training it."""
        return Job(self.options, epochs, seed, self)

    @cached_property
    def value(self) -> Any:
        """What the encoding stands for: an `Arch`, or the JSON value of a user's own chain."""
        plain = json.loads(self.text)
        if isinstance(plain, dict) and plain.get("format") == FORMAT:
            return from_json(self.text, self.id)
        return plain


@dataclass(frozen=True)
class Job:
    """One training to be done: an encoding, its length in epochs, its seed.

    Jobs are equal where these three are. `carried` is the encoding's candidate; a strategy of
    one's own may leave it out, and the search fills it in before anything is evaluated.
    """

    options: Options
    epochs: int = 1
    seed: int = 0
    carried: Candidate | None = field(default=None, compare=False, repr=False)

    @property
    def candidate(self) -> Candidate:
        """The architecture to be trained; every job that reaches an evaluator has it."""
        if self.carried is None:
            raise UserError(
                f"the job of {shown(' '.join(map(str, self.options)))} carries no candidate; make"
                " it with table.candidate(options).job(epochs, seed)"
            )
        return self.carried


@dataclass(frozen=True)
class Curve:
    """How a training went, a value for each epoch in every field [epochs].

    `epochs`: numbers from 1; a training that went on from a checkpoint without a curve begins
    later. `train_loss` and `train_accuracy` are means over the epoch's batches as trained:
    augmented, against smoothed or mixed targets, before each step. `validation_loss` and
    `validation_accuracy`: at the epoch's end, NaN where not measured. `learning_rate`: mean over
    the epoch's steps. `seconds`: wall time of the epoch, without waiting for compilation.
    Raises `ValueError` for fields of unequal length.
    """

    epochs: tuple[int, ...]
    train_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    validation_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]
    learning_rate: tuple[float, ...]
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise `ValueError` for fields of unequal length."""
        if len(set(map(len, vars(self).values()))) != 1:
            raise ValueError("a curve has as many values in every column as it has epochs")

    def as_json(self) -> dict[str, Any]:
        """Return lists by field, six digits; NaN and validation never measured null."""
        found: dict[str, Any] = {"epochs": list(self.epochs)}
        for name, values in vars(self).items():
            if name != "epochs":
                found[name] = [
                    float(f"{value:.6g}") if math.isfinite(value) else None for value in values
                ]
        for name in ("validation_loss", "validation_accuracy"):
            if all(value is None for value in found[name]):
                found[name] = None
        return found


@dataclass(frozen=True)
class Result:
    """What came of a job.

    `accuracy` is on the validation part, in [0, 1] (NaN unless `ok`); `loss` the validation
    cross-entropy; `seconds` the wall time spent; `error` one line, the reason of a failure;
    `details` further numbers to store (balanced accuracy, compile seconds, …). `status` is `ok`,
    `failed` (diverged, say), or `infeasible` (the evaluator said so); all are facts about the
    candidate. `raised`: the failure is an exception that nobody expected; whether it is the
    candidate's shows once a later one succeeds, and only then is it stored. `curve`: how the
    training went, None where the evaluator does not tell. `worker`: where it was computed, such as
    `node3:2`, empty for the searching process itself; `computed`: on what, as a `Trial` keeps it,
    None for what the searching process computes on.
    """

    accuracy: float
    loss: float = math.nan
    seconds: float = 0.0
    status: Status = "ok"
    error: str = ""
    details: Mapping[str, float] = field(default_factory=dict)
    raised: bool = field(default=False, compare=False, repr=False)
    # Not compared: its seconds differ from run to run.
    curve: Curve | None = field(default=None, compare=False, repr=False)
    worker: str = field(default="", compare=False, repr=False)
    computed: Mapping[str, str] | None = field(default=None, compare=False, repr=False)


def failed(error: str, seconds: float = 0.0, curve: Curve | None = None) -> Result:
    """A failure with its one-line reason; it can never become a parent or a front member."""
    reason = " ".join(error.split())[:500]
    return Result(math.nan, math.nan, seconds, "failed", reason, curve=curve)


class Infeasible(Exception):
    """Raised by an evaluator for a candidate that cannot be evaluated, with the reason.

    That is stored, the candidate is never tried again nor a parent, and it does not count among
    the failures in a row that end a search.
    """


class Exhausted(Exception):
    """Raised by `Strategy.ask` when nothing inside the budget is left to propose."""


class Strategy(Protocol):
    """Proposes jobs and learns from results. Deterministic: equal seeds and tells, equal jobs."""

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""

    def tell(self, job: Job, result: Result) -> None:
        """Learn a result, in any order of jobs; failed ones too."""


@runtime_checkable
class Resumable(Strategy, Protocol):
    """A strategy that can go on from a snapshot, so that a resumed study need not ask again."""

    def snapshot(self) -> dict[str, Any] | None:
        """Return the state that jobs and results do not tell, as JSON; None where it cannot."""

    def restore(
        self, state: Mapping[str, Any], asked: Sequence[Job], told: Sequence[tuple[Job, Result]]
    ) -> None:
        """Continue, in a new strategy, as the one that made the snapshot `state` would.

        `asked`: all jobs up to the snapshot, and `told`: all results, each in their order.
        """


Evaluator = Callable[[Job], Result]
"""Turns a job into a result. It raises `Infeasible` where a candidate cannot be evaluated."""
