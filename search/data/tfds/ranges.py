"""Which examples a TFDS split such as `train[:80%]+extra` names, without importing TFDS.

The grammar and the rounding are those of `tensorflow_datasets.core.splits`.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# The lengths of the files of each split: their number and sum decide what a slice names.
Shards = Mapping[str, Sequence[int]]

_PART = re.compile(r"(?P<name>[\w-]+)(\[(?P<slice>[\w%:.-]+)\])?")
_BOUND = re.compile(r"(?P<value>-?[\d_.]+)?(?P<unit>%|shard)?")


def split_names(text: str, known: Sequence[str] = ()) -> tuple[str, ...]:
    """The splits that `text` takes examples from; `all` stands for every `known` one."""
    names = [part.split("[")[0].strip() for part in text.split("+")]
    return tuple(own for name in names for own in (known if name == "all" else (name,)))


def whole_splits(text: str, known: Sequence[str] = ()) -> tuple[str, ...]:
    """The splits that `text` takes as a whole, not sliced."""
    parts = [part.strip() for part in text.split("+")]
    return split_names("+".join(part for part in parts if "[" not in part), known)


def shared(first: str, second: str, shards: Shards) -> int:
    """How many examples two splits have in common; raises `ValueError` where TFDS can't read one.

    >>> shared("train[:60%]", "train[50%:]", {"train": [100]})
    10
    """
    one, other = _members(first, shards), _members(second, shards)
    return sum(int((mask & other[name]).sum()) for name, mask in one.items() if name in other)


def _members(text: str, shards: Shards) -> dict[str, NDArray[np.bool_]]:
    """The examples of each split that `text` names, as a mask [n] for each split."""
    found: dict[str, NDArray[np.bool_]] = {}
    for part in text.split("+"):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part!r} is not a split")
        for name in split_names(match["name"], tuple(shards)):
            if name not in shards:
                raise ValueError(f"there is no split {name!r}")
            mask = found.setdefault(name, np.zeros(sum(shards[name]), dtype=bool))
            mask[_slice(match["slice"], shards[name])] = True
    return found


def _slice(text: str | None, lengths: Sequence[int]) -> slice:
    """The examples of a split with files of these `lengths` that `10%:20%` and the like name."""
    if text is None:
        return slice(None)
    bounds = [_BOUND.fullmatch(bound) for bound in text.split(":")]
    if len(bounds) > 2 or not all(bounds):
        raise ValueError(f"[{text}] is not a slice")
    values = [bound["value"] for bound in bounds if bound]
    unit = next((bound["unit"] for bound in bounds if bound and bound["unit"]), "")
    if len(values) == 1:
        values.append(str(int(values[0] or 0) + 1))
    start, stop = values
    if unit == "%":
        total = sum(lengths)
        return slice(_percent(start, total), _percent(stop, total))
    first, last = start and int(start), stop and int(stop)
    if unit != "shard":
        return slice(first, last)
    # As in TFDS, an end of 0 files is the end of the last one.
    return slice(sum(lengths[:first]) if first else None, sum(lengths[:last]) if last else None)


def _percent(value: str | None, total: int) -> int | None:
    return None if value is None else round(float(value) * total / 100.0)
