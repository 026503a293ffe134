"""The words KEY=VALUE of a command line, before Hydra reads them."""

import re
from collections.abc import Collection, Sequence

from search.config.shipped import GROUPS
from search.errors import UserError, shown


def with_data_sets(overrides: Sequence[str], known: Collection[str]) -> list[str]:
    """Let `data=NAME` stand for `data=tfds data.name=NAME` where `NAME` is not among `known`.

    Raises `UserError` for a word without a key, and for a group that is given several configs.
    """
    result = []
    for override in overrides:
        key, _, value = override.partition("=")
        if not key.strip("+~ "):
            raise UserError(f"{shown(override)!r} has no key; write KEY=VALUE")
        if value.startswith("[") and key in GROUPS:
            raise UserError(
                f"{shown(override)} names several configs at once; choose one, or sweep: -m"
            )
        is_name = key == "data" and value != "null" and re.fullmatch(r"[\w/.:]+", value)
        if is_name and "tfds" in known and value not in known:
            result += ["data=tfds", f"data.name={value}"]
        else:
            result.append(override)
    return result
