"""Which points of a chain get a table, how wide it is, and in what units costs are counted."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.jobs import Options
from search.spaces.graph import Graph

# Costs that are sorted faster than laid out, and bins of one point that are plenty.
_FEW = 1 << 20
_ENOUGH = 1 << 16


@dataclass(frozen=True, eq=False)
class Ways:
    """All ways from one tabled point to the next ones, grouped by (point reached, price).

    Group g leads to point `child[g]` at `shift[g]` units and holds the option runs
    `first[g]` to `first[g] + many[g] - 1` of the layout. All are int64 [groups].
    """

    child: NDArray[np.int64]
    shift: NDArray[np.int64]
    many: NDArray[np.int64]
    first: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TableLayout:
    """Where the tables lie, all in units above the cheapest encoding.

    A tabled point v owns `length[v]` cells: the ways to the end at 0, 1, … units. Points with a
    single way in have no table; they are passed through. `shifts[v][i]` is the price of option i at
    node v, `farthest[v]` the most that a way to the end costs. `ways` lead from each tabled point,
    through `runs` of options. `last` is the budget. `unit` multiplies make a unit; if prices had to
    be rounded up to units, an encoding costs up to `blur` multiplies less than its units say,
    otherwise `blur` is 0. `thin`: so few ways lead from the root that the costs of all encodings
    are sorted rather than laid out.
    """

    unit: int
    last: int
    blur: int
    shifts: tuple[tuple[int, ...], ...]
    farthest: tuple[int, ...]
    ways: dict[int, Ways]
    runs: tuple[Options, ...]
    length: dict[int, int]
    thin: bool

    @property
    def cells(self) -> int:
        """Number of cells of all tables."""
        return sum(self.length.values())


def plan(graph: Graph, budget: int, most_cells: int) -> TableLayout:
    """Lay out the tables for encodings of at most `budget` multiplies above the cheapest.

    The unit is the greatest common divisor of all price differences, so that nothing is rounded;
    where that asks for more than `most_cells`, it is made coarser, until a quarter of them do.
    """
    divisor = math.gcd(*(excess for node in graph.nodes for excess in node.excess)) or 1
    tabled = _tabled(graph)
    unit, limit = divisor, most_cells
    while True:
        shifts = _shifts(graph, unit)
        farthest = _farthest(graph, shifts)
        last = budget // unit
        length = _lengths(graph, shifts, farthest, last, tabled)
        thin = _thin(graph, shifts, length)
        cells = sum(length.values()) - (length[graph.root] if thin else 0)
        if cells <= max(limit, len(length)) or last == 0:
            break
        # Once exactness is lost and bins are many, further memory would only cost seconds.
        limit = max(-(-most_cells // 4), min(most_cells, _ENOUGH * len(length)))
        # A multiple of the divisor, because then those prices that it divides lose nothing.
        unit = divisor * max(unit // divisor + 1, -(-(unit // divisor) * cells // limit))
    blur = _blur(graph, shifts, unit)
    runs: list[Options] = []
    ways = {point: _ways(graph, point, shifts, length, runs) for point in length}
    return TableLayout(unit, last, blur, shifts, farthest, ways, tuple(runs), length, thin)


def _thin(graph: Graph, shifts: tuple[tuple[int, ...], ...], length: dict[int, int]) -> bool:
    # Beyond 2^53 encodings floating point would not be exact, and the exact count needs the layout.
    if graph.size >= 1 << 53:
        return False
    ways = _ways(graph, graph.root, shifts, length, [])
    return sum(length[child] for child in ways.child.tolist()) <= _FEW


def _tabled(graph: Graph) -> list[bool]:
    entries = [0] * len(graph.nodes)
    for node in graph.nodes:
        for child in node.children:
            entries[child] += 1
    tabled = [count != 1 for count in entries]
    tabled[0] = tabled[graph.root] = True
    return tabled


def _shifts(graph: Graph, unit: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(-(-excess // unit) for excess in node.excess) for node in graph.nodes)


def _farthest(graph: Graph, shifts: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    found: list[int] = []
    for node, prices in zip(graph.nodes, shifts, strict=True):
        ways = zip(prices, node.children, strict=True)
        found.append(max((price + found[child] for price, child in ways), default=0))
    return tuple(found)


def _lengths(
    graph: Graph,
    shifts: tuple[tuple[int, ...], ...],
    farthest: tuple[int, ...],
    last: int,
    tabled: list[bool],
) -> dict[int, int]:
    nearest: list[int | None] = [None] * len(graph.nodes)
    nearest[graph.root] = 0
    for here in range(graph.root, -1, -1):
        spent = nearest[here]
        if spent is None:
            continue
        for price, child in zip(shifts[here], graph.nodes[here].children, strict=True):
            total = spent + price
            before = nearest[child]
            if total <= last and (before is None or total < before):
                nearest[child] = total
    return {
        here: min(farthest[here], last - spent) + 1
        for here, spent in enumerate(nearest)
        if spent is not None and tabled[here]
    }


def _blur(graph: Graph, shifts: tuple[tuple[int, ...], ...], unit: int) -> int:
    most: list[int] = []
    for node, prices in zip(graph.nodes, shifts, strict=True):
        edges = zip(node.excess, prices, node.children, strict=True)
        most.append(max((price * unit - e + most[child] for e, price, child in edges), default=0))
    return most[graph.root]


def _ways(
    graph: Graph,
    point: int,
    shifts: tuple[tuple[int, ...], ...],
    length: dict[int, int],
    runs: list[Options],
) -> Ways:
    """Collect the ways out of a tabled point; their options are appended to `runs`."""
    groups: dict[tuple[int, int], list[Options]] = {}
    for child, price, run in _runs(graph, point, shifts, length):
        groups.setdefault((child, price), []).append(run)
    many = np.array([len(group) for group in groups.values()], np.int64)
    begin = len(runs)
    for group in groups.values():
        runs += group
    return Ways(
        np.array([child for child, _ in groups], np.int64),
        np.array([price for _, price in groups], np.int64),
        many,
        begin + np.cumsum(many) - many,
    )


def _runs(
    graph: Graph, point: int, shifts: tuple[tuple[int, ...], ...], length: dict[int, int]
) -> Iterator[tuple[int, int, Options]]:
    """Yield (tabled point, units, options) for each affordable way out of a tabled point."""
    stack: list[tuple[int, int, Options]] = [(point, 0, ())]
    while stack:
        here, spent, run = stack.pop()
        node = graph.nodes[here]
        for i in range(len(node.options) - 1, -1, -1):
            price, child = spent + shifts[here][i], node.children[i]
            if price >= length[point]:
                continue
            if child in length:
                yield child, price, (*run, node.options[i])
            else:
                stack.append((child, price, (*run, node.options[i])))
