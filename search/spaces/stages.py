"""The shipped spaces as chains of decisions, from decisions to an Arch and back.

Networks in stages, as designed by hand (arXiv:1801.04381) and searched (arXiv:2003.13678), but
with every block deciding for itself which of the searchable `BLOCKS` it is. An encoding reads like
the network: `s16 w24 separable k3 d2 inverted k3 e4 skip …` is a stem of 16 channels, then a stage
of width 24 with 2 blocks, of which the first is separable.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, cast

from search.config.space import SpaceConfig
from search.errors import UserError
from search.jobs import Option, Options
from search.networks.arch import Activation, Arch, Block, Head, Input, Stem
from search.networks.blocks import BLOCKS
from search.networks.decisions import PLAIN, PREFIXES, SKIP, may_skip
from search.networks.layers import (
    block_multiplies,
    classifier_shape,
    head_specs,
    multiplies,
    stem_specs,
)
from search.networks.shapes import Size, output_size
from search.spaces import chain as protocol


class _State(NamedTuple):
    """What later options and prices of an encoding depend on.

    `field` is decided next, in stage `stage`, where `channels` come in and blocks have `width`.
    `left` blocks follow this one in its stage; -1 in a first block, before the depth is decided.
    `block` is the block so far, until all that its price depends on is decided.
    """

    field: str
    stage: int = 0
    channels: int = 0
    width: int = 0
    left: int = 0
    block: Block | None = None


class _Step(NamedTuple):
    """The first layer of a stage, or the stem: its stride, and the map's size before and after."""

    stride: int
    before: Size
    after: Size


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
        match state.field:
            case "stem":
                return [f"s{channels}" for channels in config.stem]
            case "width":
                # A stage that changes neither size nor width would be one with the stage before.
                same = state.stage > 0 and self.steps[1 + state.stage].stride == 1
                widths = config.widths[state.stage]
                return [f"w{w}" for w in widths if not (same and w == state.channels)]
            case "op":
                return config.ops
            case "kernel" | "expansion" as field:
                numbers = config.kernels if field == "kernel" else config.expansions
                return [f"{PREFIXES[field]}{number}" for number in numbers]
            case "skip":
                return [PLAIN, SKIP]
            case "depth":
                return [f"d{depth}" for depth in config.depths]
        return []

    def step(self, _position: int, state: _State, option: Option) -> tuple[_State, int]:
        """Return the state after `option`, and the multiplies that are settled by it."""
        said = str(option)
        match state.field:
            case "stem":
                stem = self._stem(said)
                price = multiplies(stem_specs(stem), self.input.channels, self.steps[0].before)
                return _State("width", 0, stem.channels), price
            case "width":
                return state._replace(field="op", width=int(said[1:]), left=-1), 0
            case "op" | "kernel" | "expansion":
                return self._decided(state, self._block(state, said))
            case "depth":
                return self._next(state, int(said[1:]) - 1), 0
        return self._closed(state), 0

    def finish(self, state: _State) -> int:
        """Return the multiplies of head and classifier."""
        head = Head(self.config.head)
        price = multiplies(head_specs(head), state.channels, self.steps[-1].after)
        features = head.channels or state.channels
        return price + classifier_shape(features, self.classes).multiplies

    def value(self, options: Options) -> Arch:
        """Return the network of an encoding; raises `UserError` for one of another space."""
        blocks = list[Block]()
        for state, option, _ in protocol.walk(self, options):
            match state.field:
                case "op":
                    blocks.append(self._block(state, str(option)))
                case "kernel" | "expansion":
                    blocks[-1] = self._block(state, str(option))
                case "skip":
                    blocks[-1] = replace(blocks[-1], skip=option == SKIP)
        return Arch(
            self.input,
            self._stem(str(options[0])),
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
            after = output_size(size, 1, wanted)
            stride = wanted if min(after) >= 2 else 1
            found.append(_Step(stride, size, after if stride == wanted else size))
            size = found[-1].after
        return tuple(found)

    def _stem(self, said: str) -> Stem:
        return Stem(int(said[1:]), self.config.stem_kernel, self.steps[0].stride)

    def _block(self, state: _State, said: str) -> Block:
        """Return the block of `state` with its op, kernel or expansion decided."""
        if state.block is None:
            stride = self.steps[1 + state.stage].stride if state.left < 0 else 1
            return Block(said, state.width, stride=stride)
        number = int(said[1:])
        if state.field == "kernel":
            return replace(state.block, kernel=number)
        return replace(state.block, expansion=number)

    def _decided(self, state: _State, block: Block) -> tuple[_State, int]:
        """Go on to the block's next field; its price is settled before its skip, which is free."""
        fields = BLOCKS[block.op].fields
        following = fields[fields.index(state.field) + 1 :] if state.field in fields else fields
        if following and following[0] != "skip":
            return state._replace(field=following[0], block=block), 0
        step = self.steps[1 + state.stage]
        before = step.before if state.left < 0 else step.after
        price = block_multiplies(block, state.channels, before)
        if following and may_skip(block, state.channels):
            return state._replace(field="skip", block=None), price
        return self._closed(state), price

    def _closed(self, state: _State) -> _State:
        """Go on behind a finished block: to the depth after a stage's first, else to the next."""
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
