"""Number of encodings at each cost: the dynamic programme, in floating point and exactly."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.spaces.layout import TableLayout, Ways

Counts = NDArray[Any]
_WORD = 1 << 64


def accumulate(ways: Ways, tables: Callable[[int], Counts], out: Counts, base: int = 0) -> None:
    """Add up in `out` (zeros, one cell a unit) the tables of the points that `ways` lead to.

    Each way is one shifted addition. Modulo `base`, or as the type of `out` has it if 0.
    """
    terms = 0
    for child, shift, many in zip(
        ways.child.tolist(), ways.shift.tolist(), ways.many.tolist(), strict=True
    ):
        part = tables(child)[: len(out) - shift]
        target = out[shift : shift + len(part)]
        if base:
            terms += many
            if terms >= 1 << 19:
                out %= np.uint64(base)
                terms = many + 1
        if many == 1:
            target += part
        else:
            target += part * out.dtype.type(many)
    if base:
        out %= np.uint64(base)


def tabulate_counts(
    layout: TableLayout, root: int, dtype: np.dtype[Any]
) -> tuple[Counts, dict[int, int]]:
    """Fill the tables of all points but the root: (flat array, offset of each point).

    Cell 0 stays zero. Floating point: sums of positive terms, so each count is right to a relative
    1e-12 or so, and zero exactly where there is no encoding.
    """
    points = [point for point in sorted(layout.length) if point != root or point == 0]
    offset: dict[int, int] = {}
    here = 1
    for point in points:
        offset[point] = here
        here += layout.length[point]
    flat = np.zeros(here, dtype)

    def table(point: int) -> Counts:
        return flat[offset[point] : offset[point] + layout.length[point]]

    for point in points:
        if point == 0:
            table(0)[0] = 1
        else:
            accumulate(layout.ways[point], table, table(point))
    return flat, offset


def root_counts(
    layout: TableLayout, root: int, flat: Counts, offset: dict[int, int]
) -> tuple[NDArray[np.int64], Counts]:
    """Return the ascending costs that encodings have, in units, and the number at each."""
    if root == 0:
        return np.zeros(1, np.int64), np.ones(1, flat.dtype)

    def table(point: int) -> Counts:
        return flat[offset[point] : offset[point] + layout.length[point]]

    ways = layout.ways[root]
    if not layout.thin:
        laid = np.zeros(layout.length[root], flat.dtype)
        accumulate(ways, table, laid)
        held = np.flatnonzero(laid)
        return held, laid[held]
    units, counts = [], []
    for child, shift, many in zip(ways.child, ways.shift, ways.many, strict=True):
        part = table(int(child))[: layout.length[root] - shift]
        reached = np.flatnonzero(part)
        units.append(reached + shift)
        counts.append(part[reached] * flat.dtype.type(many))
    held, place = np.unique(np.concatenate(units), return_inverse=True)
    total = np.zeros(len(held), flat.dtype)
    np.add.at(total, place, np.concatenate(counts))
    return held, total


class ExactCounts:
    """Exact numbers of encodings at the root, as residues modulo 2^64 and as many more as needed.

    The floating-point sum says where the number lies, within a proven error; the residues say
    which integer there it is. Each modulus costs about one more filling of the tables, of which
    the root's alone is kept.
    """

    def __init__(self, layout: TableLayout, root: int, epsilon: float) -> None:
        self._layout = layout
        self._root = root
        self._error = _error(layout, root) * Fraction(epsilon)
        self._moduli = _moduli()
        self._residues: list[tuple[int, Counts]] = []

    def within(self, first: int, last: int, estimate: int) -> int:
        """Return the exact number of encodings from `first` to `last` units near `estimate`."""
        slack = 1 + math.ceil(estimate * self._error)
        modulus, residue, used = 1, 0, 0
        while modulus <= 2 * slack:
            if used == len(self._residues):
                base = next(self._moduli)
                self._residues.append((base, self._fill(base)))
            base, cells = self._residues[used]
            part = _sum(cells[first : last + 1], base)
            # Chinese remainders: the one number below modulus · base with both residues.
            step = (part - residue) * pow(modulus, -1, base) % base
            residue, modulus = residue + modulus * step, modulus * base
            used += 1
        away = (residue - estimate) % modulus
        return estimate + (away if 2 * away <= modulus else away - modulus)

    def _fill(self, base: int) -> Counts:
        layout = self._layout
        readers = Counter(c for ways in layout.ways.values() for c in ways.child.tolist())
        tables: dict[int, Counts] = {}
        for point in sorted(layout.length):
            tables[point] = np.zeros(layout.length[point], np.uint64)
            if point == 0:
                tables[point][0] = 1
                continue
            accumulate(layout.ways[point], tables.__getitem__, tables[point], base % _WORD)
            for child in layout.ways[point].child.tolist():
                readers[child] -= 1
                if readers[child] == 0:
                    del tables[child]
        return tables[self._root]


def _error(layout: TableLayout, root: int) -> int:
    """Bound on the roundings in a count, one an addition: the factor of the relative error."""
    depth: dict[int, int] = {}
    for point in sorted(layout.length):
        ways = layout.ways[point]
        below = max((depth[child] for child in ways.child.tolist()), default=0)
        depth[point] = below + len(ways.child) + 1
    # The sum over cells is pairwise: far fewer than 128 additions deep.
    return 2 * (depth[root] + 128)


def _moduli() -> Iterator[int]:
    """Yield 2^64, whose arithmetic is free, then cobase odd numbers below 2^44.

    Small enough that half a million residues add up without overflow.
    """
    yield _WORD
    product, candidate = 1, (1 << 44) - 1
    while True:
        if math.gcd(product, candidate) == 1:
            product *= candidate
            yield candidate
        candidate -= 2


def _sum(residues: Counts, base: int) -> int:
    if base == _WORD:
        return int(residues.sum(dtype=np.uint64))
    top = int((residues >> np.uint64(22)).sum(dtype=np.uint64))
    return ((top << 22) + int((residues & np.uint64((1 << 22) - 1)).sum(dtype=np.uint64))) % base
