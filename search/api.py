"""`search.run`: the command's search from Python, with parts of one's own where wanted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from search.config.data import DataConfig
from search.config.run import CacheConfig, ConfirmConfig, ExecutorConfig, RunConfig
from search.config.space import SpaceConfig
from search.config.strategy import StrategyConfig
from search.config.train import TrainConfig
from search.config.words import word
from search.errors import UserError, shown
from search.jobs import Evaluator, Job, Strategy
from search.pareto import Aim
from search.runner import session
from search.runner.outcome import Outcome
from search.runner.session import Parts
from search.spaces.chain import Chain
from search.study.study import check_name


class _Unset(Enum):
    """Stands for an argument that was left out, where None means something."""

    UNSET = "the command's default"

    def __repr__(self) -> str:
        return "…"


UNSET: Final = _Unset.UNSET
Keys = Mapping[str, Any]
"""Keys of one group of the configuration, such as `{"batch": 64}` for `train`."""


def run(
    *,
    data: str | DataConfig | Keys | _Unset = UNSET,
    space: str | SpaceConfig | Keys | Chain | _Unset = UNSET,
    strategy: str | StrategyConfig | Keys | Strategy | _Unset = UNSET,
    train: str | TrainConfig | Keys | _Unset = UNSET,
    executor: str | ExecutorConfig | Keys | _Unset = UNSET,
    cache: CacheConfig | Keys | _Unset = UNSET,
    evaluator: Evaluator | Callable[[Job], float] | None = None,
    budget: int | str | _Unset = UNSET,
    budget_low: int | str | None = None,
    trials: int | _Unset | None = UNSET,
    hours: float | None = None,
    epochs: int | _Unset = UNSET,
    aim: Aim = "front",
    seed: int = 0,
    objective: str = "accuracy",
    confirm: int | ConfirmConfig | Keys = 0,
    ahead: int | _Unset = UNSET,
    study: str | Path | None = "",
    outputs: str | Path = "outputs",
    zoo: bool = False,
    allow_mixed: bool = False,
    join: bool = False,
    logger: str | Sequence[str] = (),
    chance: float | None = None,
    overrides: Sequence[str] = (),
    progress: bool | None = None,
) -> Outcome:
    """Search for the best accuracy at every cost up to `budget`; the command's own search.

    `run(data="digits", space="small", budget="200k", trials=8)` does what
    `convbudget run data=digits space=small budget=200k trials=8` does: the same trials, in the
    same folder. Each key of the command is an argument; a group takes the name of one of its
    configs, a mapping of its keys, or its dataclass. `overrides` are further words of the command
    line, such as `"space.ops=[conv]"`.

    Parts of one's own take the place of configured ones: `space` a chain of decisions
    (`search.Chain`), `evaluator` a function from a `Job` to an accuracy in [0, 1] or a `Result`,
    `strategy` an object with `ask` and `tell`. With both a space and an evaluator no data is
    opened and neither Hydra nor JAX imported; then `budget` must be given, `trials` is 100,
    `epochs` 1, `ahead` 0 and `chance`, the accuracy of guessing, 0 unless said.

    `study` names the folder under `outputs` (a path stands for itself): the same call goes on
    where it was stopped. By default a search with nothing of one's own but a strategy has the
    folder that the command would give it, and others are kept in memory; None keeps any of them
    there. `objective` is what is maximised: `accuracy`, or `balanced_accuracy`, which an evaluator
    of one's own reports in `Result.details`. `confirm`: with how many fresh seeds the front is
    evaluated again, or `{"seeds": 3, "fraction": 0.1}`, on a share of the training split that chose
    nothing; `zoo`: whether the known networks that fit are trained as landmarks after the search.
    `logger`: one or several of `csv`, `tensorboard`, `mlflow`, `wandb`. `join`: evaluate for the
    process that holds the study, if there is one, instead of being refused. `progress` prints what
    the command prints, by default where networks are trained.

    Raises `UserError` for bad values, after ten failures in a row and where the surroundings fail
    twice; `Interrupted` on Ctrl-C.
    """
    chain = _own("space", space, "options", "step")
    asked = _own("strategy", strategy, "ask", "tell")
    _check_arguments(evaluator, study, overrides)
    parts = Parts(chain, evaluator, asked, chance)
    groups = {
        "data": data,
        "space": UNSET if chain is not None else space,
        "strategy": UNSET if asked is not None else strategy,
        "train": train,
        "executor": executor,
        "cache": cache,
        "confirm": {"seeds": confirm} if isinstance(confirm, int) else confirm,
    }
    plain = {
        "budget": budget,
        "budget_low": budget_low,
        "trials": trials,
        "hours": hours,
        "epochs": epochs,
        "aim": aim,
        "seed": seed,
        "objective": objective,
        "ahead": ahead,
        "outputs": str(outputs),
        "zoo": zoo,
        "allow_mixed": allow_mixed,
        "join": join,
        "logger": [logger] if isinstance(logger, str) else list(logger),
    }
    console = Console(quiet=not (evaluator is None if progress is None else progress))
    if not parts.need_images:
        if data is not UNSET or train is not UNSET:
            raise UserError(
                "data and train do nothing beside a space and an evaluator of one's own; leave"
                " them out"
            )
        config = _without_data(plain, groups, overrides)
        return session.search(config, _folder(study, config, ""), "", parts, console)
    # Imported here: one's own space and evaluator need no Hydra.
    from search.cli.hydra import prepare

    words = [*_words(groups, plain), *overrides]
    if study:
        words.append(f"study={word(Path(study).name)}")
    owns = {"space": chain, "strategy": asked}
    made = prepare(words, {group: type(own).__name__ for group, own in owns.items() if own})
    name = "" if chain is not None or evaluator is not None else made.name
    folder = _folder(study, made.config, name)
    return session.search(made.config, folder, made.text, parts, console)


def _own(argument: str, part: Any, *methods: str) -> Any:
    """Return a part of one's own, known by its methods; None for the name or keys of a config."""
    if not all(callable(getattr(part, name, None)) for name in methods):
        return None
    if isinstance(part, type):
        raise UserError(
            f"{argument}={part.__name__} is a class; give an instance, such as {part.__name__}()"
        )
    return part


def _check_arguments(evaluator: Any, study: Any, overrides: Any) -> None:
    """Raise `UserError` for arguments of a type that cannot be meant."""
    if evaluator is not None and not callable(evaluator):
        raise UserError(
            f"evaluator={shown(evaluator)} cannot be called; give a function from a Job to an"
            " accuracy"
        )
    if not isinstance(study, (str, Path, type(None))):
        raise UserError(f"study={shown(study)} is not a name; give a name, a path, or None")
    if isinstance(overrides, str) or not all(isinstance(one, str) for one in overrides):
        raise UserError(
            f"overrides={shown(overrides)} is not a list of words; give one, such as"
            ' ["space.ops=[conv]"]'
        )


def _without_data(plain: Keys, groups: Keys, overrides: Sequence[str]) -> RunConfig:
    """Return the configuration of a search on one's own space with one's own evaluator."""
    if overrides:
        raise UserError(
            f"overrides={list(overrides)} are for searches on data; give the argument instead"
        )
    if plain["budget"] is UNSET:
        raise UserError("budget is missing; give the most that an architecture may cost, as 200k")
    defaults = {"trials": 100, "epochs": 1, "ahead": 0}
    values: dict[str, Any] = {key: defaults[key] if v is UNSET else v for key, v in plain.items()}
    values |= {"budget": str(values["budget"])}
    if values["budget_low"] is not None:
        values["budget_low"] = str(values["budget_low"])
    kinds: dict[str, Any] = {
        "strategy": StrategyConfig,
        "executor": ExecutorConfig,
        "confirm": ConfirmConfig,
        "cache": CacheConfig,
    }
    for group, kind in kinds.items():
        given = groups[group]
        values[group] = kind() if given is UNSET else _group(group, kind, given)
    return RunConfig(**values)


def _group(group: str, kind: type[Any], given: Any) -> Any:
    if isinstance(given, kind):
        return given
    keys = {"name": given} if isinstance(given, str) else given
    try:
        return kind(**keys)
    except TypeError:
        raise UserError(
            f"{group}={shown(given, quoted=True)} is not one; give a name, its keys, a"
            f" {kind.__name__}, or an object of your own with its methods"
        ) from None


def _words(groups: Keys, plain: Keys) -> list[str]:
    """Write arguments as the command's words; those left out say nothing."""
    words = [f"{group}={given}" for group, given in groups.items() if isinstance(given, str)]
    for group, given in groups.items():
        if given is UNSET or isinstance(given, str):
            continue
        keys = asdict(given) if is_dataclass(given) and not isinstance(given, type) else given
        if not isinstance(keys, Mapping):
            raise UserError(
                f"{group}={shown(given, quoted=True)} is not one; give a name, a mapping of its"
                " keys, or its dataclass"
            )
        words += [f"{group}.{key}={word(value)}" for key, value in keys.items()]
    words += [f"{key}={word(value)}" for key, value in plain.items() if value is not UNSET]
    return words


def _folder(study: str | Path | None, config: RunConfig, name: str) -> Path | None:
    """Return the study's folder, None for one in memory; `name` is what it is called by default."""
    if study is None:
        return None
    path = Path(study or name)
    if not str(study or name):
        return None
    if study and path.name != str(study):
        return path
    return Path(config.outputs) / check_name(str(study or name))
