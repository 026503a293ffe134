"""The default name of a study, made of what defines it."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.config.run import RunConfig
from search.files import canonical_json
from search.study.settings import flatten
from search.units import format_multiplies, parse_multiplies

# Settings that the name itself shows.
_NAMED = {"budget", "budget_low", "seed"}


def study_name(config: RunConfig, chosen: Mapping[str, str], plain: Mapping[str, Any]) -> str:
    """Return a name such as `digits-small-random-200k-seed0`.

    `chosen` maps each config group to the chosen file; `plain` holds the values, in groups, of
    those files alone. A short hash is added where `config` changes anything else that defines
    results.
    """
    low, high = config.interval
    data = chosen["data"]
    unsaid = set(_NAMED)
    if config.improved == config.default_aim:
        unsaid.add("aim")
    if data in ("tfds", "folder"):
        data = Path(config.data.path).name if data == "folder" else config.data.name
        unsaid |= {"data.name"}
    budget = f"{_exact(low)}-{_exact(high)}" if low else _exact(high)
    now, before = flatten(config.settings()), flatten(plain)
    changed = {
        key: value for key, value in now.items() if key not in unsaid and before.get(key) != value
    }
    parts = [data, chosen["space"], chosen["strategy"], budget, f"seed{config.seed}"]
    if changed:
        parts.append(hashlib.sha256(canonical_json(changed).encode()).hexdigest()[:6])
    return re.sub(r"[^\w.+=,-]+", "_", "-".join(parts)).lstrip(".")


def _exact(multiplies: int) -> str:
    if not multiplies:
        return "0"
    short = format_multiplies(multiplies)
    return short if parse_multiplies(short) == multiplies else str(multiplies)
