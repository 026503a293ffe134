"""The shipped spaces as chains of decisions, and the way between an Arch and its decisions.

Networks in stages, as designed by hand (arXiv:1801.04381) and searched (arXiv:2003.13678), but
with every block deciding for itself whether it is a standard, a separable or an inverted one. The
list reads like the network: `s16 w24 separable k3 d2 inverted k3 e4 skip …` is a stem of 16
channels, then a stage of width 24 whose first block is separable and which has 2 blocks, …
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, cast

from search.config.space import SpaceConfig
from search.errors import UserError
from search.jobs import Option, Options
from search.networks.arch import Activation, Arch, Block, Head, Input, Op, Stem
from search.spaces import chain as protocol


class _State(NamedTuple):
    """Where an encoding stands: all that later options and prices depend on.

    `what` is decided next, in stage `stage`, where `channels` come in and blocks have `width`.
    `left` blocks follow this one in its stage; -1 in a first block, before the depth is decided.
    """

    what: str
    stage: int = 0
    channels: int = 0
    width: int = 0
    left: int = 0
    op: str = ""
    kernel: int = 0


class _Step(NamedTuple):
    """A first convolution of a stage, or the stem: its stride, the map before it and after."""

    stride: int
    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True, eq=False)
class StageChain:
    """A stage-wise space for one input shape and number of classes: a `search.spaces.Chain`.

    A stage, or the stem, strides only where at least two pixels are left each way; otherwise it
    keeps the map's size, so that every space can be used on images of any size. Different encodings
    are different networks. Prices are multiplies, equal to `search.networks.cost`'s.
    """

    config: SpaceConfig
    input: Input
    classes: int

    # States say everything; the same stage is met at many positions, since encodings differ in
    # length.
    position_free = True

    def start(self) -> _State:
        """Return the state before the stem is decided."""
        return _State("stem", channels=self.input.channels)

    def options(self, _position: int, state: _State) -> Sequence[str]:
        """Return the decisions that are possible in `state`."""
        config = self.config
        match state.what:
            case "stem":
                return [f"s{channels}" for channels in config.stem]
            case "width":
                # Without a change of size or width, nobody could tell where the stage begins.
                same = state.stage > 0 and self.steps[1 + state.stage].stride == 1
                widths = config.widths[state.stage]
                return [f"w{w}" for w in widths if not (same and w == state.channels)]
            case "op":
                return config.ops
            case "kernel":
                return [f"k{kernel}" for kernel in config.kernels]
            case "expansion":
                return [f"e{expansion}" for expansion in config.expansions]
            case "skip":
                return ["plain", "skip"]
            case "depth":
                return [f"d{depth}" for depth in config.depths]
        return []

    def step(self, _position: int, state: _State, option: Option) -> tuple[_State, int]:
        """Return the state after `option`, and the multiplies that are settled by it."""
        said = str(option)
        match state.what:
            case "stem":
                channels = int(said[1:])
                height, width = self.steps[0].after
                fan_in = self.config.stem_kernel**2 * self.input.channels
                return _State("width", 0, channels), height * width * fan_in * channels
            case "width":
                return state._replace(what="op", width=int(said[1:]), left=-1), 0
            case "op":
                return state._replace(what="kernel", op=said), 0
            case "kernel":
                decided = state._replace(kernel=int(said[1:]))
                if state.op == "inverted":
                    return decided._replace(what="expansion"), 0
                return self._built(decided), self._price(decided, 1)
            case "expansion":
                return self._built(state), self._price(state, int(said[1:]))
            case "depth":
                return self._next(state, int(said[1:]) - 1), 0
        return self._closed(state), 0

    def finish(self, state: _State) -> int:
        """Return the multiplies of head and classifier."""
        head, classes = self.config.head, self.classes
        height, width = self.steps[-1].after
        if not head:
            return state.channels * classes
        return height * width * state.channels * head + head * classes

    def value(self, options: Options) -> Arch:
        """Return the network of an encoding; raises `UserError` for one of another space."""
        protocol.cost(self, options)
        state, expansion, blocks = self.start(), 1, list[Block]()
        stem = int(str(options[0])[1:])
        for position, option in enumerate(options):
            said = str(option)
            later = self.step(position, state, option)[0]
            if state.what == "expansion":
                expansion = int(said[1:])
            if state.what in ("kernel", "expansion") and later.what != "expansion":
                kernel = state.kernel or int(said[1:])
                stride = self.steps[1 + state.stage].stride if state.left < 0 else 1
                op = cast(Op, state.op)
                blocks.append(Block(op, state.width, kernel, stride, expansion))
                expansion = 1
            if said == "skip":
                blocks[-1] = replace(blocks[-1], skip=True)
            state = later
        return Arch(
            self.input,
            Stem(stem, self.config.stem_kernel, self.steps[0].stride),
            tuple(blocks),
            Head(self.config.head),
            self.classes,
            cast(Activation, self.config.activation),
        )

    @cached_property
    def steps(self) -> tuple[_Step, ...]:
        """The stem's step and each stage's, with the strides that the input's size allows."""
        size, found = (self.input.height, self.input.width), []
        for wanted in (self.config.stem_stride, *self.config.strides):
            after = (-(-size[0] // wanted), -(-size[1] // wanted))
            stride = wanted if min(after) >= 2 else 1
            found.append(_Step(stride, size, after if stride == wanted else size))
            size = found[-1].after
        return tuple(found)

    def _price(self, state: _State, expansion: int) -> int:
        """Multiplies of one block."""
        step = self.steps[1 + state.stage]
        before = step.before if state.left < 0 else step.after
        wide, out = state.channels * expansion, step.after[0] * step.after[1]
        kernel = state.kernel**2
        if state.op == "conv":
            return out * kernel * state.channels * state.width
        expand = before[0] * before[1] * state.channels * wide if expansion > 1 else 0
        return expand + out * wide * (kernel + state.width)

    def _built(self, state: _State) -> _State:
        """Go on behind a block's convolutions: to its skip, if the shape allows one."""
        stride = self.steps[1 + state.stage].stride if state.left < 0 else 1
        if stride == 1 and state.channels == state.width:
            return state._replace(what="skip", op="", kernel=0)
        return self._closed(state)

    def _closed(self, state: _State) -> _State:
        if state.left < 0:
            return _State("depth", state.stage, state.width, state.width)
        return self._next(state, state.left)

    def _next(self, state: _State, left: int) -> _State:
        """Go on to the next block of the stage if `left` are left, else to the next stage."""
        if left:
            return _State("op", state.stage, state.width, state.width, left - 1)
        if state.stage + 1 < len(self.config.strides):
            return _State("width", state.stage + 1, state.width)
        return _State("end", state.stage, state.width)


def build(config: SpaceConfig, input: Input, classes: int) -> StageChain:  # noqa: A002
    """Return the space that `config` describes, for images of shape `input` in `classes` classes.

    Raises `UserError` if the configuration breaks a rule, or leaves a stage without a width.
    """
    chain = StageChain(deepcopy(config), input, classes)
    for stage in range(1, len(config.strides)):
        only, before = config.widths[stage], config.widths[stage - 1]
        if chain.steps[1 + stage].stride == 1 and len(only) == 1 and only[0] in before:
            raise UserError(
                f"space.widths[{stage}]={only} leaves stage {stage} no width: on"
                f" {input.height}x{input.width} images it keeps the map's size, so its width must"
                f" differ from the {only[0]} that stage {stage - 1} may have; add another"
            )
    return chain


def arch_options(chain: StageChain, arch: Arch) -> Options:
    """Return the decisions that make `arch` in this space: the inverse of `chain.value`.

    Raises `UserError` if the network is not one of the space's.
    """
    found, rest, channels = [f"s{arch.stem.channels}"], list(arch.blocks), arch.stem.channels
    while rest:
        width = rest[0].channels
        # A stage ends where the map shrinks or the width changes; see `StageChain.options`.
        ends = (i for i, b in enumerate(rest) if i and (b.stride > 1 or b.channels != width))
        depth = next(ends, len(rest))
        stage = [
            _decisions(block, channels if not i else width) for i, block in enumerate(rest[:depth])
        ]
        found += [f"w{width}", *stage[0], f"d{depth}", *(o for block in stage[1:] for o in block)]
        rest, channels = rest[depth:], width
    options = tuple(found)
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


def _decisions(block: Block, channels: int) -> list[str]:
    """Decisions of one block that reads `channels`."""
    found = [block.op, f"k{block.kernel}"]
    if block.op == "inverted":
        found.append(f"e{block.expansion}")
    if block.stride == 1 and block.channels == channels:
        found.append("skip" if block.skip else "plain")
    return found
