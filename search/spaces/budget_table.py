"""A chain tabulated for a budget: counting, sampling and moving inside an interval of costs."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.errors import UserError
from search.jobs import Candidate, Options
from search.spaces import graph, moves, unit_cube
from search.spaces.chain import Chain, describe
from search.spaces.counts import Counts, ExactCounts, root_counts, tabulate_counts
from search.spaces.layout import plan
from search.spaces.sampling import Sampler

# Bytes of the tables; beyond, costs are binned.
MEMORY = 1 << 30


def tabulate(chain: Chain, high: int | None = None, *, memory: int = MEMORY) -> "BudgetTable":
    """Count a chain's encodings at every cost up to `high` multiplies, by default at all costs.

    `memory` bounds the bytes of the tables; where costs would need more, they are binned, see
    `BudgetTable`. Raises `UserError` where the chain breaks its rules or nothing fits `high`.
    """
    return BudgetTable(chain, graph.read(chain), high, memory)


class BudgetTable:
    """All encodings of a chain inside any interval [low, high] of costs, up to the table's `high`.

    A dynamic programme over (point of decision, remaining cost in units of the common divisor of
    all price differences). Sampling, moving and decoding only ever take ways that can still end
    inside the interval, so nothing is rejected and nothing outside is ever proposed.

    `low` and `high` are both inside the interval; `high` defaults to the table's own. Every method
    raises `UserError` if `low` is above `high` or `high` beyond the table; those that return
    encodings, also if no encoding is inside, naming the nearest costs below and above.

    `exact` is False where the table would have been too large and costs are binned: prices are
    rounded up to bins. Every encoding returned still costs at most `high` and at least `low` by its
    true price; lost are encodings that lie inside within `blur` multiplies of either end: they
    are not counted, sampled or reached. What is counted and uniform is uniform over the others.
    """

    def __init__(
        self, chain: Chain, chain_graph: graph.Graph, high: int | None, memory: int = MEMORY
    ) -> None:
        """Tabulate a graph that was read from `chain`; `tabulate` does both."""
        self.chain = chain
        self.graph = chain_graph
        self.high = chain_graph.most_expensive if high is None else operator.index(high)
        if self.high < chain_graph.cheapest:
            options = " ".join(map(str, chain_graph.extreme(most_expensive=False)))
            raise UserError(
                f"a budget of {self.high} is below the cheapest architecture of the space, which"
                f" costs {chain_graph.cheapest} ({options}); give at least that"
            )
        dtype = _dtype(chain_graph.size)
        reach = min(self.high, chain_graph.most_expensive) - chain_graph.cheapest
        self.layout = plan(chain_graph, reach, memory // dtype.itemsize)
        root = chain_graph.root
        self.flat, self._offset = tabulate_counts(self.layout, root, dtype)
        self.held, self.many = root_counts(self.layout, root, self.flat, self._offset)
        self._exactly = ExactCounts(self.layout, chain_graph.root, float(np.finfo(dtype).eps))
        self._sampler = Sampler(self.layout, self.flat, self._offset, chain_graph.root)
        self._coarse = unit_cube.BlockSums(self)

    @property
    def exact(self) -> bool:
        """Whether every cost is told apart; if not, costs are binned."""
        return self.layout.blur == 0

    @property
    def blur(self) -> int:
        """Multiplies within which an end of the interval is not told exactly; 0 if exact."""
        return self.layout.blur

    @property
    def size(self) -> int:
        """Exact number of encodings of the whole space."""
        return self.graph.size

    @property
    def dimension(self) -> int:
        """Number of coordinates that `decode` wants: the decisions of the longest encoding."""
        return self.graph.longest

    def table(self, point: int) -> Counts:
        """Return the counts at a tabled point: cell c, the ways to the end at exactly c units.

        Of all points but the root, whose costs are `held`, with `many` encodings each.
        """
        begin = self._offset[point]
        return self.flat[begin : begin + self.layout.length[point]]

    def cost(self, options: Options) -> int:
        """Return the cost of a finished encoding; raises `UserError` for any other."""
        return self.graph.cost(options)

    def candidate(self, options: Options) -> Candidate:
        """Return what a finished encoding stands for, priced; raises `UserError` for any other."""
        return describe(self.chain, options, self.graph.cost(options))

    def cheapest(self) -> tuple[int, Options]:
        """Return the smallest cost of the whole space and an encoding that has it."""
        return self.graph.cheapest, self.graph.extreme(most_expensive=False)

    def most_expensive(self) -> tuple[int, Options]:
        """Return the largest cost of the whole space and an encoding that has it."""
        return self.graph.most_expensive, self.graph.extreme(most_expensive=True)

    def count(self, low: int = 0, high: int | None = None) -> int:
        """Return the exact number of encodings inside, as a Python integer of any size.

        The first call on a large space fills the tables once or twice more, in integers.
        """
        first, last = self.units(low, high)
        if first == 0 and self.layout.farthest[self.graph.root] <= last:
            return self.size
        estimate = int(self.many[self._slice(first, last)].sum())
        # Below 2^53 sums in floating point are exact.
        if estimate == 0 or self.size < 1 << 53:
            return estimate
        return self._exactly.within(first, last, estimate)

    def sample(
        self, rng: np.random.Generator, n: int, low: int = 0, high: int | None = None
    ) -> list[Options]:
        """Return `n` encodings, independent and uniform over all encodings inside."""
        first, last = self.inside(low, high)
        inside = self._slice(first, last)
        reach = np.cumsum(self.many[inside])
        aim = np.minimum(rng.random(n) * reach[-1], np.nextafter(reach[-1], 0))
        return self._draw(rng, self.held[inside][np.searchsorted(reach, aim, side="right")])

    def sample_at(
        self, rng: np.random.Generator, costs: ArrayLike, low: int = 0, high: int | None = None
    ) -> list[Options]:
        """Return one encoding for each of `costs` ([n] multiplies), inside, at the nearest cost.

        Uniform over the encodings of the nearest cost that has any inside (of the nearest bin,
        where costs are binned).
        """
        first, last = self.inside(low, high)
        wanted = (np.asarray(costs, np.float64) - self.graph.cheapest) / self.layout.unit
        held = self.held[self._slice(first, last)]
        above = np.searchsorted(held, wanted).clip(0, len(held) - 1)
        below = (above - 1).clip(0)
        nearer = np.abs(held[below] - wanted) <= np.abs(held[above] - wanted)
        return self._draw(rng, np.where(nearer, held[below], held[above]))

    def sample_level(
        self, rng: np.random.Generator, n: int, low: int = 0, high: int | None = None
    ) -> list[Options]:
        """Return `n` encodings inside that cover the logarithm of the cost evenly, cheapest first.

        The log-interval from the cheapest cost inside to the most expensive is cut into `n` equal
        strata; each gives one cost, uniform in it, and an encoding from the nearest cost.
        """
        first, last = self.inside(low, high)
        held = self.held[self._slice(first, last)]
        ends = [max(1, self._cost_of_units(int(held[i]))) for i in (0, -1)]
        begin, end = np.log(np.array(ends, np.float64))
        costs = np.exp(begin + (end - begin) * (np.arange(n) + rng.random(n)) / max(n, 1))
        return self.sample_at(rng, costs, low, high)

    def decode(self, point: Sequence[float], low: int = 0, high: int | None = None) -> Options:
        """Return the encoding that a point of [0, 1)^dimension stands for.

        Coordinate i decides at position i, in shares of the encodings inside that follow each
        option; those beyond the encoding's end are ignored. Uniform points give uniform encodings
        (every option keeps a share of at least 2^-40, so that each encoding has its points).
        """
        return unit_cube.decode(self, self._coarse, point, *self.inside(low, high))

    def encode(self, options: Options, low: int = 0, high: int | None = None) -> tuple[float, ...]:
        """Return a point that decodes to `options`: the middle of its box.

        Raises `UserError` for an encoding that is not the chain's or not inside.
        """
        return unit_cube.encode(self, self._coarse, options, *self.inside(low, high))

    def mutate(
        self,
        rng: np.random.Generator,
        options: Options,
        low: int = 0,
        high: int | None = None,
        *,
        rate: float | None = None,
    ) -> Options:
        """Return an encoding inside with one decision changed and the rest kept where it can be.

        After the changed decision each later one is made afresh with probability `rate` (by
        default one over their number), so any encoding inside comes from any other with positive
        probability in one step. Never returns `options`. Raises `UserError` if no other is inside.
        """
        return moves.mutate(self, rng, options, *self.inside(low, high), rate)

    def crossover(
        self,
        rng: np.random.Generator,
        first: Options,
        second: Options,
        low: int = 0,
        high: int | None = None,
    ) -> Options:
        """Return an encoding inside that decides like one parent or the other wherever it can.

        Never returns a parent: where the cross is one, a mutation of it. Raises `UserError` if
        nothing but the parents is inside.
        """
        return moves.crossover(self, rng, first, second, *self.inside(low, high))

    def neighbours(
        self, options: Options, low: int = 0, high: int | None = None
    ) -> Iterator[Options]:
        """Yield each encoding inside that differs in one decision; later ones are kept if possible.

        Where a later decision cannot be kept, the option nearest in price takes its place. Each
        encoding comes once, never `options` itself; nothing is random.
        """
        return moves.neighbours(self, options, *self.inside(low, high))

    def encodings(self, low: int = 0, high: int | None = None) -> Iterator[Options]:
        """Yield every encoding inside, once, in the order of the chain's options."""
        return moves.encodings(self, *self.inside(low, high))

    def units(self, low: int, high: int | None) -> tuple[int, int]:
        """Return the cells (first, last) of the root's table that lie inside [low, high]."""
        low, high = operator.index(low), self.high if high is None else operator.index(high)
        if low > high:
            raise UserError(
                f"the interval [{low}, {high}] is upside down; low must not be above high"
            )
        if high > self.high and self.high < self.graph.most_expensive:
            raise UserError(
                f"{high} is beyond this table, which ends at {self.high}; tabulate with that high"
            )
        base, unit = self.graph.cheapest, self.layout.unit
        first = 0 if low <= base else -((base - low - self.layout.blur) // unit)
        last = min((high - base) // unit, self.layout.length[self.graph.root] - 1)
        return first, max(last, -1)

    def inside(self, low: int, high: int | None) -> tuple[int, int]:
        """Return `units(low, high)`; raises `UserError` with the nearest costs if it is empty."""
        first, last = self.units(low, high)
        inside = self._slice(first, last)
        if inside.start == inside.stop:
            raise self._nothing(low, self.high if high is None else high)
        return first, last

    def feasible(self, node: int, first: int, last: int) -> bool:
        """Whether some way from a node to the end costs from `first` to `last` units."""
        farthest = self.layout.farthest[node]
        if last < 0 or first > farthest:
            return False
        # At every node the cheapest way costs no units.
        if first <= 0 or last >= farthest:
            return True
        if node == self.graph.root:
            inside = self._slice(first, last)
            return bool(inside.start < inside.stop)
        if node in self.layout.length:
            return bool(self.table(node)[first : last + 1].any())
        ways = zip(self.graph.nodes[node].children, self.layout.shifts[node], strict=True)
        return any(self.feasible(child, first - s, last - s) for child, s in ways)

    def _slice(self, first: int, last: int) -> slice:
        """Where the costs from `first` to `last` units are held."""
        begin, end = np.searchsorted(self.held, [first, last + 1])
        return slice(int(begin), max(int(begin), int(end)))

    def _draw(self, rng: np.random.Generator, units: NDArray[np.int64]) -> list[Options]:
        return list(self._sampler.draw(rng, units))

    def _cost_of_units(self, units: int) -> int:
        """True cost of some encoding of so many units; of all of them, if the table is exact."""
        if self.exact:
            return self.graph.cheapest + units * self.layout.unit
        return self.cost(self._draw(np.random.default_rng(0), np.array([units]))[0])

    def _nothing(self, low: int, high: int) -> UserError:
        said = f"no architecture costs from {low} to {high} multiplies"
        cells = -((self.graph.cheapest - low) // self.layout.unit)
        below = self.held[: np.searchsorted(self.held, cells)]
        near = []
        if high >= self.graph.cheapest and len(below):
            near.append(f"the nearest below costs {self._cost_of_units(int(below[-1]))}")
        above = self._nearest_above(high)
        if above is not None:
            near.append(
                f"the nearest above {above}" if near else f"the nearest above costs {above}"
            )
        return UserError(f"{said}; {', '.join(near)}; widen the interval to hold one")

    def _nearest_above(self, high: int) -> int | None:
        if high >= self.graph.most_expensive:
            return None
        reach = max(high, self.graph.cheapest)
        while True:
            wider = self if reach <= self.high else BudgetTable(self.chain, self.graph, reach)
            held = wider.held
            beyond = held * wider.layout.unit - wider.blur > high - self.graph.cheapest
            if beyond.any():
                return wider._cost_of_units(int(held[beyond][0]))
            if reach == self.graph.most_expensive:
                return reach
            reach = min(self.graph.most_expensive, 2 * reach + 1)


def _dtype(size: int) -> np.dtype[Any]:
    if size < 10**300:
        return np.dtype(np.float64)
    wide = np.dtype(np.longdouble)
    if np.finfo(wide).maxexp < 16384 or size.bit_length() > 16000:
        raise UserError(
            f"the space holds more than 10^{int(size.bit_length() * 0.30103)} encodings, too many"
            " to weigh in floating point on this machine; restrict it to fewer decisions"
        )
    return wide
