"""Encodings as feature vectors, for chains of which nothing is known but their options.

To compare encodings of different lengths, decisions are aligned: in encodings of one length by
position, otherwise by their number since the last landmark. Options that are ever offered together
are of one kind. Landmarks are decisions of the kinds that every encoding decides equally often,
such as the width of a stage, however many blocks the stages have.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from search.jobs import Option, Options
from search.spaces.budget_table import BudgetTable
from search.strategies.surrogate.arrays import FloatArray

# An aligned position: number of landmarks passed, kind, number of that kind since the landmark.
_Place = tuple[int, int, int]
_Decision = tuple[_Place, Option]
_NUMBERED = re.compile(r"(\D*)(\d+)")


@dataclass(frozen=True)
class Features:
    """Features of n encodings.

    `linear` and `counts` are centred and scaled to rows of mean square norm 1.
    """

    decisions: FloatArray  # [n, d] one-hot over (aligned position, option)
    linear: FloatArray  # [n, p] thermometer code of numbered options, and `decisions`
    counts: FloatArray  # [n, q] how often each option is taken, in all and between landmarks
    cost: FloatArray  # [n] log-multiplies as a share of the sample's log-interval
    lengths: FloatArray  # [n] number of decisions

    @property
    def arrays(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """All arrays, in the order of the fields."""
        return self.decisions, self.linear, self.counts, self.cost, self.lengths


class Featurizer:
    """Maps encodings to `Features` over the decisions that occur in a sample.

    A decision that the sample does not contain has no feature; the encoding's others still have.
    """

    def __init__(self, table: BudgetTable, sample: Sequence[Options]) -> None:
        self._table = table
        self._kind = _kinds(node.options for node in table.graph.nodes)
        per_kind = [Counter(self._kind[option] for option in options) for options in sample]
        kinds = set().union(*per_kind)
        self._landmarks = {k for k in kinds if len({counts[k] for counts in per_kind}) == 1}
        aligned = [list(self._aligned(options)) for options in sample]
        self._decisions = _numbered(decision for decisions in aligned for decision in decisions)
        self._counts = _numbered(
            key for decisions in aligned for decision in decisions for key in _count_keys(decision)
        )
        self._thermometer = _thermometer(self._decisions)
        self._looked_up: dict[_Decision, tuple[int | None, list[int], list[int]]] = {}
        steps = 1 + max((i for found in self._thermometer.values() for i in found), default=-1)
        self._linear_size = steps + len(self._decisions)
        # Identity until the sample's own moments are known.
        self._moments = [(np.zeros(self._linear_size), 1.0), (np.zeros(len(self._counts)), 1.0)]
        self._low, self._span = 0.0, 1.0
        raw = self(sample)
        self._moments = [_moments(raw.linear), _moments(raw.counts)]
        self._low, self._span = float(raw.cost.min()), float(np.ptp(raw.cost)) or 1.0

    def __call__(self, encodings: Sequence[Options]) -> Features:
        """Return the features of n `encodings`."""
        decisions = np.zeros((len(encodings), len(self._decisions)))
        linear = np.zeros((len(encodings), self._linear_size))
        counts = np.zeros((len(encodings), len(self._counts)))
        for row, options in enumerate(encodings):
            taken: list[int] = []
            steps: list[int] = []
            counted: list[int] = []
            for decision in self._aligned(options):
                index, below, keys = self._look_up(decision)
                if index is not None:
                    taken.append(index)
                    steps += below
                counted += keys
            decisions[row, taken] = 1.0
            linear[row, steps] = 1.0
            counts[row] = np.bincount(counted, minlength=counts.shape[1])
        linear[:, -len(self._decisions) :] = decisions
        (linear_mean, linear_scale), (count_mean, count_scale) = self._moments
        costs = np.array([self._table.cost(options) for options in encodings], np.float64)
        return Features(
            decisions,
            (linear - linear_mean) / linear_scale,
            (counts - count_mean) / count_scale,
            self.scaled_cost(costs),
            np.array([len(options) for options in encodings], np.float64),
        )

    def scaled_cost(self, multiplies: FloatArray) -> FloatArray:
        """Return costs [n] as shares of the sample's log-interval [n]."""
        return (np.log(np.maximum(1.0, multiplies)) - self._low) / self._span

    def _look_up(self, decision: _Decision) -> tuple[int | None, list[int], list[int]]:
        """Return a decision's one-hot index, its thermometer steps and its counts, cached."""
        found = self._looked_up.get(decision)
        if found is None:
            index = self._decisions.get(decision)
            below = [] if index is None else self._thermometer[index]
            keys = [self._counts[key] for key in _count_keys(decision) if key in self._counts]
            found = self._looked_up[decision] = index, below, keys
        return found

    def _aligned(self, options: Options) -> Iterator[_Decision]:
        """Yield each decision with its aligned position."""
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


def _count_keys(decision: _Decision) -> tuple[tuple[int, Option], tuple[int, Option]]:
    """Return what a decision is counted under: its option anywhere, and since its landmark."""
    (landmarks, _, _), option = decision
    return (-1, option), (landmarks, option)


_Key = TypeVar("_Key", bound=Hashable)


def _numbered(keys: Iterable[_Key]) -> dict[_Key, int]:
    """Number distinct keys in the order they come."""
    return {key: i for i, key in enumerate(dict.fromkeys(keys))}


def _thermometer(decisions: dict[_Decision, int]) -> dict[int, list[int]]:
    """Map each decision to its steps: one for each smaller number offered at the same position.

    `w24` has the steps of `w16` and one more, so that neighbouring numbers are similar.
    """
    ladders: dict[tuple[_Place, str], list[tuple[int, int]]] = {}
    for (place, option), index in decisions.items():
        match = _NUMBERED.fullmatch(str(option))
        if match is not None:
            ladders.setdefault((place, match[1]), []).append((int(match[2]), index))
    found: dict[int, list[int]] = {index: [] for index in decisions.values()}
    width = 0
    for ladder in ladders.values():
        for rank, (_, index) in enumerate(sorted(ladder)):
            found[index] = list(range(width, width + rank))
        width += len(ladder) - 1
    return found


def _kinds(offers: Iterable[Sequence[Option]]) -> dict[Option, int]:
    """Number the options so that those ever offered together share a number (union-find)."""
    parent: dict[Option, Option] = {}

    def root(option: Option) -> Option:
        while parent.setdefault(option, option) != option:
            parent[option] = parent[parent[option]]
            option = parent[option]
        return option

    for options in offers:
        for option in options:
            parent[root(option)] = root(options[0])
    number = _numbered(root(option) for option in parent)
    return {option: number[root(option)] for option in parent}


def _moments(matrix: FloatArray) -> tuple[FloatArray, float]:
    """Return the mean row [p] and the root mean square norm of the centred rows."""
    mean = matrix.mean(axis=0)
    norm = np.sqrt(np.square(matrix - mean).sum(axis=1).mean()) if matrix.size else 0.0
    return mean, float(norm) or 1.0
