"""Mutation, crossover, neighbours and enumeration that never leave an interval of costs.

Each walks the graph from the root and takes only options from which an encoding inside the interval
can still be finished. Decisions are inherited from a parent where they exist and are feasible. The
interval is `first` to `last` units, see `FilledTable`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from search.errors import UserError, shown
from search.jobs import Option, Options
from search.spaces.filled_table import FilledTable

# How far ahead in the parent an option that is also offered here is looked for.
_AHEAD = 8


@dataclass
class _Parent:
    """A parent's decisions, aligned with a walk that may be longer or shorter than it."""

    options: Options
    position: dict[int, int]  # by node on the parent's own walk
    next: int = 0

    @classmethod
    def of(cls, table: FilledTable, options: Options) -> "_Parent":
        walked = table.graph.walk(options)
        return cls(options, {node: i for i, (node, _) in enumerate(walked)})

    def inherited(self, node: int, index: dict[Option, int]) -> int | None:
        """Return the index of the option to inherit at `node`, or None if there is none.

        At a node that the parent passed too, its decision there; elsewhere the next of its
        decisions that is offered here.
        """
        here = self.position.get(node)
        if here is None:
            ahead = range(self.next, min(self.next + _AHEAD, len(self.options)))
            here = next((i for i in ahead if self.options[i] in index), None)
            if here is None:
                return None
        self.next = here + 1
        return index[self.options[here]]


_Choose = Callable[[int, list[int]], int]


def _complete(
    table: FilledTable,
    prefix: list[Option],
    node: int,
    spent: int,
    first: int,
    last: int,
    choose: _Choose,
) -> Options:
    """Finish `prefix`, which ends at `node` with `spent` units.

    `choose(node, feasible options)` returns the index of the option to take.
    """
    nodes, prices = table.graph.nodes, table.layout.prices
    while nodes[node].options:
        pick = choose(node, _feasible_options(table, node, first - spent, last - spent))
        prefix.append(nodes[node].options[pick])
        spent += prices[node][pick]
        node = nodes[node].children[pick]
    return tuple(prefix)


def _feasible_options(table: FilledTable, node: int, first: int, last: int) -> list[int]:
    prices = table.layout.prices[node]
    if first <= 0:
        # Nothing is too cheap, and from every node the cheapest rest costs nothing.
        return [i for i, p in enumerate(prices) if p <= last]
    edges = zip(table.graph.nodes[node].children, prices, strict=True)
    return [i for i, (child, p) in enumerate(edges) if table.feasible(child, first - p, last - p)]


def _alternatives(
    table: FilledTable, options: Options, first: int, last: int
) -> list[tuple[int, int, int, list[int]]]:
    """Return (position, node, units spent, other feasible options) wherever there are others."""
    spent, found = 0, []
    for position, (node, pick) in enumerate(table.graph.walk(options)):
        feasible = _feasible_options(table, node, first - spent, last - spent)
        others = [i for i in feasible if i != pick]
        if others:
            found.append((position, node, spent, others))
        spent += table.layout.prices[node][pick]
    return found


def mutate(
    table: FilledTable,
    rng: np.random.Generator,
    options: Options,
    first: int,
    last: int,
    rate: float | None = None,
) -> Options:
    """See `BudgetTable.mutate`."""
    alternatives = _alternatives(table, options, first, last)
    if not alternatives:
        raise _no_other(table, options)
    position, node, spent, others = alternatives[int(rng.integers(len(alternatives)))]
    pick = others[int(rng.integers(len(others)))]
    later = len(options) - position - 1
    redraw = 1 / max(later, 2) if rate is None else rate
    parent = _Parent.of(table, options)
    parent.next = position + 1

    def choose(here: int, feasible: list[int]) -> int:
        wish = parent.inherited(here, table.graph.nodes[here].index)
        if len(feasible) == 1 or (wish in feasible and rng.random() >= redraw):
            return wish if wish in feasible else feasible[0]
        return feasible[int(rng.integers(len(feasible)))]

    prefix = [*options[:position], table.graph.nodes[node].options[pick]]
    spent += table.layout.prices[node][pick]
    child = table.graph.nodes[node].children[pick]
    return _complete(table, prefix, child, spent, first, last, choose)


def crossover(
    table: FilledTable,
    rng: np.random.Generator,
    one: Options,
    other: Options,
    first: int,
    last: int,
) -> Options:
    """See `BudgetTable.crossover`."""
    parents = (_Parent.of(table, one), _Parent.of(table, other))

    def choose(here: int, feasible: list[int]) -> int:
        index = table.graph.nodes[here].index
        wishes = [parent.inherited(here, index) for parent in parents]
        turn = int(rng.integers(2))
        for wish in (wishes[turn], wishes[1 - turn]):
            if wish in feasible:
                return wish
        return feasible[int(rng.integers(len(feasible)))]

    child = _complete(table, [], table.graph.root, 0, first, last, choose)
    if child in (one, other):
        child = mutate(table, rng, child, first, last)
    if child in (one, other):
        # Only where hardly anything else is inside: any third encoding will do.
        thirds = [
            found for found in islice(encodings(table, first, last), 3) if found not in (one, other)
        ]
        if not thirds:
            raise _no_other(table, one)
        child = thirds[0]
    return child


def neighbours(table: FilledTable, options: Options, first: int, last: int) -> Iterator[Options]:
    """See `BudgetTable.neighbours`."""
    seen = {options}
    for position, node, spent, others in _alternatives(table, options, first, last):
        for pick in others:
            parent = _Parent.of(table, options)
            parent.next = position + 1
            prefix = [*options[:position], table.graph.nodes[node].options[pick]]
            child = table.graph.nodes[node].children[pick]
            price = table.layout.prices[node][pick]
            found = _complete(
                table, prefix, child, spent + price, first, last, _nearest_price(table, parent)
            )
            if found not in seen:
                seen.add(found)
                yield found


def _nearest_price(table: FilledTable, parent: _Parent) -> _Choose:
    """Inherit where that is feasible, otherwise take the option nearest in price."""

    def choose(here: int, feasible: Sequence[int]) -> int:
        node = table.graph.nodes[here]
        wish = parent.inherited(here, node.index)
        if wish is not None and wish in feasible:
            return wish
        aim = 0 if wish is None else node.excess[wish]
        return min(feasible, key=lambda i: (abs(node.excess[i] - aim), i))

    return choose


def encodings(table: FilledTable, first: int, last: int) -> Iterator[Options]:
    """See `BudgetTable.encodings`."""
    stack: list[tuple[Options, int, int]] = [((), table.graph.root, 0)]
    while stack:
        prefix, here, spent = stack.pop()
        node = table.graph.nodes[here]
        if not node.options:
            yield prefix
        for i in reversed(_feasible_options(table, here, first - spent, last - spent)):
            later = spent + table.layout.prices[here][i]
            stack.append(((*prefix, node.options[i]), node.children[i], later))


def _no_other(table: FilledTable, options: Options) -> UserError:
    return UserError(
        "no further architecture is inside the interval beside"
        f" {shown(' '.join(map(str, options)), 200)} ({table.graph.cost(options)} multiplies);"
        " widen the budget"
    )
