"""Small chains that tests search, and the brute force that clever answers are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from search.errors import UserError
from search.jobs import Option, Options
from search.networks.arch import Arch
from search.networks.decisions import decisions
from search.spaces import Chain
from search.spaces.stages import StageChain


class PriceList:
    """One decision for each of `positions`, which name the price of each option.

    Nothing depends on earlier decisions, so that costs can be computed by hand: the prices taken,
    and `end` for finishing.
    """

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


def numbers(count: int, largest: int, end: int) -> PriceList:
    """`count` decisions between 0 and `largest`, which are their prices."""
    return PriceList(*[{i: i for i in range(largest + 1)}] * count, end=end)


@dataclass(frozen=True)
class Product:
    """`count` choices among `factors`; the price of finishing is `base` times all of them."""

    base: int
    factors: tuple[int, ...]
    count: int

    def start(self) -> int:
        return self.base

    def options(self, position: int, _state: int) -> Sequence[Option]:
        return self.factors if position < self.count else ()

    def step(self, _position: int, state: int, option: Option) -> tuple[int, int]:
        return state * int(option), 0

    def finish(self, state: int) -> int:
        return state

    def value(self, options: Options) -> list[Option]:
        return list(options)


@dataclass(frozen=True)
class Stages:
    """Encodings of several lengths: a width, a depth, then an operation for each layer.

    With `merge`, layers that do nothing leave no trace, so that many encodings have one value.
    """

    widths: tuple[int, ...] = (2, 3, 5)
    depths: tuple[str, ...] = ("d1", "d2", "d3")
    merge: bool = False

    def start(self) -> tuple[Any, ...]:
        return ("width",)

    def options(self, _position: int, state: tuple[Any, ...]) -> Sequence[Option]:
        match state:
            case ("width",):
                return self.widths
            case ("depth", _):
                return self.depths
            case ("op", _, left) if left:
                return ("wide", "thin", "none")
        return ()

    def step(self, _position: int, state: tuple[Any, ...], option: Option) -> tuple[Any, int]:
        match state:
            case ("width",):
                return ("depth", int(option)), int(option) * 10
            case ("depth", width):
                return ("op", width, int(str(option)[1:])), 0
        _, width, left = state
        price = {"wide": width * width * 9, "thin": width * 9 + width * width, "none": 0}
        return ("op", width, left - 1), price[str(option)]

    def finish(self, _state: tuple[Any, ...]) -> int:
        return 7

    def value(self, options: Options) -> Any:
        return [o for o in options[2:] if o != "none"] + [options[0]] if self.merge else options


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
        # Sometimes none: the encoding is finished early.
        return random.sample(["a", "b", "c", 1, 2], random.choice([0, 1, 2, 2, 3, 4]))

    def step(self, position: int, state: int, option: Option) -> tuple[int, int]:
        random = self._random("step", position, state, option)
        return random.randint(0, 2), random.choice([0, 0, 1, 3, 7, 10]) * self.scale

    def finish(self, state: int) -> int:
        return self._random("finish", state).choice([0, 2, 5]) * self.scale

    def value(self, options: Options) -> list[Option]:
        return list(options)


def enumerate_chain(chain: Chain) -> dict[Options, int]:
    """Return every encoding with its cost, by visiting all of them."""
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


def arch_options(chain: StageChain, arch: Arch) -> Options:
    """Return the decisions that make `arch` in this space: the inverse of `chain.value`.

    Raises `UserError` if the network is not one of the space's.
    """
    options = decisions(arch)
    wrong = UserError(
        f"the network {arch.id} is not in the space {chain.config.name}; it reads"
        f" {' '.join(options)} there"
    )
    try:
        value = chain.value(options)
    except UserError as error:
        raise UserError(f"{wrong}: {error}") from None
    if value != arch:
        raise wrong
    return options
