"""The command that repeats a search, as a shell takes it."""

import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from search.config import shipped
from search.config.data import DATA_NAME
from search.config.run import RunConfig
from search.config.settings import walk
from search.config.strategy import StrategyConfig
from search.config.train import TrainConfig
from search.config.words import word
from search.errors import UserError
from search.study.settings import counted_as, flatten
from search.units import parse_multiplies

# What only fills the keys `budget` and `epochs`, which are given themselves, and the trials made.
_LEFT_OUT = ("data.budget", "data.epochs", "trials")
_MULTIPLIES = ("budget", "budget_low")


def command(settings: Mapping[str, Any], config: str, trials: int) -> str:
    """Return the command that repeats a search of `trials` trials.

    `settings` are the study's, `config` its `config.yaml`, which alone knows where images lie.
    Empty where parts of one's own took part, or where nothing says where the images lie.
    """
    groups = [settings.get(group) for group in ("data", "space", "strategy", "train")]
    if not all(isinstance(group, Mapping) for group in groups):
        return ""
    known = [key for key, _, _ in walk(RunConfig())]
    written, stored = _read(config), flatten(settings)
    # A configuration has 200k where the settings have 200000.
    stored |= {
        key: written[key]
        for key in _MULTIPLIES
        if key in written and _same(key, written[key], stored)
    }
    found = {"aim": counted_as()["aim"], **written, **stored}
    given = {key: found[key] for key in known if key in found and key not in _LEFT_OUT}
    if given.get("data.name") == "folder" and not given.get("data.path"):
        return ""
    chosen = {"data": _data_set(given), "space": "small", "train": "default"}
    words = [] if chosen["data"] == "digits" else [f"data={chosen['data']}"]
    if chosen["data"] == "tfds" and DATA_NAME.fullmatch(str(given["data.name"])):
        words = [f"data={given.pop('data.name')}"]
    chosen |= _overridden(chosen["data"])
    chosen["strategy"] = "surrogate"
    for group in ("space", "strategy"):
        name = given.get(f"{group}.name")
        if name != chosen[group] and name in shipped.choices(group):
            chosen[group] = str(name)
            words.append(f"{group}={name}")
    composed = _composed(chosen)
    words += [
        f"{key}={word(value)}" for key, value in given.items() if not _same(key, value, composed)
    ]
    line = shlex.join(["convbudget", "run", *words, f"trials={trials}"])
    # No setting has control characters; a file that somebody sent may.
    return line if line.isprintable() else ""


def _read(config: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(config)
    except yaml.YAMLError:
        return {}
    return flatten(values) if isinstance(values, dict) else {}


def _data_set(given: Mapping[str, Any]) -> str:
    """Return the shipped config of the study's data; `tfds` where there is none of it."""
    name = given.get("data.name")
    same = (one for one in shipped.choices("data") if shipped.values("data", one)["name"] == name)
    return next(same, "tfds")


def _overridden(data: str) -> dict[str, str]:
    """Return the configs that a data set chooses for other groups."""
    found = {}
    for entry in shipped.values("data", data).get("defaults", []):
        for key, choice in entry.items():
            found[key.removeprefix("override /").partition("@")[0]] = choice
    return found


def _composed(chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return what the chosen configs compose to, with dotted keys."""
    plain = RunConfig(strategy=StrategyConfig(), train=TrainConfig())
    values = {key: value for key, _, value in walk(plain)}
    for group, name in chosen.items():
        for key, value in shipped.values(group, name).items():
            values[f"{group}.{key}"] = value
    aim = RunConfig(strategy=StrategyConfig(chosen["strategy"])).default_aim
    return values | {
        "budget": values["data.budget"],
        "epochs": values["data.epochs"],
        # What it comes to where it is not given.
        "aim": aim,
    }


def _same(key: str, value: Any, other: Mapping[str, Any]) -> bool:
    if key in _MULTIPLIES:
        try:
            return parse_multiplies(value) == parse_multiplies(other[key])
        except (KeyError, UserError):
            # No lower end, which settings hold as 0 and a configuration as null.
            return key in other and not value and not other[key]
    return bool(value == other[key])
