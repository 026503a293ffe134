"""Uniform lists at given costs, many at a time and without rejection."""

import numpy as np
from numpy.typing import NDArray

from search.chain.counting import Counts
from search.chain.layout import Layout, Ways
from search.jobs import Option, Options

# Elements of the working arrays of one batch: small enough to stay in the cache.
_BATCH = 1 << 18


def draw(
    layout: Layout,
    flat: Counts,
    offset: dict[int, int],
    root: int,
    rng: np.random.Generator,
    units: NDArray[np.int64],
) -> list[Options]:
    """Draw one list for each entry of `units` (int64 [n]), uniform over the lists of that cost.

    Every list costs exactly its units. At each point a way is taken with the share that it has
    of the lists that end there exactly on cost; no differences are formed, so that rare lists keep
    their share. `units` must be costs that have lists.
    """
    found: list[list[Option]] = [[] for _ in range(len(units))]
    rest = units.astype(np.int64, copy=True)
    waiting: dict[int, list[NDArray[np.int64]]] = {root: [np.arange(len(units))]}
    while waiting:
        # Children have smaller numbers than parents, so the largest has all its lists together.
        point = max(waiting)
        here = waiting.pop(point)
        members = here[0] if len(here) == 1 else np.concatenate(here)
        ways = layout.ways[point]
        if not len(ways.child):
            continue
        starts = np.array([offset[child] for child in ways.child.tolist()], np.int64)
        sizes = np.array([layout.length[child] for child in ways.child.tolist()], np.int64)
        taken = np.empty(len(members), np.int64)
        step = max(1, _BATCH // len(ways.child))
        for begin in range(0, len(members), step):
            part = slice(begin, begin + step)
            taken[part] = _take(ways, starts, sizes, flat, rest[members[part]], rng)
        rest[members] -= ways.shift[taken]
        many = ways.many[taken]
        runs = ways.first[taken] + (rng.random(len(members)) * many).astype(np.int64)
        for member, run in zip(members.tolist(), runs.tolist(), strict=True):
            found[member] += ways.runs[run]
        _send(members, ways.child[taken], waiting)
    return [tuple(options) for options in found]


def _take(
    ways: Ways,
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    flat: Counts,
    rest: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return for each remaining cost the group of ways taken, int64 [n]."""
    left = rest[:, None] - ways.shift
    # Cell 0 of the flat table is zero: the place of all costs that a point does not have.
    cells = np.where((left >= 0) & (left < sizes), left + starts, 0)
    reach = np.cumsum(flat[cells] * ways.many, axis=1)
    total = reach[:, -1]
    # Rounding up to the total would choose a last group that may have no lists.
    aim = np.minimum(rng.random(len(rest)) * total, np.nextafter(total, 0))
    taken: NDArray[np.int64] = (reach <= aim[:, None]).sum(axis=1)
    return taken


def _send(
    members: NDArray[np.int64],
    children: NDArray[np.int64],
    waiting: dict[int, list[NDArray[np.int64]]],
) -> None:
    order = np.argsort(children, kind="stable")
    ordered = children[order]
    cuts = np.flatnonzero(np.diff(ordered)) + 1
    for part in np.split(order, cuts):
        waiting.setdefault(int(children[part[0]]), []).append(members[part])
