"""A chain tabulated for a budget: count, sample, mutate, encode inside an interval of costs."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.errors import UserError, shown
from search.jobs import Candidate, Options
from search.spaces import moves, unit_cube
from search.spaces.chain import Chain, describe
from search.spaces.counts import ExactCounts
from search.spaces.filled_table import fill
from search.spaces.graph import Graph, minimal_graph
from search.spaces.layout import plan
from search.spaces.sampling import Sampler
from search.units import format_multiplies

# Bytes that the tables may take; costs are binned where they would need more.
MEMORY = 1 << 30


def tabulate(chain: Chain, high: int | None = None, *, memory: int = MEMORY) -> "BudgetTable":
    """Count a chain's encodings at every cost up to `high` multiplies, by default at all costs.

    The tables take at most `memory` bytes; where exact costs would need more, costs are binned, see
    `BudgetTable`. Raises `UserError` if the chain breaks its rules or nothing costs at most `high`.
    """
    return BudgetTable(chain, minimal_graph(chain), high, memory)


class BudgetTable:
    """All encodings of a chain within any interval [low, high] of costs, up to the table's `high`.

    A dynamic programme over (decision, remaining cost in units of the greatest common divisor of
    all price differences). Every method only takes decisions from which an encoding inside the
    interval can still be finished, so nothing is rejected and nothing outside is ever proposed.

    Both ends belong to the interval; `high` defaults to the table's own. Every method raises
    `UserError` if `low` is above `high`, or `high` is beyond the table; methods that return
    encodings also raise it if no encoding is inside, and name the nearest costs below and above.

    If the table would exceed its memory, `exact` is False: prices are rounded up to bins. Every
    encoding returned still truly costs at least `low` and at most `high`, but encodings within
    `blur` multiplies of either end may be left out: they are then neither counted, sampled nor
    reached, and counts and uniformity refer to the rest.
    """

    def __init__(self, chain: Chain, graph: Graph, high: int | None, memory: int = MEMORY) -> None:
        """Tabulate the graph of `chain`; `tabulate` makes both."""
        self.chain = chain
        self.graph = graph
        self.high = graph.most_expensive if high is None else operator.index(high)
        if self.high < graph.cheapest:
            options = " ".join(map(str, graph.extreme(most_expensive=False)))
            least, given = format_multiplies(_up(graph.cheapest)), shown(self.high)
            if self.high > 0 and format_multiplies(self.high) != least:
                given = format_multiplies(self.high)
            elif self.high > 0:
                least = f"{graph.cheapest:,}"
            raise UserError(
                f"a budget of {given} is below the cheapest architecture of the space"
                f" ({shown(options, 200)}); give at least {least}"
            )
        dtype = _dtype(graph.size)
        reach = min(self.high, graph.most_expensive) - graph.cheapest
        self.layout = plan(graph, reach, memory // dtype.itemsize)
        self.filled = fill(graph, self.layout, dtype)
        self._exact_counts = ExactCounts(self.layout, graph.root, float(np.finfo(dtype).eps))
        self._sampler = Sampler(self.filled)
        self._mover = moves.Mover(self.filled)
        self._path_weights = unit_cube.PathWeights(self.filled)

    @property
    def exact(self) -> bool:
        """Whether the table holds exact costs rather than bins."""
        return self.layout.blur == 0

    @property
    def blur(self) -> int:
        """How far the bins may be off at either end of the interval, in multiplies; 0 if exact."""
        return self.layout.blur

    @property
    def size(self) -> int:
        """Exact number of encodings of the whole space."""
        return self.graph.size

    @property
    def dimension(self) -> int:
        """Number of coordinates of `decode`'s points: the decisions of the longest encoding."""
        return self.graph.longest

    def cost(self, options: Options) -> int:
        """Return the cost of a finished encoding; raises `UserError` for any other."""
        return self.graph.cost(options)

    def candidate(self, options: Options) -> Candidate:
        """Return the candidate of a finished encoding; raises `UserError` for any other."""
        return describe(self.chain, options, self.graph.cost(options))

    def cheapest(self) -> tuple[int, Options]:
        """Return the smallest cost of the whole space and the first encoding of that cost."""
        return self.graph.cheapest, self.graph.extreme(most_expensive=False)

    def most_expensive(self) -> tuple[int, Options]:
        """Return the largest cost of the whole space and the first encoding of that cost."""
        return self.graph.most_expensive, self.graph.extreme(most_expensive=True)

    def count(self, low: int = 0, high: int | None = None) -> int:
        """Return the exact number of encodings inside, as a Python integer of any size.

        On a large space the first call fills the tables once or twice more, in integers.
        """
        first, last = self.units(low, high)
        if first == 0 and self.layout.max_units[self.graph.root] <= last:
            return self.size
        estimate = int(self.filled.root_counts[self.filled.root_slice(first, last)].sum())
        # Floating-point sums are exact below 2^53.
        if estimate == 0 or self.size < 1 << 53:
            return estimate
        return self._exact_counts.within(first, last, estimate)

    def sample(
        self, rng: np.random.Generator, n: int, low: int = 0, high: int | None = None
    ) -> list[Options]:
        """Return `n` encodings, independent and uniform over all encodings inside."""
        first, last = self.inside(low, high)
        inside = self.filled.root_slice(first, last)
        reach = np.cumsum(self.filled.root_counts[inside])
        aim = np.minimum(rng.random(n) * reach[-1], np.nextafter(reach[-1], 0))
        costs = self.filled.root_costs[inside]
        return self._draw(rng, costs[np.searchsorted(reach, aim, side="right")])

    def sample_at(
        self, rng: np.random.Generator, costs: ArrayLike, low: int = 0, high: int | None = None
    ) -> list[Options]:
        """Return one encoding inside for each of `costs` ([n] multiplies), at the nearest cost.

        Uniform over all encodings of that cost (of that bin, where costs are binned).
        """
        first, last = self.inside(low, high)
        wanted = (np.asarray(costs, np.float64) - self.graph.cheapest) / self.layout.unit
        inside = self.filled.root_costs[self.filled.root_slice(first, last)]
        above = np.searchsorted(inside, wanted).clip(0, len(inside) - 1)
        below = (above - 1).clip(0)
        nearer = np.abs(inside[below] - wanted) <= np.abs(inside[above] - wanted)
        return self._draw(rng, np.where(nearer, inside[below], inside[above]))

    def sample_level(
        self, rng: np.random.Generator, n: int, low: int = 0, high: int | None = None
    ) -> list[Options]:
        """Return `n` encodings inside, stratified by the logarithm of the cost, cheapest first.

        The log-interval from the cheapest cost inside to the most expensive is cut into `n` equal
        strata; a uniform draw from each gives the encoding of the nearest cost.
        """
        first, last = self.inside(low, high)
        inside = self.filled.root_costs[self.filled.root_slice(first, last)]
        ends = [max(1, self._cost_of_units(int(inside[i]))) for i in (0, -1)]
        begin, end = np.log(np.array(ends, np.float64))
        costs = np.exp(begin + (end - begin) * (np.arange(n) + rng.random(n)) / max(n, 1))
        return self.sample_at(rng, costs, low, high)

    def decode(self, point: Sequence[float], low: int = 0, high: int | None = None) -> Options:
        """Return the encoding inside that a point of [0, 1)^dimension stands for.

        Coordinate i decides at position i: each option has the share of [0, 1) that it has of the
        encodings inside, so uniform points give uniform encodings (up to a least share of 2^-40
        that every feasible option keeps). Coordinates beyond the encoding's end are ignored.
        """
        return unit_cube.decode(self.filled, self._path_weights, point, *self.inside(low, high))

    def encode(self, options: Options, low: int = 0, high: int | None = None) -> tuple[float, ...]:
        """Return the middle of the box of points that decode to `options`.

        Raises `UserError` for an encoding that is not the chain's or not inside.
        """
        return unit_cube.encode(self.filled, self._path_weights, options, *self.inside(low, high))

    def mutate(
        self,
        rng: np.random.Generator,
        options: Options,
        low: int = 0,
        high: int | None = None,
        *,
        rate: float | None = None,
    ) -> Options:
        """Return an encoding inside with one decision changed and the others kept if feasible.

        Each decision after the changed one is redrawn with probability `rate` (by default one over
        their number, at most a half), so that any encoding inside can follow from any other in one
        step. Never returns `options`. Raises `UserError` if no other encoding is inside.
        """
        return moves.mutate(self._mover, rng, options, *self.inside(low, high), rate)

    def crossover(
        self,
        rng: np.random.Generator,
        first: Options,
        second: Options,
        low: int = 0,
        high: int | None = None,
    ) -> Options:
        """Return an encoding inside that inherits each decision from a parent if feasible.

        Never returns a parent: a child equal to one is mutated. Raises `UserError` if nothing but
        the parents is inside.
        """
        return moves.crossover(self._mover, rng, first, second, *self.inside(low, high))

    def neighbours(
        self, options: Options, low: int = 0, high: int | None = None
    ) -> Iterator[Options]:
        """Yield each encoding inside that differs from `options` in one decision, once.

        A later decision that is no longer feasible is replaced by the option nearest in price.
        Deterministic; `options` itself is never yielded.
        """
        return moves.neighbours(self._mover, options, *self.inside(low, high))

    def encodings(self, low: int = 0, high: int | None = None) -> Iterator[Options]:
        """Yield every encoding inside, once, in the order of the chain's options."""
        return moves.encodings(self.filled, *self.inside(low, high))

    def units(self, low: int, high: int | None) -> tuple[int, int]:
        """Return the interval [low, high] of multiplies as units (first, last), both inside."""
        low, high = operator.index(low), self.high if high is None else operator.index(high)
        if low > high:
            raise UserError(
                f"the interval [{shown(low)}, {shown(high)}] is upside down; low must not be above"
                " high"
            )
        if high > self.high and self.high < self.graph.most_expensive:
            raise UserError(
                f"{shown(high)} is beyond this table, which ends at {self.high}; tabulate with that"
                " high"
            )
        base, unit = self.graph.cheapest, self.layout.unit
        length = self.layout.length[self.graph.root]
        # At most one beyond the table, because a Python integer may be too large for an array.
        first = 0 if low <= base else min(-((base - low - self.layout.blur) // unit), length)
        last = min((high - base) // unit, length - 1)
        return first, max(last, -1)

    def inside(self, low: int, high: int | None) -> tuple[int, int]:
        """Return `units(low, high)`; raises `UserError` with the nearest costs if it is empty."""
        first, last = self.units(low, high)
        inside = self.filled.root_slice(first, last)
        if inside.start == inside.stop:
            raise self._nothing(low, self.high if high is None else high)
        return first, last

    def _draw(self, rng: np.random.Generator, units: NDArray[np.int64]) -> list[Options]:
        return list(self._sampler.draw(rng, units))

    def _cost_of_units(self, units: int) -> int:
        """Return the true cost of an encoding of so many units; if exact, all cost the same."""
        if self.exact:
            return self.graph.cheapest + units * self.layout.unit
        return self.cost(self._draw(np.random.default_rng(0), np.array([units]))[0])

    def _nothing(self, low: int, high: int) -> UserError:
        """Return the error for an empty interval, with the nearest costs on both sides."""
        near = []
        units = -((self.graph.cheapest - low) // self.layout.unit)
        end = np.searchsorted(
            self.filled.root_costs, min(units, self.layout.length[self.graph.root])
        )
        if high >= self.graph.cheapest and end > 0:
            below = self._cost_of_units(int(self.filled.root_costs[end - 1]))
            near.append(f"the nearest below costs {below}")
        above = self._nearest_above(high)
        if above is not None:
            near.append(
                f"the nearest above {above}" if near else f"the nearest above costs {above}"
            )
        return UserError(
            f"no architecture costs from {shown(low)} to {shown(high)} multiplies;"
            f" {', '.join(near)}; widen the interval to hold one"
        )

    def _nearest_above(self, high: int) -> int | None:
        """Return the smallest cost above `high`, from wider tables if this one ends before it."""
        if high >= self.graph.most_expensive:
            return None
        reach = max(high, self.graph.cheapest)
        while True:
            wider = self if reach <= self.high else BudgetTable(self.chain, self.graph, reach)
            costs = wider.filled.root_costs
            beyond = costs > (high - self.graph.cheapest + wider.blur) // wider.layout.unit
            if beyond.any():
                return wider._cost_of_units(int(costs[beyond][0]))
            if reach == self.graph.most_expensive:
                return reach
            reach = min(self.graph.most_expensive, 2 * reach + 1)


def _up(multiplies: int) -> int:
    """Round up to the four digits that are shown, so that the number shown suffices."""
    scale = int(10 ** max(0, len(str(multiplies)) - 4))
    return -(-multiplies // scale) * scale


def _dtype(size: int) -> np.dtype[Any]:
    """Return the floating-point type that counts up to `size` fit in."""
    if size < 10**300:
        return np.dtype(np.float64)
    wide = np.dtype(np.longdouble)
    # Python prints integers of up to 4300 digits, which is 14,284 bits.
    if np.finfo(wide).maxexp < 16384 or size.bit_length() > 14_000:
        raise UserError(
            f"the space holds more than 10^{int(size.bit_length() * 0.30103)} encodings, too many"
            " to weigh in floating point on this machine; restrict it to fewer decisions"
        )
    return wide
