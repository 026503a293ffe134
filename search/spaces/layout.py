"""Which nodes of a graph get a table of counts, and its length and unit of cost."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.jobs import Options
from search.spaces.graph import Graph

# A root with at most this many reachable costs is stored sparsely: sorting them is faster than
# filling a long array.
_SPARSE_CELLS = 1 << 20
# Bins for each tabled node that binned tables need at most.
_BINS = 1 << 16


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges out of one tabled node, each a bundle of paths of equal end and equal price.

    A path is a sequence of options through nodes without a table. Edge e bundles the paths
    `first_path[e]` to `first_path[e] + paths[e] - 1` of the layout.
    """

    child: NDArray[np.int64]  # [e] the tabled node reached
    units: NDArray[np.int64]  # [e] price in units
    paths: NDArray[np.int64]  # [e] number of paths
    first_path: NDArray[np.int64]  # [e] index into TableLayout.paths


@dataclass(frozen=True, eq=False)
class TableLayout:
    """Where counts are stored and at what resolution; costs are units above the cheapest encoding.

    A tabled node has `length[node]` cells, one for each cost of the rest of an encoding: 0, 1, …
    units. Nodes that can be entered in one way only have no table; paths lead through them.

    If prices had to be rounded up to units (`blur` > 0), an encoding costs up to `blur` multiplies
    less than its units say.
    """

    unit: int  # multiplies
    budget: int  # units
    blur: int  # multiplies
    prices: tuple[tuple[int, ...], ...]  # [nodes][options] units
    max_units: tuple[int, ...]  # [nodes] largest cost of the rest of an encoding
    edges: dict[int, Edges]  # by tabled node
    paths: tuple[Options, ...]
    length: dict[int, int]  # by tabled node
    sparse_root: bool  # the root's counts are sorted by cost, without a cell for every unit

    @property
    def cells(self) -> int:
        """Number of cells of all tables."""
        return sum(self.length.values())


def plan(graph: Graph, budget: int, max_cells: int) -> TableLayout:
    """Lay out the tables for encodings of at most `budget` multiplies above the cheapest.

    The unit is the greatest common divisor of all price differences, so that nothing is rounded.
    If the tables would then exceed `max_cells`, the unit grows until they take about a quarter.
    """
    divisor = math.gcd(*(excess for node in graph.nodes for excess in node.excess)) or 1
    tabled = _tabled(graph)
    unit, limit = divisor, max_cells
    while True:
        prices = _unit_prices(graph, unit)
        max_units = _max_units(graph, prices)
        last = budget // unit
        length = _lengths(graph, prices, max_units, last, tabled)
        sparse = _has_sparse_root(graph, prices, length)
        cells = sum(length.values()) - (length[graph.root] if sparse else 0)
        if cells <= max(limit, len(length)) or last == 0:
            break
        # Costs are binned from here on, and more than enough bins would only take time.
        limit = max(-(-max_cells // 4), min(max_cells, _BINS * len(length)))
        # A multiple of the divisor, so that prices it divides are not rounded.
        unit = divisor * max(unit // divisor + 1, -(-(unit // divisor) * cells // limit))
    blur = _blur(graph, prices, unit)
    paths: list[Options] = []
    edges = {node: _edges(graph, node, prices, length, paths) for node in length}
    return TableLayout(unit, last, blur, prices, max_units, edges, tuple(paths), length, sparse)


def _has_sparse_root(
    graph: Graph, prices: tuple[tuple[int, ...], ...], length: dict[int, int]
) -> bool:
    # From 2^53 encodings on, floats are not exact, and the exact count needs a cell for each unit.
    if graph.size >= 1 << 53:
        return False
    edges = _edges(graph, graph.root, prices, length, [])
    return sum(length[child] for child in edges.child.tolist()) <= _SPARSE_CELLS


def _tabled(graph: Graph) -> list[bool]:
    entries = [0] * len(graph.nodes)
    for node in graph.nodes:
        for child in node.children:
            entries[child] += 1
    tabled = [count != 1 for count in entries]
    tabled[0] = tabled[graph.root] = True
    return tabled


def _unit_prices(graph: Graph, unit: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(-(-excess // unit) for excess in node.excess) for node in graph.nodes)


def _max_units(graph: Graph, prices: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    found: list[int] = []
    for node, units in zip(graph.nodes, prices, strict=True):
        edges = zip(units, node.children, strict=True)
        found.append(max((price + found[child] for price, child in edges), default=0))
    return tuple(found)


def _lengths(
    graph: Graph,
    prices: tuple[tuple[int, ...], ...],
    max_units: tuple[int, ...],
    last: int,
    tabled: list[bool],
) -> dict[int, int]:
    """Return the length of each tabled node's table: no longer than the budget leaves there."""
    spent: list[int | None] = [None] * len(graph.nodes)
    spent[graph.root] = 0
    for here in range(graph.root, -1, -1):
        so_far = spent[here]
        if so_far is None:
            continue
        for price, child in zip(prices[here], graph.nodes[here].children, strict=True):
            total = so_far + price
            before = spent[child]
            if total <= last and (before is None or total < before):
                spent[child] = total
    return {
        here: min(max_units[here], last - least) + 1
        for here, least in enumerate(spent)
        if least is not None and tabled[here]
    }


def _blur(graph: Graph, prices: tuple[tuple[int, ...], ...], unit: int) -> int:
    """Return the largest sum of roundings along an encoding, in multiplies."""
    most: list[int] = []
    for node, units in zip(graph.nodes, prices, strict=True):
        edges = zip(node.excess, units, node.children, strict=True)
        most.append(max((price * unit - e + most[child] for e, price, child in edges), default=0))
    return most[graph.root]


def _edges(
    graph: Graph,
    node: int,
    prices: tuple[tuple[int, ...], ...],
    length: dict[int, int],
    paths: list[Options],
) -> Edges:
    """Collect the edges out of a tabled node; their paths are appended to `paths`."""
    bundles: dict[tuple[int, int], list[Options]] = {}
    for child, price, path in _paths(graph, node, prices, length):
        bundles.setdefault((child, price), []).append(path)
    count = np.array([len(bundle) for bundle in bundles.values()], np.int64)
    begin = len(paths)
    for bundle in bundles.values():
        paths += bundle
    return Edges(
        np.array([child for child, _ in bundles], np.int64),
        np.array([price for _, price in bundles], np.int64),
        count,
        begin + np.cumsum(count) - count,
    )


def _paths(
    graph: Graph, start: int, prices: tuple[tuple[int, ...], ...], length: dict[int, int]
) -> Iterator[tuple[int, int, Options]]:
    """Yield (tabled node, units, options) for each path out of a tabled node within its budget."""
    stack: list[tuple[int, int, Options]] = [(start, 0, ())]
    while stack:
        here, spent, path = stack.pop()
        node = graph.nodes[here]
        for i in range(len(node.options) - 1, -1, -1):
            price, child = spent + prices[here][i], node.children[i]
            if price >= length[start]:
                continue
            if child in length:
                yield child, price, (*path, node.options[i])
            else:
                stack.append((child, price, (*path, node.options[i])))
