"""Cache of pairwise kernel terms between encodings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.jobs import Options
from search.strategies.surrogate.arrays import Float32Array, FloatArray, IndexArray
from search.strategies.surrogate.features import Features, Featurizer


@dataclass(frozen=True)
class PairwiseTerms:
    """What the kernel computes from two encodings before any hyperparameter; each [n, m]."""

    linear_product: Float32Array  # of `Features.linear`
    count_product: Float32Array  # of `Features.counts`
    decision_distance: Float32Array  # share of decisions that differ, in [0, 1]
    count_distance: Float32Array  # squared Euclidean, of `Features.counts`
    cost_distance: Float32Array  # squared, of `Features.cost`
    cost_product: Float32Array  # of `Features.cost`

    def select(self, rows: IndexArray, columns: IndexArray) -> "PairwiseTerms":
        """Return the terms of `rows` [n] and `columns` [m]."""
        # Whole rows first: several times as fast as picking single cells.
        terms = (getattr(self, name) for name in self.__dataclass_fields__)
        return PairwiseTerms(*(term.take(rows, 0).take(columns, 1) for term in terms))

    def diagonal(self, rows: IndexArray) -> FloatArray:
        """Return each of `rows`' linear, count and cost product with itself [3, m]."""
        terms = (self.linear_product, self.count_product, self.cost_product)
        return np.stack([term[rows, rows] for term in terms]).astype(np.float64)


class KernelCache:
    """Holds encodings in numbered rows, with the terms of every two of them.

    Comparing a new encoding with all others once, when it is added, leaves each proposal only
    look-ups. There is room for `capacity` encodings at first, and for so many more whenever it is
    full.
    """

    def __init__(self, featurizer: Featurizer, capacity: int) -> None:
        self._featurizer, self._block = featurizer, capacity
        self.options: list[Options] = []
        self._free: list[int] = []
        # Of each row: number of the call that added it, its place there, and how many it added.
        self._batch: list[tuple[int, int, int]] = []
        self._batches = 0
        self._features = featurizer([])
        self.pairwise = PairwiseTerms(*(np.zeros((0, 0), np.float32) for _ in range(6)))
        self._grow()

    @property
    def cost(self) -> FloatArray:
        """`Features.cost` of each row [capacity]."""
        return self._features.cost

    def scaled_cost(self, multiplies: Sequence[int]) -> FloatArray:
        """Return costs in multiplies [k] on the scale of `Features.cost` [k]."""
        return self._featurizer.scaled_cost(np.array(multiplies, np.float64))

    def add(self, encodings: Sequence[Options]) -> list[int]:
        """Add `encodings`; return their rows."""
        if not encodings:
            return []
        while len(self._free) < len(encodings):
            self._grow()
        rows = [self._free.pop() for _ in encodings]
        features = self._featurizer(encodings)
        for place, (row, options) in enumerate(zip(rows, encodings, strict=True)):
            self.options[row] = options
            self._batch[row] = self._batches, place, len(rows)
        self._batches += 1
        self._compare_all(rows, features)
        return rows

    def drop(self, row: int) -> None:
        """Free a row for another encoding."""
        self._free.append(row)

    def snapshot(self) -> dict[str, Any]:
        """Return the encodings with their rows and how they were added, from which terms follow."""
        free = set(self._free)
        rows = [row for row in range(len(self.options)) if row not in free]
        held = [[row, self.options[row], *self._batch[row]] for row in rows]
        return {"free": self._free, "held": held, "batches": self._batches}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Compute the terms of what `snapshot` returned, to the last bit.

        Batch by batch, each of its first size: the last bits of a matrix product depend on that.
        """
        while len(self.options) < len(state["free"]) + len(state["held"]):
            self._grow()
        self._free, self._batches = list(state["free"]), int(state["batches"])
        batches: dict[int, list[tuple[int, int]]] = {}
        for row, options, batch, place, size in state["held"]:
            self.options[row], self._batch[row] = tuple(options), (batch, place, size)
            batches.setdefault(batch, []).append((place, row))
        for _, held in sorted(batches.items()):
            places, rows = (list(numbers) for numbers in zip(*held, strict=True))
            features = self._featurizer([self.options[row] for row in rows])
            padded = Features(
                *(
                    np.zeros((self._batch[rows[0]][2], *array.shape[1:]))
                    for array in features.arrays
                )
            )
            for array, new in zip(padded.arrays, features.arrays, strict=True):
                array[places] = new
            self._compare_all(rows, padded, places)

    def _grow(self) -> None:
        """Make room for one block more of encodings."""
        size, added = len(self.options), self._block
        self.options += [()] * added
        self._batch += [(0, 0, 0)] * added
        self._free = [*range(size + added - 1, size - 1, -1), *self._free]
        self._features = Features(
            *(
                np.concatenate([array, np.zeros((added, *array.shape[1:]))])
                for array in self._features.arrays
            )
        )
        terms = (getattr(self.pairwise, name) for name in PairwiseTerms.__dataclass_fields__)
        self.pairwise = PairwiseTerms(*(np.pad(term, (0, added)) for term in terms))

    def _compare_all(
        self, rows: list[int], features: Features, places: Sequence[int] | None = None
    ) -> None:
        """Fill `rows` with `features`, or with those at `places`, and compare them with all."""
        own = list(range(len(rows))) if places is None else list(places)
        for array, new in zip(self._features.arrays, features.arrays, strict=True):
            array[rows] = new[own]
        # Block by block: the last bits of a product depend on its size, and would change with it.
        for start in range(0, len(self.options), self._block):
            block = slice(start, start + self._block)
            terms = _compare(features, Features(*(array[block] for array in self._features.arrays)))
            for name in PairwiseTerms.__dataclass_fields__:
                held, new = getattr(self.pairwise, name), getattr(terms, name)[own]
                held[rows, block] = new
                held[block, rows] = new.T


def _compare(one: Features, other: Features) -> PairwiseTerms:
    longest = np.maximum(1.0, np.maximum(one.lengths[:, None], other.lengths))
    counts = one.counts @ other.counts.T
    norm, norms = (np.square(features.counts).sum(axis=1) for features in (one, other))
    terms = (
        one.linear @ other.linear.T,
        counts,
        1.0 - one.decisions @ other.decisions.T / longest,
        np.maximum(0.0, norm[:, None] + norms - 2 * counts),
        np.square(one.cost[:, None] - other.cost),
        one.cost[:, None] * other.cost,
    )
    return PairwiseTerms(*(term.astype(np.float32) for term in terms))
