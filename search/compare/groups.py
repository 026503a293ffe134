"""Studies that differ in their seed alone are one group, named after what sets it apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.compare.studies import Entry, settings_of
from search.files import canonical_json
from search.units import format_multiplies

# What a study notes of one's own space follows from the space and the budget.
_DERIVED = {"space.within", "space.cheapest"}
# Budgets are read as people write them.
_MULTIPLIES = {"budget", "budget_low"}


@dataclass(frozen=True)
class Group:
    """Studies of equal settings over seeds, by rising seed; `label` is what others have not."""

    label: str
    entries: tuple[Entry, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its studies."""
        return tuple(entry.seed for entry in self.entries)


def group(entries: Sequence[Entry]) -> list[Group]:
    """Group studies by their settings, in the order in which they were given."""
    by_settings: dict[str, list[Entry]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for entry, flat in zip(entries, settings_of(entries), strict=True):
        key = canonical_json(flat)
        by_settings.setdefault(key, []).append(entry)
        settings[key] = flat
    labels = label(list(settings.values()))
    return [
        Group(text, tuple(sorted(members, key=lambda entry: entry.seed)))
        for text, members in zip(labels, by_settings.values(), strict=True)
    ]


def label(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name each of several settings (dotted keys) by the overrides in which they differ.

    Where the name of a part, such as `space.name`, tells its settings apart, it stands for them.
    A single one is called `all`.
    """
    keys = sorted({key for flat in settings for key in flat})
    differing = [
        key for key in keys if len({canonical_json(flat.get(key)) for flat in settings}) > 1
    ]
    if not differing:
        return ["all" for _ in settings]
    differing = [key for key in differing if key not in _DERIVED] or differing
    named = {
        part
        for part in {key.partition(".")[0] for key in differing}
        if _name_suffices(part, differing, settings)
    }
    shown = [
        key
        for key in differing
        if key.partition(".")[0] not in named or key == f"{key.partition('.')[0]}.name"
    ]
    return [
        " ".join(
            _override(key, flat[key]) for key in shown if key in flat and flat[key] is not None
        )
        or "default"
        for flat in settings
    ]


def _name_suffices(
    part: str, differing: Sequence[str], settings: Sequence[Mapping[str, Any]]
) -> bool:
    name = f"{part}.name"
    if name not in differing:
        return False
    own = [key for key in differing if key.startswith(f"{part}.")]
    names = {canonical_json(flat.get(name)) for flat in settings}
    return len(names) == len({canonical_json([flat.get(key) for key in own]) for flat in settings})


def _override(key: str, value: Any) -> str:
    """Write a setting as it would be typed: `strategy=local`, `space.ops=[conv,separable]`."""
    word = key.removesuffix(".name") if key.count(".") == 1 else key
    if key in _MULTIPLIES and isinstance(value, int):
        return f"{word}={format_multiplies(value)}"
    if isinstance(value, list):
        return f"{word}=[{','.join(map(str, value))}]"
    return f"{word}={value}"
