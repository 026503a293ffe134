"""The settings of a study: what may not change when it goes on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.config.run import RunConfig
from search.config.settings import walk
from search.errors import UserError

_SHOWN = 80


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def counted_as() -> dict[str, Any]:
    """Return what a key counts as in a study that was made before there was it: what was done then.

    That is its default, but where that has become another one since.
    """
    return {**flatten(RunConfig().settings()), "aim": "front"}


def refuse_changes(
    folder: Path | None, stored: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Raise `UserError` that shows how the `given` settings differ from those `stored`.

    A key that the study was made without has the value of `counted_as`. One that no longer defines
    results may differ.
    """
    free = {key for key, said, _ in walk(RunConfig()) if not said.identity}
    before = {key: value for key, value in flatten(stored).items() if key not in free}
    now = {key: value for key, value in flatten(given).items() if key not in free}
    defaults = counted_as()
    before |= {
        key: now[key]
        for key in now.keys() - before.keys()
        if key in defaults and now[key] == defaults[key]
    }
    changed = [
        f"{key} {_shown(before, key)} -> {_shown(now, key)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise UserError(
            f"{folder} was made with other settings: {', '.join(changed)}; go on with those, or"
            " choose another study="
        )


def _shown(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings:
        return "(absent)"
    text = str(settings[key])
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
