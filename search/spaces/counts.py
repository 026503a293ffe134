"""Numbers of encodings as sums over edges, and the exact number as a Python integer."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.spaces.layout import Edges, TableLayout

Counts = NDArray[Any]  # float64, longdouble, or uint64 residues
_WORD = 1 << 64


def accumulate(edges: Edges, table: Callable[[int], Counts], out: Counts, modulus: int = 0) -> None:
    """Add to `out` (zeros, a cell for each unit) the tables of the nodes that `edges` lead to.

    Each edge is one addition of a shifted table. With a `modulus`, the sums are residues.
    """
    terms = 0
    for child, price, paths in zip(
        edges.child.tolist(), edges.units.tolist(), edges.paths.tolist(), strict=True
    ):
        part = table(child)[: len(out) - price]
        target = out[price : price + len(part)]
        if modulus:
            terms += paths
            if terms >= 1 << 19:
                out %= np.uint64(modulus)
                terms = paths + 1
        if paths == 1:
            target += part
        else:
            target += part * out.dtype.type(paths)
    if modulus:
        out %= np.uint64(modulus)


class ExactCounts:
    """Exact numbers of encodings by the Chinese remainder theorem.

    The floating-point sum bounds the number to an interval of proven width; residues modulo 2^64,
    and modulo as many more bases as the width needs, say which integer of the interval it is. Each
    modulus takes about as long as filling the tables once; only the root's residues are kept.
    """

    def __init__(self, layout: TableLayout, root: int, epsilon: float) -> None:
        """`epsilon`: relative spacing of the floating-point numbers that estimates are sums of."""
        self._layout = layout
        self._root = root
        self._error = _relative_error(layout, root) * Fraction(epsilon)
        self._moduli = _moduli()
        self._residues: list[tuple[int, Counts]] = []

    def within(self, first: int, last: int, estimate: int) -> int:
        """Return the exact number of encodings from `first` to `last` units, near `estimate`."""
        slack = 1 + math.ceil(estimate * self._error)
        modulus, residue, used = 1, 0, 0
        while modulus <= 2 * slack:
            if used == len(self._residues):
                base = next(self._moduli)
                self._residues.append((base, self._fill(base)))
            base, cells = self._residues[used]
            part = _sum(cells[first : last + 1], base)
            # The one number below modulus · base that has both residues.
            step = (part - residue) * pow(modulus, -1, base) % base
            residue, modulus = residue + modulus * step, modulus * base
            used += 1
        away = (residue - estimate) % modulus
        return estimate + (away if 2 * away <= modulus else away - modulus)

    def _fill(self, base: int) -> Counts:
        """Return the root's counts modulo `base`, uint64 [length]."""
        layout = self._layout
        readers = Counter(c for edges in layout.edges.values() for c in edges.child.tolist())
        tables: dict[int, Counts] = {}
        for node in sorted(layout.length):
            tables[node] = np.zeros(layout.length[node], np.uint64)
            if node == 0:
                tables[node][0] = 1
                continue
            accumulate(layout.edges[node], tables.__getitem__, tables[node], base % _WORD)
            for child in layout.edges[node].child.tolist():
                readers[child] -= 1
                if readers[child] == 0:
                    del tables[child]
        return tables[self._root]


def _relative_error(layout: TableLayout, root: int) -> int:
    """Return a bound on the relative error of a count, in units of epsilon: one per addition."""
    depth: dict[int, int] = {}
    for node in sorted(layout.length):
        edges = layout.edges[node]
        below = max((depth[child] for child in edges.child.tolist()), default=0)
        depth[node] = below + len(edges.child) + 1
    # NumPy sums pairwise, so the sum over cells is far fewer than 128 additions deep.
    return 2 * (depth[root] + 128)


def _moduli() -> Iterator[int]:
    """Yield 2^64, whose arithmetic is free, then odd numbers below 2^44 that are pairwise coprime.

    Below 2^44, half a million residues add up without overflow.
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
