"""Random small chains, and the brute force that every clever answer is held against."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from search.jobs import Option, Options
from search.spaces import Chain


class RandomChain:
    """A chain drawn from a seed: encodings of varying length, shared states, equal prices."""

    def __init__(self, seed: int, scale: int = 1) -> None:
        random = Random(seed)
        self.depth = random.randint(0, 4)
        self.scale = scale
        self._seed = seed

    def _random(self, *key: object) -> Random:
        return Random(f"{self._seed} {key}")

    def start(self) -> int:
        return 0

    def options(self, position: int, state: int) -> Sequence[Option]:
        if position >= self.depth:
            return ()
        random = self._random("options", position, state)
        # Now and then none: the encoding is finished early.
        return random.sample(["a", "b", "c", 1, 2], random.choice([0, 1, 2, 2, 3, 4]))

    def step(self, position: int, state: int, option: Option) -> tuple[int, int]:
        random = self._random("step", position, state, option)
        return random.randint(0, 2), random.choice([0, 0, 1, 3, 7, 10]) * self.scale

    def finish(self, state: int) -> int:
        return self._random("finish", state).choice([0, 2, 5]) * self.scale

    def value(self, options: Options) -> list[Option]:
        return list(options)


def enumerate_chain(chain: Chain) -> dict[Options, int]:
    """Every encoding with its cost, by walking the chain in the plainest way."""
    found: dict[Options, int] = {}

    def visit(options: Options, state: Any, spent: int) -> None:
        following = chain.options(len(options), state)
        if not following:
            found[options] = spent + chain.finish(state)
        for option in following:
            later, price = chain.step(len(options), state, option)
            visit((*options, option), later, spent + price)

    visit((), chain.start(), 0)
    return found


@pytest.fixture(scope="session")
def random_chain() -> Callable[..., Chain]:
    return RandomChain


@pytest.fixture(scope="session")
def brute_force() -> Callable[[Chain], dict[Options, int]]:
    return enumerate_chain


class Coins:
    """Positions with named prices, in the same order everywhere: easy to reckon by hand."""

    def __init__(self, *positions: dict[Option, int], end: int = 0) -> None:
        self.positions = positions
        self.end = end

    def start(self) -> None:
        return None

    def options(self, position: int, _state: None) -> Sequence[Option]:
        return tuple(self.positions[position]) if position < len(self.positions) else ()

    def step(self, position: int, _state: None, option: Option) -> tuple[None, int]:
        return None, self.positions[position][option]

    def finish(self, _state: None) -> int:
        return self.end

    def value(self, options: Options) -> list[Option]:
        return list(options)


@pytest.fixture(scope="session")
def coins() -> type[Coins]:
    return Coins
