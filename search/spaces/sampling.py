"""Uniform encodings at given costs, many at a time and without rejection."""

from collections.abc import Iterator
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from search.jobs import Options
from search.spaces.counts import Counts
from search.spaces.layout import TableLayout

# Encodings drawn together, and numbers looked at together: small enough to stay in the cache.
_TOGETHER = 1 << 14
_BATCH = 1 << 15


class Sampler:
    """Draws encodings of given costs from the filled tables of a layout."""

    def __init__(
        self, layout: TableLayout, flat: Counts, offset: dict[int, int], root: int
    ) -> None:
        """Take the tables that `tabulate_counts` returns and the point where encodings start."""
        self._layout, self._flat, self._root = layout, flat, root
        self._longest = _most_hops(layout)
        self._sizes = np.array([len(run) for run in layout.runs], np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._letters = np.array([*chain.from_iterable(layout.runs)], object)
        self._places = {
            point: (
                np.array([offset[child] for child in ways.child.tolist()], np.int64)[:, None],
                np.array([layout.length[c] for c in ways.child.tolist()], np.uint64)[:, None],
                ways.shift[:, None],
                ways.many[:, None].astype(flat.dtype),
            )
            for point, ways in layout.ways.items()
        }

    def draw(self, rng: np.random.Generator, units: NDArray[np.int64]) -> Iterator[Options]:
        """Draw one encoding for each entry of `units` (int64 [n]), uniform over those of that cost.

        Every encoding costs exactly its units. At each point a way is taken with the share that it
        has of the encodings that end there exactly on cost; no differences are formed, so that rare
        encodings keep their share. `units` must be costs that have encodings.
        """
        for begin in range(0, len(units), _TOGETHER):
            hops, taken = self._hops(rng, units[begin : begin + _TOGETHER].astype(np.int64))
            yield from self._spelled(hops, taken)

    def _spelled(self, hops: NDArray[np.int64], taken: NDArray[np.int64]) -> Iterator[Options]:
        """Join the runs `taken`, [n, most], of which each encoding has the first `hops`, [n]."""
        runs = taken[np.arange(taken.shape[1]) < hops[:, None]]
        sizes = self._sizes[runs]
        ends = np.cumsum(sizes)
        letters = np.repeat(self._starts[runs] - ends + sizes, sizes) + np.arange(sizes.sum())
        # Gathered at once and then cut: several times faster than joining tuples.
        options = self._letters[letters].tolist()
        cuts = np.concatenate([[0], ends])[np.concatenate([[0], np.cumsum(hops)])].tolist()
        for begin, end in pairwise(cuts):
            yield tuple(options[begin:end])

    def _hops(
        self, rng: np.random.Generator, rest: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many runs of options each encoding has, [n], and which, [n, most]."""
        hops = np.zeros(len(rest), np.int64)
        found = np.zeros((len(rest), self._longest), np.int64)
        waiting = {self._root: [np.arange(len(rest))]}
        while waiting:
            # Children have smaller numbers than parents: the largest has all its encodings
            # together.
            point = max(waiting)
            here = waiting.pop(point)
            ways = self._layout.ways[point]
            if not len(ways.child):
                continue
            members = here[0] if len(here) == 1 else np.concatenate(here)
            taken = np.empty(len(members), np.int64)
            step = max(1, _BATCH // len(ways.child))
            for begin in range(0, len(members), step):
                part = slice(begin, begin + step)
                taken[part] = self._take(point, rest[members[part]], rng)
            rest[members] -= ways.shift[taken]
            which = (rng.random(len(members)) * ways.many[taken]).astype(np.int64)
            found[members, hops[members]] = ways.first[taken] + which
            hops[members] += 1
            _send(members, ways.child[taken], waiting)
        return hops, found

    def _take(
        self, point: int, rest: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return for each remaining cost, int64 [n], the group of ways taken."""
        starts, sizes, shift, many = self._places[point]
        cells = rest - shift
        # As unsigned numbers, costs below zero are beyond every table, too. Cell 0 is zero: the
        # place of all costs that a point does not have.
        held = cells.view(np.uint64) < sizes
        cells += starts
        cells *= held
        reach = self._flat[cells]
        reach *= many
        np.cumsum(reach, axis=0, out=reach)
        total = reach[-1]
        # Rounding up to the total would choose a last group that may have no encodings.
        aim = np.minimum(rng.random(len(rest)) * total, np.nextafter(total, 0))
        taken: NDArray[np.int64] = (reach <= aim).sum(axis=0)
        return taken


def _most_hops(layout: TableLayout) -> int:
    found: dict[int, int] = {}
    for point in sorted(layout.length):
        children = layout.ways[point].child.tolist()
        found[point] = max((1 + found[child] for child in children), default=0)
    return max(found.values())


def _send(
    members: NDArray[np.int64],
    children: NDArray[np.int64],
    waiting: dict[int, list[NDArray[np.int64]]],
) -> None:
    order = np.argsort(children, kind="stable")
    cuts = np.flatnonzero(np.diff(children[order])) + 1
    for part in np.split(order, cuts):
        waiting.setdefault(int(children[part[0]]), []).append(members[part])
