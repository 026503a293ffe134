"""Mutation, crossover, neighbours and enumeration that never leave an interval of costs.

Each walks the graph from the root and takes only options from which an encoding inside the interval
can still be finished. Decisions are inherited from a parent where they exist and are feasible. The
interval is `first` to `last` units, see `FilledTable`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice

import numpy as np

from search.errors import UserError, shown
from search.jobs import Option, Options
from search.spaces.filled_table import FilledTable

# How far ahead in the parent an option that is also offered here is looked for.
_AHEAD = 8
# Encodings that a table remembers the branches of.
_REMEMBERED = 256


@dataclass(frozen=True)
class _Branch:
    """A decision of an encoding that could have been another."""

    position: int
    node: int
    spent: int  # units before it
    others: list[int]  # the other feasible options


@dataclass(frozen=True)
class _Branches:
    """An encoding's way through the graph, and the branches of it inside an interval."""

    position: dict[int, int]  # by node on the way
    branches: list[_Branch]


class Mover:
    """A table, and the branches of the encodings that were moved from last.

    A search moves from the same few encodings again and again; finding an encoding's branches takes
    as long as finishing its child.
    """

    def __init__(self, table: FilledTable) -> None:
        self.table = table
        self.branches = lru_cache(maxsize=_REMEMBERED)(partial(_branches, table))


@dataclass
class _Parent:
    """A parent's decisions, aligned with a walk that may be longer or shorter than it."""

    options: Options
    position: dict[int, int]  # by node on the parent's own walk
    next: int = 0

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


def _branches(table: FilledTable, options: Options, first: int, last: int) -> _Branches:
    spent, found, positions = 0, list[_Branch](), dict[int, int]()
    for position, (node, pick) in enumerate(table.graph.walk(options)):
        positions[node] = position
        feasible = _feasible_options(table, node, first - spent, last - spent)
        others = [i for i in feasible if i != pick]
        if others:
            found.append(_Branch(position, node, spent, others))
        spent += table.layout.prices[node][pick]
    return _Branches(positions, found)


def mutate(
    mover: Mover,
    rng: np.random.Generator,
    options: Options,
    first: int,
    last: int,
    rate: float | None = None,
) -> Options:
    """See `BudgetTable.mutate`."""
    table, found = mover.table, mover.branches(options, first, last)
    if not found.branches:
        raise _no_other(table, options)
    branch = found.branches[int(rng.integers(len(found.branches)))]
    pick = branch.others[int(rng.integers(len(branch.others)))]
    later = len(options) - branch.position - 1
    redraw = 1 / max(later, 2) if rate is None else rate
    parent = _Parent(options, found.position, branch.position + 1)

    def choose(here: int, feasible: list[int]) -> int:
        wish = parent.inherited(here, table.graph.nodes[here].index)
        if len(feasible) == 1 or (wish in feasible and rng.random() >= redraw):
            return wish if wish in feasible else feasible[0]
        return feasible[int(rng.integers(len(feasible)))]

    return _turn_off(table, options, branch, pick, first, last, choose)


def _turn_off(
    table: FilledTable,
    options: Options,
    branch: _Branch,
    pick: int,
    first: int,
    last: int,
    choose: _Choose,
) -> Options:
    """Return `options` up to `branch`, with option `pick` there and finished by `choose`."""
    node = table.graph.nodes[branch.node]
    prefix = [*options[: branch.position], node.options[pick]]
    spent = branch.spent + table.layout.prices[branch.node][pick]
    return _complete(table, prefix, node.children[pick], spent, first, last, choose)


def crossover(
    mover: Mover,
    rng: np.random.Generator,
    one: Options,
    other: Options,
    first: int,
    last: int,
) -> Options:
    """See `BudgetTable.crossover`."""
    table = mover.table
    parents = [
        _Parent(options, mover.branches(options, first, last).position) for options in (one, other)
    ]

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
        child = mutate(mover, rng, child, first, last)
    if child in (one, other):
        # Only where hardly anything else is inside: any third encoding will do.
        thirds = [
            found for found in islice(encodings(table, first, last), 3) if found not in (one, other)
        ]
        if not thirds:
            raise _no_other(table, one)
        child = thirds[0]
    return child


def neighbours(mover: Mover, options: Options, first: int, last: int) -> Iterator[Options]:
    """See `BudgetTable.neighbours`."""
    table, found = mover.table, mover.branches(options, first, last)
    seen = {options}
    for branch in found.branches:
        for pick in branch.others:
            parent = _Parent(options, found.position, branch.position + 1)
            choose = _nearest_price(table, parent)
            neighbour = _turn_off(table, options, branch, pick, first, last, choose)
            if neighbour not in seen:
                seen.add(neighbour)
                yield neighbour


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
