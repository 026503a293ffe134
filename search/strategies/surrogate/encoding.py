"""Option encodings as vectors, for chains of which nothing is known but their options.

A decision's slot is where it stands: in encodings of one length its position, in encodings of many
lengths its number since the last landmark. Options that are ever offered together are of one
kind; landmarks are decisions of the kinds that every encoding decides equally often, such as the
width of a stage, however many blocks the stages have.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from search.jobs import Option, Options
from search.spaces.budget_table import BudgetTable

Matrix = NDArray[np.float64]
# Number of landmarks passed, kind, number of its kind since the last landmark.
_Slot = tuple[int, int, int]
_NUMBER = re.compile(r"(\D*)(\d+)")


@dataclass(frozen=True)
class Features:
    """Encodings as rows.

    `slots` [n, s]: one-hot over (slot, option), to compare decisions one by one.

    `linear` [n, p]: the same, and steps of numbered options; `counts` [n, q]: how often each
    option is taken, in all and between landmarks; both centred, with rows of mean square norm 1.
    `cost` [n]: log-multiplies in [0, 1]; `lengths` [n]: numbers of decisions.
    """

    slots: Matrix
    linear: Matrix
    counts: Matrix
    cost: Matrix
    lengths: Matrix

    @property
    def parts(self) -> tuple[Matrix, Matrix, Matrix, Matrix, Matrix]:
        """All arrays, in the order of the fields."""
        return self.slots, self.linear, self.counts, self.cost, self.lengths


class Encoder:
    """Turns encodings into `Features`, with the vocabulary of a sample of them.

    What the sample did not hold has no feature of its own; its other decisions still have theirs.
    """

    def __init__(self, table: BudgetTable, sample: Sequence[Options]) -> None:
        self._table = table
        self._kind = _kinds(node.options for node in table.graph.nodes)
        decided = [Counter(self._kind[option] for option in options) for options in sample]
        kinds = set().union(*decided)
        self._landmarks = {k for k in kinds if len({counts[k] for counts in decided}) == 1}
        slotted = [list(self._slotted(options)) for options in sample]
        self._slots = _numbered(pair for pairs in slotted for pair in pairs)
        self._counts = _numbered(key for pairs in slotted for pair in pairs for key in _said(pair))
        self._steps = _steps(self._slots)
        self._known: dict[tuple[_Slot, Option], tuple[int | None, list[int], list[int]]] = {}
        width = 1 + max((index for found in self._steps.values() for index in found), default=-1)
        self._wide = len(self._slots) + width
        self._moments = [(np.zeros(self._wide), 1.0), (np.zeros(len(self._counts)), 1.0)]
        self._low, self._span = 0.0, 1.0
        raw = self(sample)
        self._moments = [_moments(raw.linear), _moments(raw.counts)]
        self._low, self._span = float(raw.cost.min()), float(np.ptp(raw.cost)) or 1.0

    def __call__(self, encodings: Sequence[Options]) -> Features:
        """Return the features of `encodings`."""
        slots = np.zeros((len(encodings), len(self._slots)))
        linear = np.zeros((len(encodings), self._wide))
        counts = np.zeros((len(encodings), len(self._counts)))
        for row, options in enumerate(encodings):
            taken: list[int] = []
            stepped: list[int] = []
            counted: list[int] = []
            for pair in self._slotted(options):
                index, below, keys = self._found(pair)
                if index is not None:
                    taken.append(index)
                    stepped += below
                counted += keys
            slots[row, taken] = 1.0
            linear[row, stepped] = 1.0
            counts[row] = np.bincount(counted, minlength=counts.shape[1])
        linear[:, -len(self._slots) :] = slots
        (linear_mean, linear_size), (count_mean, count_size) = self._moments
        costs = np.array([self._table.cost(options) for options in encodings], np.float64)
        return Features(
            slots,
            (linear - linear_mean) / linear_size,
            (counts - count_mean) / count_size,
            self.share(costs),
            np.array([len(options) for options in encodings], np.float64),
        )

    def share(self, costs: Matrix) -> Matrix:
        """Return costs in multiplies as shares of the sample's log-interval."""
        return (np.log(np.maximum(1.0, costs)) - self._low) / self._span

    def _found(self, pair: tuple[_Slot, Option]) -> tuple[int | None, list[int], list[int]]:
        """Return a decision's number, its steps and what it counts for; looked up once."""
        known = self._known.get(pair)
        if known is None:
            index = self._slots.get(pair)
            below = [] if index is None else self._steps[index]
            keys = [self._counts[key] for key in _said(pair) if key in self._counts]
            known = self._known[pair] = index, below, keys
        return known

    def _slotted(self, options: Options) -> Iterator[tuple[_Slot, Option]]:
        landmarks = 0
        since: dict[int, int] = {}
        for option in options:
            kind = self._kind[option]
            if kind in self._landmarks:
                landmarks += 1
                since.clear()
            number = since.get(kind, 0)
            yield (landmarks, kind, number), option
            since[kind] = number + 1


def _said(pair: tuple[_Slot, Option]) -> tuple[tuple[int, Option], tuple[int, Option]]:
    """What a decision counts for: its option anywhere, and since the same landmark."""
    return (-1, pair[1]), (pair[0][0], pair[1])


_Key = TypeVar("_Key", bound=Hashable)


def _numbered(keys: Iterable[_Key]) -> dict[_Key, int]:
    return {key: i for i, key in enumerate(dict.fromkeys(keys))}


def _steps(slots: dict[tuple[_Slot, Option], int]) -> dict[int, list[int]]:
    """Map each (slot, option) to its steps: one for each smaller number that the slot offers.

    So `w24` says all that `w16` says and one thing more, and neighbouring numbers are alike.
    """
    ladders: dict[tuple[_Slot, str], list[tuple[int, int]]] = {}
    for (slot, option), index in slots.items():
        match = _NUMBER.fullmatch(str(option))
        if match is not None:
            ladders.setdefault((slot, match[1]), []).append((int(match[2]), index))
    found: dict[int, list[int]] = {index: [] for index in slots.values()}
    width = 0
    for ladder in ladders.values():
        for rank, (_, index) in enumerate(sorted(ladder)):
            found[index] = list(range(width, width + rank))
        width += len(ladder) - 1
    return found


def _kinds(offers: Iterable[Sequence[Option]]) -> dict[Option, int]:
    """Number the options so that those ever offered together share a number."""
    parent: dict[Option, Option] = {}

    def top(option: Option) -> Option:
        while parent.setdefault(option, option) != option:
            parent[option] = parent[parent[option]]
            option = parent[option]
        return option

    for options in offers:
        for option in options:
            parent[top(option)] = top(options[0])
    number = _numbered(top(option) for option in parent)
    return {option: number[top(option)] for option in parent}


def _moments(matrix: Matrix) -> tuple[Matrix, float]:
    mean = matrix.mean(axis=0)
    size = np.sqrt(np.square(matrix - mean).sum(axis=1).mean()) if matrix.size else 0.0
    return mean, float(size) or 1.0
