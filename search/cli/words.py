"""The words KEY=VALUE of a command line, before Hydra reads them."""

import re
from collections.abc import Collection, Sequence

from search.config.shipped import GROUPS, choices
from search.errors import UserError, shown

# No key is longer; Hydra looks for a file of that name, which fails for very long ones.
_LONGEST = 100
# Of a set of TFDS, or of a folder: what is none is then refused as a name.
_LIKE_A_NAME = re.compile(r"[\w/.:*+-]+")
_HEEDED = r"hydra(\.(mode|searchpath)$|[./](sweep|sweeper|launcher)\b)"


def with_data_sets(overrides: Sequence[str], known: Collection[str]) -> list[str]:
    """Let `data=NAME` stand for `data=tfds data.name=NAME` where `NAME` is not among `known`.

    Raises `UserError` for a word whose key cannot be one, and for a group that is given no config
    or several.
    """
    result = []
    for override in overrides:
        key, _, value = override.partition("=")
        if not key.strip("+~ "):
            raise UserError(f"{shown(override)!r} has no key; write KEY=VALUE")
        if len(key) > _LONGEST:
            raise UserError(f"{shown(key)} is not a key; `convbudget run --cfg job` shows all keys")
        if key.lstrip("+").startswith("hydra.sweeper.params"):
            # Hydra has null there, and fails to set anything beneath it but from a file.
            raise UserError(
                f"{shown(key)} can be set in a config file only; on the command line, write"
                " -m KEY=VALUE,VALUE"
            )
        if key.startswith("~") and not key.startswith("~hydra"):
            raise UserError(f"{shown(override)} takes a key away, and all are needed; leave it out")
        if key in GROUPS and value in ("", "null"):
            raise UserError(
                f"{shown(override)} chooses no config, and one is needed; known are"
                f" {', '.join(choices(key))}"
            )
        if value.startswith("[") and key in GROUPS:
            raise UserError(
                f"{shown(override)} names several configs at once; choose one, or sweep: -m"
            )
        if key == "logger":
            # One name or null, as Hydra's users write it; the key itself holds a list.
            value = "" if value == "null" else value
            result.append(override if value.startswith("[") else f"logger=[{value}]")
            continue
        is_name = key == "data" and _LIKE_A_NAME.fullmatch(value)
        if is_name and "tfds" in known and value not in known:
            result += ["data=tfds", f"data.name={value}"]
        else:
            result.append(override)
    return result


def check_hydra_words(overrides: Sequence[str]) -> None:
    """Refuse those of Hydra's own keys that mean nothing to a single run."""
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if re.match(r"hydra\b", key) and not re.match(_HEEDED, key):
            raise UserError(
                f"{shown(key)} has no effect on a single run; outputs= and study= say where it"
                " goes, and -m passes Hydra's keys to its launcher"
            )
