"""How a candidate is trained: the settings that every training of a study shares."""

from dataclasses import dataclass
from typing import Any

from search.config.checks import check, check_class_weights
from search.config.settings import identity, setting

OPTIMISERS = ("adamw", "sgd")
PRECISIONS = ("auto", "float32", "bfloat16")
VALIDATE = ("end", "epoch")
FORMS = ("auto", "layers", "whole")
CONVOLUTIONS = ("fast", "jax", "xla")
FINISHES = ("decay", "average")


@dataclass(frozen=True)
class TrainConfig:
    """Training settings; the number of epochs belongs to the job.

    Until the decay begins, the schedule is the same for every number of epochs, so that a short
    job repeats the first steps of a long one exactly. Raises `UserError` for a value out of range.
    """

    batch: int = setting(
        128, "images per step, at most those of the training part", low=1, high=65536
    )
    optimiser: str = setting(
        "adamw", "adamw, or sgd with Nesterov momentum 0.9", choices=OPTIMISERS
    )
    learning_rate: float = setting(
        0.01, "peak learning rate, held after the warm-up", low=0, high=100, open_low=True
    )
    weight_decay: float = setting(0.01, "decoupled weight decay, of kernels only", low=0, high=10)
    warmup: float = setting(
        1.0, "epochs over which the rate rises linearly from zero", low=0, high=1000
    )
    decay: float = setting(
        0.5,
        "last share of the epochs, over which the rate falls linearly to zero, with finish=decay",
        low=0,
        high=1,
    )
    finish: str = setting(
        "decay",
        "how a training ends: decay lets the rate fall; average keeps it, and evaluates the average"
        " of the weights over about the last ninth of the steps, with BatchNorm statistics of its"
        " own",
        choices=FINISHES,
    )
    label_smoothing: float = setting(
        0.0, "share of each label spread evenly over all classes", low=0, high=0.99
    )
    # `str | list[float] | None`, a union that Hydra's schema cannot say.
    class_weights: Any = setting(
        None,
        "weights of the classes in the training loss, scaled to a mean of 1 over its images:"
        " balanced (inverse to their images), a list of one number for each, or null for none",
        null="none",
    )
    precision: str = setting(
        "auto",
        "data type of activations and products; auto is bfloat16 on accelerators, float32 on CPU",
        choices=PRECISIONS,
    )
    convolutions: str = setting(
        "fast",
        "fast takes the fastest known form on each platform: on the CPU kernels in C++, where a"
        " compiler for them is found; jax takes forms written in JAX, xla the reference",
        choices=CONVOLUTIONS,
    )
    form: str = setting(
        "auto",
        "layers runs compiled layers shared by all candidates; whole compiles each candidate, which"
        " with kernels in C++ those of about one size share; auto"
        " is whole with kernels in C++, else layers first and whole from where that pays",
        choices=FORMS,
    )
    resident_megabytes: float | None = setting(
        None,
        "a larger training part is read from disk batch by batch; null for a quarter of an"
        " accelerator's memory, 1024 on the CPU",
        low=0,
        high=1e9,
        null="a share of the device's memory",
        identity=False,
    )
    validate: str = setting(
        "end",
        "when the validation part is evaluated: at the end of a training, or for its curve after"
        " every epoch; results are the same",
        choices=VALIDATE,
        identity=False,
    )
    checkpoint_minutes: float = setting(
        5.0,
        "minutes between two checkpoints of a long training, from which it continues after a kill;"
        " 0 writes one at its end only",
        low=0,
        high=1e6,
        identity=False,
    )

    def __post_init__(self) -> None:
        """Raise `UserError` that names the key, its value and the rule."""
        check(self, "train")
        check_class_weights("train.class_weights", self.class_weights)


def digested(config: TrainConfig) -> dict[str, Any]:
    """Return what digests are made of that name checkpoints and final trainings."""
    found = identity(config)
    if config.finish == "decay":
        # All that was made before there was a choice.
        del found["finish"]
    # It counted until it came to depend on the device, with this default.
    return {**found, "resident_megabytes": 1024.0}
