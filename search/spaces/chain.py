"""What a space has to say for itself: a chain of decisions with integer prices."""

import hashlib
import operator
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from search.errors import UserError
from search.files import canonical_json
from search.jobs import Candidate, Option, Options
from search.networks.arch import Arch


class Chain(Protocol):
    """A space as a chain of decisions: at a position, in a state, an option leads on at a price.

    A finished encoding of options is one architecture; its cost is the sum of the prices of its
    steps and of finishing. Prices are integers from 0 on, states hashable, options distinct strings
    or integers. Encodings may differ in length. A chain that sets `position_free = True` promises
    that its answers depend on the state alone; states met at several positions are then looked at
    once, which makes chains with encodings of many lengths much faster to tabulate.

    Different encodings may stand for the same value in a user's chain. Then uniform means uniform
    over encodings, counts are counts of encodings, and a value is known by `value_id`, so that a
    study trains it once.
    """

    def start(self) -> Hashable:
        """Return the state before the first decision."""

    def options(self, position: int, state: Any, /) -> Sequence[Option]:
        """Return what can be decided here; empty where the encoding is finished."""

    def step(self, position: int, state: Any, option: Option, /) -> tuple[Hashable, int]:
        """Return the state that `option` leads to and its price."""

    def finish(self, state: Any, /) -> int:
        """Return the price of finishing in `state`."""

    def value(self, options: Options, /) -> Any:
        """Return what a finished encoding stands for: an `Arch`, or any JSON value."""


def cost(chain: Chain, options: Sequence[Option]) -> int:
    """Return the price of a finished list, summed step by step.

    Raises `UserError` if the encoding is not one of the chain's.
    """
    state, total = chain.start(), 0
    for position, option in enumerate(options):
        allowed = chain.options(position, state)
        if option not in allowed:
            raise not_of_chain(position, option, allowed)
        state, price = chain.step(position, state, option)
        total += checked_price(price, position, option)
    rest = chain.options(len(options), state)
    if rest:
        raise unfinished(options, rest)
    return total + checked_price(chain.finish(state), len(options), "finish")


def candidate(chain: Chain, options: Sequence[Option]) -> Candidate:
    """Return what a finished encoding stands for, with its price, id and parameters.

    Raises `UserError` if the encoding is not one of the chain's.
    """
    return describe(chain, tuple(options), cost(chain, options))


def describe(chain: Chain, options: Options, multiplies: int) -> Candidate:
    """Return the candidate of an encoding whose price is known."""
    value = chain.value(options)
    if isinstance(value, Arch):
        return replace(Candidate.of(value, options), multiplies=multiplies)
    return Candidate(options, value_id(value), multiplies, None, canonical_json(value))


def value_id(value: Any) -> str:
    """Return the identity of what an encoding stands for: 12 hexadecimal digits.

    An `Arch` has its own; a user's value that of its canonical JSON. Raises `UserError` where the
    value is neither.
    """
    if isinstance(value, Arch):
        return value.id
    try:
        text = canonical_json(value)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the chain's value {value!r:.80} is not JSON ({error}); value() must return an Arch"
            " or plain encodings, dictionaries, strings and finite numbers"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def checked_price(price: Any, position: int, option: object) -> int:
    """Return `price` as a Python integer; raises `UserError` unless it is one from 0 on."""
    try:
        value = operator.index(price)
    except TypeError:
        value = -1
    if value < 0 or isinstance(price, bool):
        raise UserError(
            f"position {position}, option {option!r}: the price is {price!r}; prices must be"
            " integers from 0 on"
        )
    return value


def not_of_chain(position: int, option: object, allowed: Sequence[Option]) -> UserError:
    """Say that an encoding leaves the chain at `position`."""
    if not allowed:
        return UserError(
            f"position {position} decides {option!r}, but the encoding is finished there; drop what"
            " follows"
        )
    return UserError(
        f"position {position} decides {option!r}; allowed here are"
        f" {', '.join(str(known) for known in allowed)}"
    )


def unfinished(options: Sequence[Option], rest: Sequence[Option]) -> UserError:
    """Say that an encoding ends too early."""
    return UserError(
        f"the encoding ends after {len(options)} decisions but is not finished; next comes one of"
        f" {', '.join(str(known) for known in rest)}"
    )
