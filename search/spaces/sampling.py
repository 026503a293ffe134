"""Uniform encodings at given costs, many at a time and without rejection."""

from collections.abc import Iterator
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from search.jobs import Options
from search.spaces.filled_table import FilledTable
from search.spaces.layout import TableLayout

# Encodings drawn together, and numbers compared together: both small enough for the CPU's cache.
_TOGETHER = 1 << 14
_BATCH = 1 << 15


class Sampler:
    """Draws encodings of given costs from a filled table."""

    def __init__(self, table: FilledTable) -> None:
        layout, cells = table.layout, table.cells
        self._layout, self._cells, self._root = layout, cells, table.graph.root
        self._most_edges = _most_edges(layout)
        self._sizes = np.array([len(path) for path in layout.paths], np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._options = np.array([*chain.from_iterable(layout.paths)], object)
        # By tabled node, each [e, 1]: where the child's table begins and how long it is, price,
        # number of paths.
        self._columns = {
            node: (
                np.array([table.offset[child] for child in edges.child.tolist()], np.int64)[
                    :, None
                ],
                np.array([layout.length[c] for c in edges.child.tolist()], np.uint64)[:, None],
                edges.units[:, None],
                edges.paths[:, None].astype(cells.dtype),
            )
            for node, edges in layout.edges.items()
        }

    def draw(self, rng: np.random.Generator, units: NDArray[np.int64]) -> Iterator[Options]:
        """Yield one encoding for each of `units` (int64 [n]), uniform over those of that cost.

        Each of `units` must be the cost of some encoding. At each node an edge is taken with the
        share of the encodings that finish exactly on cost through it. Shares are never formed as
        differences of sums, which would lose rare encodings to rounding.
        """
        for begin in range(0, len(units), _TOGETHER):
            edges, paths = self._walk(rng, units[begin : begin + _TOGETHER].astype(np.int64))
            yield from self._joined(edges, paths)

    def _joined(self, edges: NDArray[np.int64], paths: NDArray[np.int64]) -> Iterator[Options]:
        """Join the first `edges` [n] of each encoding's `paths` [n, most]."""
        taken = paths[np.arange(paths.shape[1]) < edges[:, None]]
        sizes = self._sizes[taken]
        ends = np.cumsum(sizes)
        index = np.repeat(self._starts[taken] - ends + sizes, sizes) + np.arange(sizes.sum())
        # Gathered at once and then cut: several times faster than joining tuples.
        options = self._options[index].tolist()
        cuts = np.concatenate([[0], ends])[np.concatenate([[0], np.cumsum(edges)])].tolist()
        for begin, end in pairwise(cuts):
            yield tuple(options[begin:end])

    def _walk(
        self, rng: np.random.Generator, rest: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of edges that each encoding takes [n], and their paths [n, most].

        `rest` [n], the units left to spend, is used up.
        """
        steps = np.zeros(len(rest), np.int64)
        paths = np.zeros((len(rest), self._most_edges), np.int64)
        waiting = {self._root: [np.arange(len(rest))]}
        while waiting:
            # Children have smaller numbers than parents, so no other waiting node leads here.
            node = max(waiting)
            here = waiting.pop(node)
            edges = self._layout.edges[node]
            if not len(edges.child):
                continue
            members = here[0] if len(here) == 1 else np.concatenate(here)
            taken = np.empty(len(members), np.int64)
            step = max(1, _BATCH // len(edges.child))
            for begin in range(0, len(members), step):
                part = slice(begin, begin + step)
                taken[part] = self._take(node, rest[members[part]], rng)
            rest[members] -= edges.units[taken]
            which = (rng.random(len(members)) * edges.paths[taken]).astype(np.int64)
            paths[members, steps[members]] = edges.first_path[taken] + which
            steps[members] += 1
            _send(members, edges.child[taken], waiting)
        return steps, paths

    def _take(
        self, node: int, rest: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the edge taken for each remaining cost, int64 [n]."""
        starts, sizes, price, paths = self._columns[node]
        cells = rest - price
        # As unsigned numbers, negative costs too are beyond every table. Cell 0 is zero and stands
        # for every cost that a node does not have.
        held = cells.view(np.uint64) < sizes
        cells += starts
        cells *= held
        reach = self._cells[cells]
        reach *= paths
        np.cumsum(reach, axis=0, out=reach)
        total = reach[-1]
        # A product rounded up to the total would choose a last edge that may have no encodings.
        aim = np.minimum(rng.random(len(rest)) * total, np.nextafter(total, 0))
        taken: NDArray[np.int64] = (reach <= aim).sum(axis=0)
        return taken


def _most_edges(layout: TableLayout) -> int:
    found: dict[int, int] = {}
    for node in sorted(layout.length):
        children = layout.edges[node].child.tolist()
        found[node] = max((1 + found[child] for child in children), default=0)
    return max(found.values())


def _send(
    members: NDArray[np.int64],
    children: NDArray[np.int64],
    waiting: dict[int, list[NDArray[np.int64]]],
) -> None:
    """Group `members` [n] by the node that each goes on at."""
    if len(members) == 1:
        waiting.setdefault(int(children[0]), []).append(members)
        return
    order = np.argsort(children, kind="stable")
    cuts = np.flatnonzero(np.diff(children[order])) + 1
    for part in np.split(order, cuts):
        waiting.setdefault(int(children[part[0]]), []).append(members[part])
