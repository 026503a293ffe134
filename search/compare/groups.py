"""Group studies that differ only in their seed, and name groups by the settings that differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.compare.studies import Entry, settings_of
from search.files import canonical_json
from search.units import format_multiplies, parse_multiplies

# A study derives these from its space and budget, so they are not settings that a user chose.
_DERIVED = {"space.within", "space.cheapest"}
# Settings shown as numbers of multiplies.
_MULTIPLIES = {"budget", "budget_low"}
# Characters of a name in the head of a table, about as wide as its cells.
_WIDTH = 22


@dataclass(frozen=True)
class Group:
    """Studies with equal settings, by rising seed; `label` states what sets them apart."""

    label: str
    entries: tuple[Entry, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its studies."""
        return tuple(entry.seed for entry in self.entries)


def group(entries: Sequence[Entry]) -> list[Group]:
    """Group studies by their settings without the seed: by rising budget, then in the order given.

    A shell lists 100k before 50k.
    """
    by_settings: dict[str, list[Entry]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for entry, flat in zip(entries, settings_of(entries), strict=True):
        key = canonical_json(flat)
        by_settings.setdefault(key, []).append(entry)
        settings[key] = flat
    order = sorted(settings, key=lambda key: by_settings[key][0].info.high)
    labels = label([settings[key] for key in order])
    return [
        Group(text, tuple(sorted(by_settings[key], key=lambda entry: entry.seed)))
        for text, key in zip(labels, order, strict=True)
    ]


def label(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name each of several settings (dotted keys) by the overrides in which they differ.

    Where the name of a part, such as `space.name`, already distinguishes the settings of that part,
    only the name is written. A single one is called `all`.
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


def without_common_key(labels: Sequence[str]) -> list[str]:
    """Return labels that all set one and the same key as its values; others as they are."""
    single = all("=" in text and " " not in text for text in labels)
    if single and len({text.partition("=")[0] for text in labels}) == 1:
        return [text.partition("=")[2] for text in labels]
    return list(labels)


def short_labels(labels: Sequence[str]) -> list[str]:
    """Return names for the columns of a table, in the order of `labels`.

    They are the values where all labels set one and the same key, else the labels; where one of
    these is long, letters.
    """
    names = without_common_key(labels)
    if len(set(names)) == len(names) and all(0 < len(name) <= _WIDTH for name in names):
        return names
    return [_letter(index) for index in range(len(labels))]


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"G{index + 1}"


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
    if key in _MULTIPLIES and isinstance(value, int) and value > 0:
        text = format_multiplies(value)
        # Four digits may be too few to tell two budgets apart.
        return f"{word}={text if parse_multiplies(text) == value else value}"
    if isinstance(value, list):
        return f"{word}=[{','.join(map(str, value))}]"
    return f"{word}={value}"
