"""Points of the unit cube as encodings inside an interval of costs, and back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search.errors import UserError
from search.jobs import Option, Options
from search.spaces.chain import not_of_chain
from search.spaces.counts import Counts

if TYPE_CHECKING:
    from search.spaces.budget_table import BudgetTable

_BLOCK = 1024
# Share that every possible option keeps: far below what sampling could notice, far above the
# spacing of floating-point numbers, so that even the rarest encoding has points of its own.
_LEAST = 2.0**-40


class BlockSums:
    """Sums of a table's counts over ranges of cells, without ever forming a difference."""

    def __init__(self, table: "BudgetTable") -> None:
        self._table = table
        self._sums: dict[int, Counts] = {}
        self._spelled: dict[int, NDArray[np.int64]] = {}

    def spelled(self, point: int) -> NDArray[np.int64]:
        """Return the index of each option of each run out of a point, [runs, longest run]."""
        if point not in self._spelled:
            graph, layout = self._table.graph, self._table.layout
            ways = layout.ways[point]
            begin, count = int(ways.first[0]), int(ways.many.sum())
            runs = layout.runs[begin : begin + count]
            found = np.zeros((count, max(map(len, runs))), np.int64)
            for row, run in enumerate(runs):
                here = point
                for depth, option in enumerate(run):
                    node = graph.nodes[here]
                    found[row, depth] = node.index[option]
                    here = node.children[node.index[option]]
            self._spelled[point] = found
        return self._spelled[point]

    def ways(self, point: int, first: int, last: int) -> Counts:
        """Return for each run out of a point how many encodings inside begin with it, [runs]."""
        ways = self._table.layout.ways[point]
        # Runs that end the encoding there need no sums; a user's table of costs has thousands.
        weights = ((ways.child == 0) & (first <= ways.shift) & (ways.shift <= last)).astype(
            self._table.flat.dtype
        )
        for group in np.flatnonzero(ways.child).tolist():
            shift = int(ways.shift[group])
            weights[group] = self.between(int(ways.child[group]), first - shift, last - shift)
        return np.repeat(weights, ways.many)

    def between(self, point: int, first: int, last: int) -> float:
        """Return the number of ways from a tabled point to the end at `first` to `last` units."""
        counts = self._table.table(point)
        first, last = max(first, 0), min(last, len(counts) - 1)
        if last < first:
            return 0.0
        begin, end = -(-first // _BLOCK), (last + 1) // _BLOCK
        if end - begin < 4:
            return counts[first : last + 1].sum()  # type: ignore[no-any-return]
        if point not in self._sums:
            whole = counts[: len(counts) // _BLOCK * _BLOCK]
            self._sums[point] = whole.reshape(-1, _BLOCK).sum(axis=1)
        edges = counts[first : begin * _BLOCK].sum() + counts[end * _BLOCK : last + 1].sum()
        return edges + self._sums[point][begin:end].sum()  # type: ignore[no-any-return]


class _Walk:
    """A way through the graph that knows the share of each next option inside the interval."""

    def __init__(self, table: "BudgetTable", sums: BlockSums, first: int, last: int) -> None:
        self._table, self._sums = table, sums
        self.first, self.last = first, last
        self.node = table.graph.root
        self._enter()

    def _enter(self) -> None:
        self._depth = 0
        if self._table.graph.nodes[self.node].options:
            self._spelled = self._sums.spelled(self.node)
            self._weights = self._sums.ways(self.node, self.first, self.last)

    def bounds(self) -> list[float]:
        """Return the ends of the options' shares of [0, 1), one more than there are options."""
        options = len(self._table.graph.nodes[self.node].options)
        # Scaled first, because a bin holds only what a double does.
        scaled = (self._weights / self._weights.max()).astype(np.float64)
        scaled = np.where(self._weights > 0, scaled.clip(_LEAST**2), 0)
        weights = np.bincount(self._spelled[:, self._depth], scaled, options)
        shares = np.where(weights > 0, np.maximum(weights / weights.sum(), _LEAST), 0)
        ends = np.cumsum(shares)
        return [0.0, *(ends / ends[-1]).tolist()]

    def take(self, pick: int) -> None:
        """Go on with option number `pick`."""
        graph, layout = self._table.graph, self._table.layout
        shift = layout.shifts[self.node][pick]
        kept = self._spelled[:, self._depth] == pick
        self._spelled, self._weights = self._spelled[kept], self._weights[kept]
        self.node = graph.nodes[self.node].children[pick]
        self.first, self.last = self.first - shift, self.last - shift
        self._depth += 1
        if self.node in layout.length:
            self._enter()


def decode(
    table: "BudgetTable", sums: BlockSums, point: Sequence[float], first: int, last: int
) -> Options:
    """Return the encoding inside cells `first` to `last` that `point` stands for."""
    if len(point) != table.dimension or not all(0 <= u < 1 for u in point):
        raise UserError(
            f"a point of {len(point)} coordinates cannot be decoded; it must have"
            f" {table.dimension}, each from 0 to below 1"
        )
    walk = _Walk(table, sums, first, last)
    found: list[Option] = []
    while options := table.graph.nodes[walk.node].options:
        bounds = walk.bounds()
        inside = [i for i in range(len(options)) if bounds[i] < bounds[i + 1]]
        pick = next((i for i in inside if point[len(found)] < bounds[i + 1]), inside[-1])
        found.append(options[pick])
        walk.take(pick)
    return tuple(found)


def encode(
    table: "BudgetTable", sums: BlockSums, options: Options, first: int, last: int
) -> tuple[float, ...]:
    """Return the middle of the box of points that decode to `options`."""
    walk = _Walk(table, sums, first, last)
    found: list[float] = []
    for position, (node, pick) in enumerate(table.graph.walk(options)):
        if walk.node != node:
            raise not_of_chain(position, options[position], table.graph.nodes[node].options)
        bounds = walk.bounds()
        if bounds[pick] == bounds[pick + 1]:
            raise UserError(
                f"the encoding {' '.join(map(str, options))} costs {table.cost(options)}"
                " multiplies, which is not inside the interval; encode it with one that holds it"
            )
        found.append((bounds[pick] + bounds[pick + 1]) / 2)
        walk.take(pick)
    return (*found, *[0.5] * (table.dimension - len(found)))
