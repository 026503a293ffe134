"""What one search is: data, space, strategy, training, budget, and when to stop."""

from dataclasses import dataclass, field
from typing import Any, cast, get_args

from search.config.checks import check
from search.config.data import DataConfig, check_path
from search.config.settings import identity, setting
from search.config.space import SpaceConfig
from search.config.strategy import StrategyConfig
from search.config.train import TrainConfig
from search.errors import UserError, shown
from search.pareto import OBJECTIVES, Aim, Objective
from search.units import parse_multiplies

LOGGERS = ("csv", "tensorboard", "mlflow", "wandb")
EXECUTORS = ("local", "ray")
AIMS = get_args(Aim)
# Groups with settings that define a study's results; the executor and the cache have none.
_DEFINING = ("data", "space", "strategy", "train", "confirm")


@dataclass(frozen=True)
class ExecutorConfig:
    """Where candidates are trained."""

    name: str = setting(
        "local",
        "local trains on the devices and cores of this machine, ray on those of a Ray cluster",
        choices=EXECUTORS,
    )
    devices: int | None = setting(
        None,
        "how many devices train, each in a worker process of its own; without accelerators into"
        " how many shares the cores are divided; null for all accelerators, where one alone, or"
        " none, is used by the searching process itself; with ray how many accelerators or, without"
        " any, workers of executor.cpus CPUs, null for all that the cluster has, now or later",
        low=1,
        high=4096,
        null="all of them",
        identity=False,
    )
    per_device: int = setting(
        1,
        "candidates trained at once on each device by worker processes, each with its part of the"
        " device's memory",
        low=1,
        high=64,
        identity=False,
    )
    retries: int = setting(
        2,
        "how often a job is tried again whose worker process died, hung or lost its surroundings",
        low=0,
        high=100,
        identity=False,
    )
    timeout: float | None = setting(
        None,
        "seconds after which a worker process that still evaluates one job is taken to hang, and"
        " ended",
        low=0,
        open_low=True,
        null="no limit",
        identity=False,
    )

    address: str | None = setting(
        None,
        "with ray, an existing cluster, as host:port, or auto for the one on this machine; null to"
        " start one here, which ends with the search",
        null="one that is started here",
        identity=False,
    )
    cpus: int = setting(
        1,
        "with ray, CPUs of each worker, to which it is pinned unless it has an accelerator; 0 for"
        " evaluators that need none, with executor.devices workers",
        low=0,
        high=4096,
        identity=False,
    )
    memory: float | None = setting(
        None,
        "with ray, gigabytes that each worker reserves, and is ended for passing",
        low=0,
        open_low=True,
        null="no limit",
        identity=False,
    )

    def __post_init__(self) -> None:
        """Raise `UserError` that names the key, its value and the rule."""
        check(self, "executor")
        if self.name != "ray":
            for key, default in (("address", None), ("cpus", 1), ("memory", None)):
                if (value := getattr(self, key)) != default:
                    raise UserError(
                        f"executor.{key}={shown(value)} has no effect with executor={self.name};"
                        " add executor=ray, or leave it out"
                    )
        elif not self.cpus and self.devices is None:
            raise UserError(
                "executor.cpus=0 says nothing of how many workers there are; add"
                " executor.devices=64, or give each worker a CPU"
            )


@dataclass(frozen=True)
class ConfirmConfig:
    """How the front is measured again once the search has ended."""

    seeds: int = setting(
        0,
        "how often each front member is trained again, with fresh seeds; 0 leaves it unconfirmed",
        low=0,
        high=100,
        identity=False,
    )
    fraction: float = setting(
        0.0,
        "share of the training split that the search neither trains nor scores on, and"
        " confirm.seeds is scored on; 0 scores on the validation part again",
        low=0,
        high=1,
        open_high=True,
    )

    def __post_init__(self) -> None:
        """Raise `UserError` that names the key, its value and the rule."""
        check(self, "confirm")
        if self.fraction and not self.seeds:
            raise UserError(
                f"confirm.fraction={self.fraction:g} sets images aside for a confirmation, and"
                " confirm.seeds=0 asks for none; add confirm.seeds=3, or leave the fraction out"
            )


@dataclass(frozen=True)
class CacheConfig:
    """What is kept for later runs, whatever study they belong to."""

    programs: str | None = setting(
        "",
        "folder in which compiled programs are kept; empty for $CONVBUDGET_CACHE, else"
        " ~/.cache/convbudget; null keeps none",
        null="none kept",
        identity=False,
    )

    def __post_init__(self) -> None:
        """Raise `UserError` that names the key, its value and the rule."""
        check(self, "cache")
        check_path("cache.programs", self.programs or "")


@dataclass(frozen=True)
class RunConfig:
    """One search; by default what `convbudget run` does.

    Raises `UserError` for a value out of range and for an empty budget.
    """

    data: DataConfig = field(default_factory=DataConfig)
    space: SpaceConfig = field(default_factory=SpaceConfig)
    # What configs/strategy/surrogate.yaml and, chosen by the digits, configs/train/few.yaml set.
    strategy: StrategyConfig = field(default_factory=lambda: StrategyConfig(start=10))
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(batch=32, learning_rate=0.04, label_smoothing=0.1)
    )
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)
    confirm: ConfirmConfig = field(default_factory=ConfirmConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    budget: str = setting(
        "200k",
        "most multiplies for one image, a hard limit: 200k, 2M, 1.5G or an integer; by default"
        " data.budget",
    )
    budget_low: str | None = setting(None, "fewest multiplies, null for no limit", null="no limit")
    objective: str = setting(
        "accuracy",
        "what is maximised: the share of images that are right, or the mean of that over classes",
        choices=OBJECTIVES,
    )
    trials: int | None = setting(
        32,
        "candidates to train, null for no limit; a larger number goes on with the study",
        low=1,
        high=10**9,
        null="no limit",
    )
    hours: float | None = setting(
        None,
        "hours of training, null for no limit; a larger number goes on with the study",
        low=0,
        open_low=True,
        null="no limit",
    )
    epochs: int = setting(
        10, "epochs that each candidate trains; by default data.epochs", low=1, high=1_000_000
    )
    # `str`, because Hydra's schema knows no Literal.
    aim: str | None = setting(
        None,
        "what the surrogate improves: the area of the front, the best accuracy within the budget,"
        " or both in turn; by default both, inside halving the front",
        choices=AIMS,
        null="the default",
    )
    seed: int = setting(
        0, "seed of the strategy, the weights and the validation part", low=0, high=2**31 - 1
    )
    ahead: int = setting(
        1,
        "results that may be outstanding when the next candidate is proposed; a fixed number, so"
        " that the proposals do not depend on timing; with 0 no two candidates are trained at once",
        low=0,
        high=1000,
    )
    zoo: bool = setting(
        False,
        "after the search, train the known networks that fit the budget, as landmarks",
        identity=False,
    )
    join: bool = setting(
        False,
        "train for the process that holds the study, if there is one, instead of being refused",
        identity=False,
    )
    allow_mixed: bool = setting(
        False,
        "go on with a study on another platform, device or precision; its rows tell which",
    )
    logger: list[str] = setting(
        [],
        "where the search is followed beside its study, null for nowhere; several as"
        " csv,tensorboard, which every job of a sweep has; [csv],[tensorboard] sweeps over them",
        choices=LOGGERS,
    )
    study: str = setting("", "name of the study's folder; empty for one made of what defines it")
    outputs: str = setting("outputs", "folder of all studies")

    @property
    def interval(self) -> tuple[int, int]:
        """The budget in multiplies, both ends included."""
        low = 0 if self.budget_low is None else parse_multiplies(self.budget_low, "budget_low")
        return low, parse_multiplies(self.budget)

    @property
    def default_aim(self) -> Aim:
        """What is improved where `aim` is not given: as the race in `tests/benchmarks` chose."""
        return "both" if self.strategy.name == "surrogate" else "front"

    @property
    def improved(self) -> Aim:
        """`aim`, or its default."""
        return self.default_aim if self.aim is None else cast(Aim, self.aim)

    @property
    def maximised(self) -> Objective:
        """The objective, typed."""
        return cast(Objective, self.objective)

    def __post_init__(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        check(self)
        if self.aim not in (None, "front") and self.strategy.proposer != "surrogate":
            raise UserError(
                f"aim={self.aim} has no effect with strategy={self.strategy.name}; it belongs to"
                " surrogate, alone or inside halving: leave it out"
            )
        low, high = self.interval
        if low > high:
            raise UserError(
                f"budget_low={shown(self.budget_low)} is above budget={shown(self.budget)}; it must"
                " be at most that"
            )

    def settings(self) -> dict[str, Any]:
        """Return what defines a study's results: all but its limits and its place."""
        low, high = self.interval
        return {
            **{group: identity(getattr(self, group)) for group in _DEFINING},
            "budget": high,
            "budget_low": low,
            "aim": self.improved,
            "epochs": self.epochs,
            "seed": self.seed,
            "objective": self.objective,
            "ahead": self.ahead,
        }
