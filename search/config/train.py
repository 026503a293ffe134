"""How a candidate is trained: the settings that every training of a study shares."""

from dataclasses import asdict, dataclass
from typing import Any

from search.errors import UserError, nearest

OPTIMISERS = ("adamw", "sgd")
PRECISIONS = ("auto", "float32", "bfloat16")
FORMS = ("auto", "layers", "whole")
CONVOLUTIONS = ("fast", "xla")


@dataclass
class TrainConfig:
    """Training settings; how many epochs is the job's own affair.

    `batch`: images a step, at most the training part. `optimiser`: `adamw` or `sgd` (Nesterov
    momentum 0.9); `learning_rate`: its peak, reached after `warmup` epochs and then held;
    `weight_decay`: on kernels alone. `decay`: share of a job's epochs, its last, in which the rate
    falls linearly to zero. What comes before is the same for every length, so that a short job is
    a prefix of a long one. `label_smoothing`: in [0, 1).

    `precision`: of maps and products; `auto` is bfloat16 on accelerators, float32 on CPU.
    `convolutions`: `fast`, or `xla` for the reference. `form`: `layers` runs programs shared by all
    candidates, `whole` compiles each candidate, `auto` starts with the first and goes over to the
    second where that pays. `resident_megabytes`: larger training parts are read batch by batch.
    `checkpoint_minutes`: how often a long training writes what it has, so that it goes on from
    there after a kill; 0 writes at its end only. It changes no result, and no study's identity.
    """

    batch: int = 128
    optimiser: str = "adamw"
    learning_rate: float = 0.01
    weight_decay: float = 0.01
    warmup: float = 1.0
    decay: float = 0.5
    label_smoothing: float = 0.0
    precision: str = "auto"
    convolutions: str = "fast"
    form: str = "auto"
    resident_megabytes: float = 1024.0
    checkpoint_minutes: float = 5.0

    def settings(self) -> dict[str, Any]:
        """Return what results depend on: all but how often checkpoints are written."""
        return {k: v for k, v in asdict(self).items() if k != "checkpoint_minutes"}

    def validate(self) -> None:
        """Raise `UserError` naming the first setting that breaks a rule."""
        if isinstance(self.batch, bool) or not 1 <= self.batch <= 65536:
            raise UserError(f"train.batch={self.batch}; it must be an integer from 1 to 65536")
        for name, low, high in (
            ("learning_rate", 0.0, 100.0),
            ("weight_decay", 0.0, 10.0),
            ("warmup", 0.0, 1000.0),
            ("decay", 0.0, 1.0),
            ("label_smoothing", 0.0, 0.99),
            ("resident_megabytes", 0.0, 1e9),
            ("checkpoint_minutes", 0.0, 1e6),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UserError(f"train.{name}={value}; it must lie from {low:g} to {high:g}")
        for name, known in (
            ("optimiser", OPTIMISERS),
            ("precision", PRECISIONS),
            ("form", FORMS),
            ("convolutions", CONVOLUTIONS),
        ):
            text = getattr(self, name)
            if text not in known:
                raise UserError(f"train.{name}={text} is unknown; {nearest(text, known)}")
