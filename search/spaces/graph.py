"""A chain as a minimal weighted automaton: decisions with the same future share a node."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from search.errors import UserError, shown
from search.jobs import Option, Options
from search.spaces.chain import Chain, checked_price, not_of_chain, unfinished
from search.units import MOST_MULTIPLIES

# A chain with more states does not merge them, and a table over them would be of no use.
MOST_STATES = 2_000_000


@dataclass(frozen=True)
class Node:
    """A decision; node 0, without options, is the end of every encoding."""

    options: tuple[Option, ...]
    children: tuple[int, ...]  # [options] the node that each option leads to
    excess: tuple[int, ...]  # [options] multiplies above the cheapest way to finish from here

    @cached_property
    def index(self) -> dict[Option, int]:
        """Index of each option."""
        return {option: i for i, option in enumerate(self.options)}


@dataclass(frozen=True)
class Graph:
    """All encodings of a chain as paths from the root, the last node, to node 0.

    Children come before their parents. An encoding costs `cheapest` plus the excesses along its
    path. States with the same future are one node, at any position.
    """

    nodes: tuple[Node, ...]
    cheapest: int

    @property
    def root(self) -> int:
        """The node where every encoding starts."""
        return len(self.nodes) - 1

    @cached_property
    def size(self) -> int:
        """Exact number of encodings."""
        counts: list[int] = []
        for node in self.nodes:
            counts.append(sum(counts[child] for child in node.children) if node.options else 1)
        return counts[-1]

    @cached_property
    def max_excess(self) -> tuple[int, ...]:
        """Largest total excess of a path to the end, for each node [nodes]."""
        found: list[int] = []
        for node in self.nodes:
            edges = zip(node.excess, node.children, strict=True)
            found.append(max((excess + found[child] for excess, child in edges), default=0))
        return tuple(found)

    @cached_property
    def longest(self) -> int:
        """Number of decisions of the longest encoding."""
        found: list[int] = []
        for node in self.nodes:
            found.append(max((1 + found[child] for child in node.children), default=0))
        return found[-1]

    @property
    def most_expensive(self) -> int:
        """Cost of the most expensive encoding."""
        return self.cheapest + self.max_excess[self.root]

    def extreme(self, *, most_expensive: bool) -> Options:
        """Return the first cheapest encoding, or the first most expensive one."""
        options: list[Option] = []
        here = self.root
        while self.nodes[here].options:
            node = self.nodes[here]
            want = self.max_excess[here] if most_expensive else 0
            rest = self.max_excess if most_expensive else (0,) * len(self.nodes)
            edges = zip(node.excess, node.children, strict=True)
            pick = next(i for i, (e, child) in enumerate(edges) if e + rest[child] == want)
            options.append(node.options[pick])
            here = node.children[pick]
        return tuple(options)

    def walk(self, options: Sequence[Option]) -> Iterator[tuple[int, int]]:
        """Yield (node, index of the option taken) along a finished encoding.

        Raises `UserError` if the encoding is not one of the chain's.
        """
        here = self.root
        for position, option in enumerate(options):
            node = self.nodes[here]
            pick = node.index.get(option)
            if pick is None:
                raise not_of_chain(position, option, node.options)
            yield here, pick
            here = node.children[pick]
        if self.nodes[here].options:
            raise unfinished(options, self.nodes[here].options)

    def cost(self, options: Sequence[Option]) -> int:
        """Return the cost of a finished encoding; raises `UserError` for any other."""
        return self.cheapest + sum(self.nodes[node].excess[i] for node, i in self.walk(options))


# Option, key of the state that follows, its position, the state, the option's price.
_Edge = tuple[Option, Hashable, int, Hashable, int]


def minimal_graph(chain: Chain) -> Graph:
    """Visit every state of a chain once and merge those with the same future.

    Raises `UserError` where a chain breaks its rules: a price that is not an integer from 0 on,
    equal options in one decision, an option that is neither string nor integer, a state that cannot
    be hashed, a cycle, more than two million states, or costs beyond `MOST_MULTIPLIES`.
    """
    free = bool(getattr(chain, "position_free", False))
    nodes: list[Node] = [Node((), (), ())]
    merged: dict[tuple[object, ...], int] = {((), (), ()): 0}
    known: dict[Hashable, tuple[int, int]] = {}
    pending: dict[Hashable, list[_Edge]] = {}
    start = chain.start()
    first = start if free else (0, start)
    stack: list[tuple[Hashable, int, Hashable]] = [(first, 0, start)]
    while stack:
        key, position, state = stack[-1]
        if key in known:
            stack.pop()
        elif key in pending:
            edges = pending.pop(key)
            node, base = _close(edges, known)
            signature = (node.options, node.children, node.excess)
            place = merged.setdefault(signature, len(nodes))
            if place == len(nodes):
                nodes.append(node)
            known[key] = (place, base)
            stack.pop()
        else:
            edges = _edges(chain, position, state, free)
            if len(known) + len(pending) >= MOST_STATES:
                raise UserError(
                    f"the chain has more than {MOST_STATES} states; let states hold only what"
                    " later prices depend on, or set position_free"
                )
            if not edges:
                known[key] = (0, checked_price(chain.finish(state), position, "finish"))
                stack.pop()
                continue
            pending[key] = edges
            for _, child, place, later, _ in edges:
                if child in pending:
                    raise UserError(
                        f"position {position}: the state {shown(later, quoted=True)} comes back"
                        " after itself; a position_free chain must never return to a state"
                    )
                if child not in known:
                    stack.append((child, place, later))
    graph = Graph(tuple(nodes), known[first][1])
    if graph.most_expensive > MOST_MULTIPLIES:
        raise UserError(
            f"the chain's most expensive encoding costs {shown(graph.most_expensive)}, more than"
            " 10^18, the most that is counted; give prices in a larger unit"
        )
    return graph


def _edges(chain: Chain, position: int, state: Hashable, free: bool) -> list[_Edge]:
    options = tuple(chain.options(position, state))
    for option in options:
        if isinstance(option, bool) or not isinstance(option, (str, int)):
            raise UserError(
                f"position {position}: the option {shown(option, quoted=True)} is a"
                f" {type(option).__name__}; options must be strings or integers"
            )
    if len(set(options)) < len(options):
        raise UserError(f"position {position}: options {shown(options)} repeat; each must differ")
    edges: list[_Edge] = []
    for option in options:
        later, price = chain.step(position, state, option)
        try:
            hash(later)
        except TypeError:
            raise UserError(
                f"position {position}, option {shown(option, quoted=True)}: the state"
                f" {shown(later, quoted=True)} cannot be hashed; use tuples, strings, numbers or"
                " frozen dataclasses"
            ) from None
        key = later if free else (position + 1, later)
        edges.append((option, key, position + 1, later, checked_price(price, position, option)))
    return edges


def _close(edges: Sequence[_Edge], known: dict[Hashable, tuple[int, int]]) -> tuple[Node, int]:
    totals = [price + known[key][1] for _, key, _, _, price in edges]
    base = min(totals)
    options = tuple(edge[0] for edge in edges)
    children = tuple(known[edge[1]][0] for edge in edges)
    return Node(options, children, tuple(total - base for total in totals)), base
