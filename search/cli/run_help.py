"""What `run --help` and `--cfg job` say: every key with its value and its meaning."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search.config import shipped
from search.config.run import RunConfig
from search.config.settings import Setting, walk

_HEADER = """\
usage: convbudget run [KEY=VALUE …] [-m] [--cfg job] [--config-dir DIR]

Searches for the most accurate networks within a budget of multiplies. The same command again
goes on with the study; a larger trials= or hours= extends it.

  -m                runs one study for each combination of comma-separated values, such as
                    -m budget=50k,100k,200k seed=0,1; all are checked before the first starts.
                    hydra/launcher=joblib runs them side by side, submitit_slurm by SLURM
  --cfg job         prints the whole configuration, with what was set, and stops
  --config-dir DIR  adds a folder of your own configs, such as DIR/space/mine.yaml
  --traceback       shows where an error came from
  --hydra-help      says what else Hydra can do
  --shell-completion install=bash
                    prints the completion for bash, zsh or fish: eval "$(convbudget run
                    --shell-completion install=bash)"
"""
_WIDTH = 100
_COLUMN = 34


def text(
    values: Mapping[str, Any] | None = None,
    chosen: Mapping[str, str] | None = None,
    own: Sequence[Path] = (),
) -> str:
    """Return the help: usage, the choices of each group, every key with its value and meaning.

    `values` are the values by group, by default those of the plain command. `chosen` is the config
    of each group, whose introductions are then shown; `own` are the user's folders of configs.
    """
    lines = [_HEADER, "groups (GROUP=CHOICE):"]
    for group in shipped.GROUPS:
        lines += _entry(group, ", ".join(shipped.choices(group, *own)), 10)
    presets = ", ".join(shipped.choices(shipped.EXPERIMENT, *own))
    lines += _entry(shipped.EXPERIMENT, f"{presets}: presets over all of these", 10)
    sections: dict[str, list[str]] = {"": ["", "keys (KEY=VALUE, with their values):"]}
    for key, said, default in walk(RunConfig()):
        group, _, name = key.rpartition(".")
        value = default
        if values is not None:
            value = (values[group] if group else values)[name]
        if group not in sections:
            title = f"{group}={chosen[group]}" if chosen and group in chosen else group
            sections[group] = ["", f"{title}:"]
            if chosen and group in chosen:
                about = shipped.introduction(group, chosen[group], *own)
                sections[group] += textwrap.wrap(
                    about, _WIDTH, initial_indent="  ", subsequent_indent="  "
                )
        sections[group] += _entry(f"{key}={written(value)}", explanation(said), _COLUMN)
    return "\n".join([*lines, *(line for section in sections.values() for line in section)])


def commented(values: Mapping[str, Any], prefix: str = "") -> str:
    """Return `values` as YAML with each key's meaning in a comment beside it.

    `prefix` is the dotted key that `values` lie under, with a dot at its end.
    """
    said = {key: explanation(setting) for key, setting, _ in walk(RunConfig())}
    return "\n".join(_commented(values, said, prefix, 0))


def written(value: object) -> str:
    """Return a value as it is written on a command line."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{','.join(map(written, value))}]"
    return str(value)


def explanation(said: Setting) -> str:
    """Return a setting's help with its choices."""
    choices = ", ".join(map(str, said.choices))
    return f"{said.help} ({choices})" if choices else said.help


def _entry(head: str, about: str, column: int) -> list[str]:
    """Lay out one entry: its head, and beside or below it the wrapped explanation."""
    indent = " " * (column + 4)
    lines = textwrap.wrap(about, _WIDTH, initial_indent=indent, subsequent_indent=indent)
    if len(head) > column or not lines:
        return [f"  {head}", *lines]
    return [f"  {head:<{column}}  {lines[0].lstrip()}", *lines[1:]]


def _commented(
    values: Mapping[str, Any], said: Mapping[str, str], prefix: str, depth: int
) -> list[str]:
    indent = "  " * depth
    lines = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{key}:", *_commented(value, said, f"{prefix}{key}.", depth + 1)]
            continue
        line = f"{indent}{key}: {_yaml(value)}"
        about = said.get(f"{prefix}{key}")
        lines.append(f"{line:<{_COLUMN}}  # {about}" if about else line)
    return lines


def _yaml(value: object) -> str:
    """Return a scalar or a list as YAML on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if not isinstance(value, str):
        return written(value)
    # Imported here: --help does without it. OmegaConf quotes what its own loader would misread.
    from omegaconf import OmegaConf

    line = OmegaConf.to_yaml({"key": value}).strip().removeprefix("key: ")
    if "\n" not in line:
        return line
    from json import dumps

    return dumps(value)
