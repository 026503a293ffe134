"""The dynamic programme's result: how many encodings there are at each node and cost."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.spaces.counts import Counts, accumulate
from search.spaces.graph import Graph
from search.spaces.layout import TableLayout


@dataclass(frozen=True, eq=False)
class FilledTable:
    """A graph with the number of encodings at every tabled node and cost, in floating point.

    Counts are sums of positive terms: right to a relative error of about 1e-12, and zero exactly
    where there is no encoding. Costs are units above the cheapest, see `TableLayout`.
    """

    graph: Graph
    layout: TableLayout
    cells: Counts  # [1 + cells] all tables but the root's; cell 0 is zero
    offset: dict[int, int]  # where a node's table begins in `cells`
    root_costs: NDArray[np.int64]  # [k] the units that encodings cost, ascending
    root_counts: Counts  # [k] number of encodings of each cost

    def counts(self, node: int) -> Counts:
        """Return a tabled node's counts [length]: cell c holds those of exactly c units.

        Of every node but the root, whose counts are `root_counts`.
        """
        begin = self.offset[node]
        return self.cells[begin : begin + self.layout.length[node]]

    def root_slice(self, first: int, last: int) -> slice:
        """Return where `root_costs` from `first` to `last` units stand."""
        begin, end = np.searchsorted(self.root_costs, [first, last + 1])
        return slice(int(begin), max(int(begin), int(end)))

    def feasible(self, node: int, first: int, last: int) -> bool:
        """Return whether an encoding can be finished from `node` at `first` to `last` units."""
        max_units = self.layout.max_units[node]
        if last < 0 or first > max_units:
            return False
        # From every node the cheapest rest costs no units.
        if first <= 0 or last >= max_units:
            return True
        if node == self.graph.root:
            inside = self.root_slice(first, last)
            return bool(inside.start < inside.stop)
        if node in self.layout.length:
            return bool(self.counts(node)[first : last + 1].any())
        edges = zip(self.graph.nodes[node].children, self.layout.prices[node], strict=True)
        return any(self.feasible(child, first - p, last - p) for child, p in edges)


def fill(graph: Graph, layout: TableLayout, dtype: np.dtype[Any]) -> FilledTable:
    """Count the encodings from every tabled node on, children before parents."""
    nodes = [node for node in sorted(layout.length) if node != graph.root or node == 0]
    offset: dict[int, int] = {}
    end = 1
    for node in nodes:
        offset[node] = end
        end += layout.length[node]
    cells = np.zeros(end, dtype)

    def counts(node: int) -> Counts:
        return cells[offset[node] : offset[node] + layout.length[node]]

    for node in nodes:
        if node == 0:
            counts(0)[0] = 1
        else:
            accumulate(layout.edges[node], counts, counts(node))
    table = FilledTable(graph, layout, cells, offset, np.zeros(1, np.int64), np.ones(1, dtype))
    if graph.root == 0:
        return table
    return FilledTable(graph, layout, cells, offset, *_root_counts(table))


def _root_counts(table: FilledTable) -> tuple[NDArray[np.int64], Counts]:
    """Return the ascending costs of encodings [k], in units, and the number at each [k]."""
    layout, root, dtype = table.layout, table.graph.root, table.cells.dtype
    edges = layout.edges[root]
    if not layout.sparse_root:
        dense = np.zeros(layout.length[root], dtype)
        accumulate(edges, table.counts, dense)
        costs = np.flatnonzero(dense)
        return costs, dense[costs]
    units, counts = [], []
    for child, price, paths in zip(edges.child, edges.units, edges.paths, strict=True):
        part = table.counts(int(child))[: layout.length[root] - price]
        reached = np.flatnonzero(part)
        units.append(reached + price)
        counts.append(part[reached] * dtype.type(paths))
    costs, place = np.unique(np.concatenate(units), return_inverse=True)
    total = np.zeros(len(costs), dtype)
    np.add.at(total, place, np.concatenate(counts))
    return costs, total
