"""The protocol of a search space: a chain of decisions with integer prices."""

import operator
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from search.errors import UserError, shown
from search.files import canonical_json
from search.jobs import Candidate, Option, Options
from search.networks.arch import Arch, id_of


class Chain(Protocol):
    """A search space as a chain of decisions: in each state, every option has a price.

    A finished sequence of options is an encoding and stands for one architecture; its cost is the
    sum of the prices of its steps and of finishing. Prices are integers from 0 on, states are
    hashable, the options of a decision are distinct strings or integers. Encodings may differ in
    length, and a chain must end.

    A chain that sets `position_free = True` promises that its answers depend on the state alone.
    States that occur at several positions are then visited once, which makes chains with encodings
    of many lengths much faster to tabulate.

    Several encodings may stand for the same value. Counts and uniformity then refer to encodings,
    while values are compared by `value_id`, so that a study trains each value once.
    `search.testing.check_chain` checks a chain of your own.
    """

    def start(self) -> Hashable:
        """Return the state before the first decision."""

    def options(self, position: int, state: Any, /) -> Sequence[Option]:
        """Return the options of the decision at `position`; none where the encoding is finished."""

    def step(self, position: int, state: Any, option: Option, /) -> tuple[Hashable, int]:
        """Return the state that `option` leads to and its price."""

    def finish(self, state: Any, /) -> int:
        """Return the price of finishing in `state`."""

    def value(self, options: Options, /) -> Any:
        """Return the value that an encoding stands for: an `Arch`, or any JSON value."""


def cost(chain: Chain, options: Sequence[Option]) -> int:
    """Return the cost of an encoding, summed step by step.

    Raises `UserError` if the encoding is not one of the chain's.
    """
    return sum(price for _, _, price in walk(chain, options))


def walk(chain: Chain, options: Sequence[Option]) -> Iterator[tuple[Any, Option | None, int]]:
    """Yield each state, the option taken there and its price; at last None and that of finishing.

    Raises `UserError` if the encoding is not one of the chain's.
    """
    state: Any = chain.start()
    for position, option in enumerate(options):
        allowed = chain.options(position, state)
        if option not in allowed:
            raise not_of_chain(position, option, allowed)
        following, price = chain.step(position, state, option)
        yield state, option, checked_price(price, position, option)
        state = following
    rest = chain.options(len(options), state)
    if rest:
        raise unfinished(options, rest)
    yield state, None, checked_price(chain.finish(state), len(options), "finish")


def candidate(chain: Chain, options: Sequence[Option]) -> Candidate:
    """Return the candidate of a finished encoding: its value, priced and named.

    Raises `UserError` if the encoding is not one of the chain's.
    """
    return describe(chain, tuple(options), cost(chain, options))


def describe(chain: Chain, options: Options, multiplies: int) -> Candidate:
    """Return the candidate of an encoding whose cost is known."""
    value = chain.value(options)
    if isinstance(value, Arch):
        return replace(Candidate.of(value, options), multiplies=multiplies)
    return Candidate(options, value_id(value), multiplies, None, canonical_json(value))


def value_id(value: Any) -> str:
    """Return the identity of an encoding's value: 12 hexadecimal digits.

    That of an `Arch` is its own; that of any other value is the hash of its canonical JSON. Raises
    `UserError` for a value that is neither.
    """
    if isinstance(value, Arch):
        return value.id
    try:
        text = canonical_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"the chain's value {shown(value, quoted=True)} is not JSON ({shown(error)});"
            " value() must return an Arch or plain lists, dictionaries, strings and finite numbers"
        ) from None
    return id_of(text)


def checked_price(price: Any, position: int, option: object) -> int:
    """Return `price` as a Python integer; raises `UserError` unless it is one from 0 on."""
    try:
        value = operator.index(price)
    except TypeError:
        value = -1
    if value < 0 or isinstance(price, bool):
        raise UserError(
            f"position {position}, option {shown(option, quoted=True)}: the price is"
            f" {shown(price, quoted=True)}; prices must be integers from 0 on"
        )
    return value


def not_of_chain(position: int, option: object, allowed: Sequence[Option]) -> UserError:
    """Return the error for an encoding that leaves the chain at `position`."""
    said = f"position {position} decides {shown(option, quoted=True)}"
    if not allowed:
        return UserError(f"{said}, but the encoding is finished there; drop what follows")
    return UserError(f"{said}; allowed here are {_listed(allowed)}")


def unfinished(options: Sequence[Option], rest: Sequence[Option]) -> UserError:
    """Return the error for an encoding that ends too early."""
    return UserError(
        f"the encoding ends after {len(options)} decisions but is not finished; next comes one of"
        f" {_listed(rest)}"
    )


def _listed(options: Sequence[Option]) -> str:
    return shown(", ".join(shown(option) for option in options), 200)
