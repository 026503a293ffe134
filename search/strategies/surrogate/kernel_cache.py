"""Option encodings compared with one another once, and then only looked up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.jobs import Options
from search.strategies.surrogate.encoding import Encoder, Features, Matrix

Index = NDArray[np.intp]
# Half the bytes to copy for each proposal, and more precise than any result.
Pairwise = NDArray[np.float32]


@dataclass(frozen=True)
class PairwiseTerms:
    """How encodings in rows [n] are like those in columns [m]; each [n, m].

    `linear` and `counts`: products of those features; `decision_distance`: share of decisions that
    differ, in [0, 1]; `count_distance`: squared distance of the counts; `log_cost_distance`: that
    of the log-costs; `cost`: their product.
    """

    linear: Pairwise
    counts: Pairwise
    decision_distance: Pairwise
    count_distance: Pairwise
    log_cost_distance: Pairwise
    cost: Pairwise

    def part(self, rows: Index, columns: Index) -> "PairwiseTerms":
        """Return the pairwise of some of the encodings."""
        # Whole rows first: several times as fast as picking single cells.
        parts = (getattr(self, name) for name in self.__dataclass_fields__)
        return PairwiseTerms(*(part.take(rows, 0).take(columns, 1) for part in parts))

    def own(self, rows: Index) -> Matrix:
        """Return the linear, counts and cost products of encodings with themselves, [3, m]."""
        parts = (self.linear, self.counts, self.cost)
        return np.stack([part[rows, rows] for part in parts]).astype(np.float64)


class KernelCache:
    """Holds up to `capacity` encodings by number, with the pairwise of every two of them."""

    def __init__(self, encoder: Encoder, capacity: int) -> None:
        self._encoder = encoder
        self.options: list[Options] = [()] * capacity
        self._free = list(range(capacity))[::-1]
        empty = encoder([])
        self._rows = Features(*(np.zeros((capacity, *part.shape[1:])) for part in empty.parts))
        self.pairwise = PairwiseTerms(
            *(np.zeros((capacity, capacity), np.float32) for _ in range(6))
        )

    @property
    def log_cost(self) -> Matrix:
        """Log-cost of each encoding [capacity], as a share of the budget's log-interval."""
        return self._rows.cost

    def share(self, costs: Sequence[int]) -> Matrix:
        """Return costs in multiplies as shares of the log-interval, like `log_cost`."""
        return self._encoder.share(np.array(costs, np.float64))

    def add(self, encodings: Sequence[Options]) -> list[int]:
        """Take in `encodings`; return their numbers."""
        if not encodings:
            return []
        numbers = [self._free.pop() for _ in encodings]
        rows = self._encoder(encodings)
        for number, options in zip(numbers, encodings, strict=True):
            self.options[number] = options
        for part, new in zip(self._rows.parts, rows.parts, strict=True):
            part[numbers] = new
        found = _compare(rows, self._rows)
        for name in PairwiseTerms.__dataclass_fields__:
            whole, new = getattr(self.pairwise, name), getattr(found, name)
            whole[numbers] = new
            whole[:, numbers] = new.T
        return numbers

    def drop(self, number: int) -> None:
        """Forget an encoding; its number may be given to another."""
        self._free.append(number)


def _compare(rows: Features, columns: Features) -> PairwiseTerms:
    longest = np.maximum(1.0, np.maximum(rows.lengths[:, None], columns.lengths))
    counts = rows.counts @ columns.counts.T
    size, sizes = (np.square(part.counts).sum(axis=1) for part in (rows, columns))
    found = (
        rows.linear @ columns.linear.T,
        counts,
        1.0 - rows.slots @ columns.slots.T / longest,
        np.maximum(0.0, size[:, None] + sizes - 2 * counts),
        np.square(rows.cost[:, None] - columns.cost),
        rows.cost[:, None] * columns.cost,
    )
    return PairwiseTerms(*(part.astype(np.float32) for part in found))
