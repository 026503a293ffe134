"""Points of the unit cube as encodings inside an interval of costs, and back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.errors import UserError, shown
from search.jobs import Option, Options
from search.spaces.chain import not_of_chain
from search.spaces.counts import Counts
from search.spaces.filled_table import FilledTable

_BLOCK = 1024
# The least share of [0, 1) that every feasible option keeps: too small for sampling to notice, yet
# far above the spacing of floating-point numbers, so that even the rarest encoding has points.
_LEAST_SHARE = 2.0**-40


class PathWeights:
    """How many encodings inside an interval begin with each path out of a tabled node.

    Long ranges of cells are summed in blocks, which are computed once. Sums are never formed as
    differences of prefix sums, which would lose small counts to rounding.
    """

    def __init__(self, table: FilledTable) -> None:
        self._table = table
        self._block_sums: dict[int, Counts] = {}
        self._choices: dict[int, NDArray[np.int64]] = {}

    def choices(self, node: int) -> NDArray[np.int64]:
        """Return the paths out of a tabled node as indices of options [paths, longest path]."""
        if node not in self._choices:
            graph, layout = self._table.graph, self._table.layout
            edges = layout.edges[node]
            begin, count = int(edges.first_path[0]), int(edges.paths.sum())
            paths = layout.paths[begin : begin + count]
            found = np.zeros((count, max(map(len, paths))), np.int64)
            for row, path in enumerate(paths):
                here = node
                for depth, option in enumerate(path):
                    passed = graph.nodes[here]
                    found[row, depth] = passed.index[option]
                    here = passed.children[passed.index[option]]
            self._choices[node] = found
        return self._choices[node]

    def weights(self, node: int, first: int, last: int) -> Counts:
        """Return the number of encodings inside that begin with each path out of `node` [paths]."""
        edges = self._table.layout.edges[node]
        # Paths that end the encoding need no sums, and a user's table of costs has thousands.
        weights = ((edges.child == 0) & (first <= edges.units) & (edges.units <= last)).astype(
            self._table.cells.dtype
        )
        for edge in np.flatnonzero(edges.child).tolist():
            price = int(edges.units[edge])
            weights[edge] = self._sum(int(edges.child[edge]), first - price, last - price)
        return np.repeat(weights, edges.paths)

    def _sum(self, node: int, first: int, last: int) -> float:
        """Return the sum of a tabled node's counts from `first` to `last` units."""
        counts = self._table.counts(node)
        first, last = max(first, 0), min(last, len(counts) - 1)
        if last < first:
            return 0.0
        begin, end = -(-first // _BLOCK), (last + 1) // _BLOCK
        if end - begin < 4:
            return counts[first : last + 1].sum()  # type: ignore[no-any-return]
        if node not in self._block_sums:
            whole = counts[: len(counts) // _BLOCK * _BLOCK]
            self._block_sums[node] = whole.reshape(-1, _BLOCK).sum(axis=1)
        edges = counts[first : begin * _BLOCK].sum() + counts[end * _BLOCK : last + 1].sum()
        return edges + self._block_sums[node][begin:end].sum()  # type: ignore[no-any-return]


class _Walk:
    """A walk through the graph that knows each option's share of the encodings inside."""

    def __init__(self, table: FilledTable, weights: PathWeights, first: int, last: int) -> None:
        self._table, self._path_weights = table, weights
        self._first, self._last = first, last
        self.node = table.graph.root
        self._enter()

    def _enter(self) -> None:
        """Start on the paths out of the tabled node that was reached."""
        self._depth = 0
        if self._table.graph.nodes[self.node].options:
            self._choices = self._path_weights.choices(self.node)
            self._weights = self._path_weights.weights(self.node, self._first, self._last)

    def bounds(self) -> list[float]:
        """Return the ends of the options' shares of [0, 1), one more than there are options."""
        options = len(self._table.graph.nodes[self.node].options)
        # Scaled first: counts may be long doubles, which bincount takes for doubles.
        scaled = (self._weights / self._weights.max()).astype(np.float64)
        scaled = np.where(self._weights > 0, scaled.clip(_LEAST_SHARE**2), 0)
        weights = np.bincount(self._choices[:, self._depth], scaled, options)
        shares = np.where(weights > 0, np.maximum(weights / weights.sum(), _LEAST_SHARE), 0)
        ends = np.cumsum(shares)
        return [0.0, *(ends / ends[-1]).tolist()]

    def take(self, pick: int) -> None:
        """Take option number `pick`."""
        graph, layout = self._table.graph, self._table.layout
        price = layout.prices[self.node][pick]
        kept = self._choices[:, self._depth] == pick
        self._choices, self._weights = self._choices[kept], self._weights[kept]
        self.node = graph.nodes[self.node].children[pick]
        self._first, self._last = self._first - price, self._last - price
        self._depth += 1
        if self.node in layout.length:
            self._enter()


def decode(
    table: FilledTable, weights: PathWeights, point: Sequence[float], first: int, last: int
) -> Options:
    """See `BudgetTable.decode`."""
    dimension = table.graph.longest
    if len(point) != dimension or not all(0 <= u < 1 for u in point):
        raise UserError(
            f"a point of {len(point)} coordinates cannot be decoded; it must have"
            f" {dimension}, each from 0 to below 1"
        )
    walk = _Walk(table, weights, first, last)
    found: list[Option] = []
    while options := table.graph.nodes[walk.node].options:
        bounds = walk.bounds()
        inside = [i for i in range(len(options)) if bounds[i] < bounds[i + 1]]
        pick = next((i for i in inside if point[len(found)] < bounds[i + 1]), inside[-1])
        found.append(options[pick])
        walk.take(pick)
    return tuple(found)


def encode(
    table: FilledTable, weights: PathWeights, options: Options, first: int, last: int
) -> tuple[float, ...]:
    """See `BudgetTable.encode`."""
    walk = _Walk(table, weights, first, last)
    found: list[float] = []
    for position, (node, pick) in enumerate(table.graph.walk(options)):
        if walk.node != node:
            raise not_of_chain(position, options[position], table.graph.nodes[node].options)
        bounds = walk.bounds()
        if bounds[pick] == bounds[pick + 1]:
            raise UserError(
                f"the encoding {shown(' '.join(map(str, options)), 200)} costs"
                f" {table.graph.cost(options)} multiplies, which is not inside the interval;"
                " encode it with one that holds it"
            )
        found.append((bounds[pick] + bounds[pick + 1]) / 2)
        walk.take(pick)
    return (*found, *[0.5] * (table.graph.longest - len(found)))
