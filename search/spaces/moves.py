"""Steps from one encoding to another that never leave the interval of costs.

All of them walk the graph from the start and take only options from which the end can still be
reached inside; a decision is kept from a parent where it exists and fits. Cells `first` to `last`
of the root's table are the interval.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from search.errors import UserError
from search.jobs import Option, Options

if TYPE_CHECKING:
    from search.spaces.budget_table import BudgetTable

# How far ahead in the parent's encoding a decision of the same kind is looked for.
_AHEAD = 8


@dataclass
class _Parent:
    """A parent's decisions, aligned with a walk that may be longer or shorter than it."""

    options: Options
    seat: dict[int, int]
    next: int = 0

    @classmethod
    def of(cls, table: "BudgetTable", options: Options) -> "_Parent":
        walked = table.graph.walk(options)
        return cls(options, {node: i for i, (node, _) in enumerate(walked)})

    def advice(self, node: int, known: dict[Option, int]) -> int | None:
        """Return the index of what the parent decided here, or would have; None for no opinion.

        At a point that the parent passed, too, its decision there; else the next of its decisions
        that is possible here.
        """
        here = self.seat.get(node)
        if here is None:
            ahead = range(self.next, min(self.next + _AHEAD, len(self.options)))
            here = next((i for i in ahead if self.options[i] in known), None)
            if here is None:
                return None
        self.next = here + 1
        return known[self.options[here]]


_Choose = Callable[[int, list[int]], int]


def _complete(
    table: "BudgetTable",
    found: list[Option],
    node: int,
    spent: int,
    first: int,
    last: int,
    choose: _Choose,
) -> Options:
    """Walk on from `node`, `spent` units in; `choose(node, possible indices)` decides."""
    nodes, shifts = table.graph.nodes, table.layout.shifts
    while nodes[node].options:
        possible = _possible(table, node, first - spent, last - spent)
        pick = choose(node, possible)
        found.append(nodes[node].options[pick])
        spent += shifts[node][pick]
        node = nodes[node].children[pick]
    return tuple(found)


def _possible(table: "BudgetTable", node: int, first: int, last: int) -> list[int]:
    ways = zip(table.graph.nodes[node].children, table.layout.shifts[node], strict=True)
    return [i for i, (child, s) in enumerate(ways) if table.feasible(child, first - s, last - s)]


def _changes(
    table: "BudgetTable", options: Options, first: int, last: int
) -> list[tuple[int, int, int, list[int]]]:
    """List (position, node, units spent, other possible options) where one could decide anew."""
    spent, found = 0, []
    for position, (node, pick) in enumerate(table.graph.walk(options)):
        others = [i for i in _possible(table, node, first - spent, last - spent) if i != pick]
        if others:
            found.append((position, node, spent, others))
        spent += table.layout.shifts[node][pick]
    return found


def mutate(
    table: "BudgetTable",
    rng: np.random.Generator,
    options: Options,
    first: int,
    last: int,
    rate: float | None = None,
) -> Options:
    """See `BudgetTable.mutate`."""
    changes = _changes(table, options, first, last)
    if not changes:
        raise _alone(table, options)
    position, node, spent, others = changes[int(rng.integers(len(changes)))]
    pick = others[int(rng.integers(len(others)))]
    later = len(options) - position - 1
    redo = 1 / max(later, 2) if rate is None else rate
    parent = _Parent.of(table, options)
    parent.next = position + 1

    def choose(here: int, possible: list[int]) -> int:
        advice = parent.advice(here, table.graph.nodes[here].index)
        if len(possible) == 1 or (advice in possible and rng.random() >= redo):
            return advice if advice in possible else possible[0]
        return possible[int(rng.integers(len(possible)))]

    found = [*options[:position], table.graph.nodes[node].options[pick]]
    spent += table.layout.shifts[node][pick]
    child = table.graph.nodes[node].children[pick]
    return _complete(table, found, child, spent, first, last, choose)


def crossover(
    table: "BudgetTable",
    rng: np.random.Generator,
    one: Options,
    other: Options,
    first: int,
    last: int,
) -> Options:
    """See `BudgetTable.crossover`."""
    parents = (_Parent.of(table, one), _Parent.of(table, other))

    def choose(here: int, possible: list[int]) -> int:
        index = table.graph.nodes[here].index
        advice = [parent.advice(here, index) for parent in parents]
        turn = int(rng.integers(2))
        for wish in (advice[turn], advice[1 - turn]):
            if wish in possible:
                return wish
        return possible[int(rng.integers(len(possible)))]

    child = _complete(table, [], table.graph.root, 0, first, last, choose)
    if child in (one, other):
        child = mutate(table, rng, child, first, last)
    if child in (one, other):
        # Only a space of next to nothing comes here: any third encoding will do.
        thirds = [
            found for found in islice(encodings(table, first, last), 3) if found not in (one, other)
        ]
        if not thirds:
            raise _alone(table, one)
        child = thirds[0]
    return child


def neighbours(table: "BudgetTable", options: Options, first: int, last: int) -> Iterator[Options]:
    """See `BudgetTable.neighbours`."""
    seen = {options}
    for position, node, spent, others in _changes(table, options, first, last):
        for pick in others:
            parent = _Parent.of(table, options)
            parent.next = position + 1
            found = [*options[:position], table.graph.nodes[node].options[pick]]
            child = table.graph.nodes[node].children[pick]
            shift = table.layout.shifts[node][pick]
            listed = _complete(
                table, found, child, spent + shift, first, last, _nearest(table, parent)
            )
            if listed not in seen:
                seen.add(listed)
                yield listed


def _nearest(table: "BudgetTable", parent: _Parent) -> _Choose:
    def choose(here: int, possible: Sequence[int]) -> int:
        node = table.graph.nodes[here]
        advice = parent.advice(here, node.index)
        if advice is not None and advice in possible:
            return advice
        aim = 0 if advice is None else node.excess[advice]
        return min(possible, key=lambda i: (abs(node.excess[i] - aim), i))

    return choose


def encodings(table: "BudgetTable", first: int, last: int) -> Iterator[Options]:
    """See `BudgetTable.encodings`."""
    stack: list[tuple[Options, int, int]] = [((), table.graph.root, 0)]
    while stack:
        found, here, spent = stack.pop()
        node = table.graph.nodes[here]
        if not node.options:
            yield found
        for i in reversed(_possible(table, here, first - spent, last - spent)):
            later = spent + table.layout.shifts[here][i]
            stack.append(((*found, node.options[i]), node.children[i], later))


def _alone(table: "BudgetTable", options: Options) -> UserError:
    return UserError(
        f"no further architecture is inside the interval beside {' '.join(map(str, options))}"
        f" ({table.cost(options)} multiplies); widen the budget"
    )
