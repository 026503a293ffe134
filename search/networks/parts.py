"""The cost of an Arch part by part: stem, each block, head, classifier.

Networks of one space are made of few distinct parts, so a page about ten thousand networks counts
each part once. `Cost` is the same sum, counted as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from search.networks.arch import Arch
from search.networks.blocks import BLOCKS, Block, LayerSpec
from search.networks.cost import (
    CLASSIFIER_STYLE,
    ConvolutionStyle,
    LayerCost,
    layer_costs,
)
from search.networks.layers import Layer, classifier_shape, connect, head_specs, stem_specs
from search.networks.shapes import Size

_IN_ARCH = ConvolutionStyle()
NAMES = (*BLOCKS, "stem", "head", "classifier")
"""The names of all parts there are, blocks first."""


@dataclass(frozen=True)
class Part:
    """One part of a network.

    `name` is `stem`, the op of a block, `head` or `classifier`; `channels` and `size` are those of
    its output map; `layers` those with weights, in the order of `Cost.layers`; `peak_activation`
    the largest number of elements alive while it runs, poolings included.
    """

    name: str
    block: Block | None
    channels: int
    size: Size
    layers: tuple[LayerCost, ...]
    peak_activation: int


def parts_of(arch: Arch) -> list[Part]:
    """Return the parts of `arch` in the order of the data."""
    size, channels = (arch.input.height, arch.input.width), arch.input.channels
    found = [_part("stem", None, tuple(stem_specs(arch.stem)), size, channels)]
    for block in arch.blocks:
        found.append(_block(block, found[-1].size, found[-1].channels))
    if arch.head.channels:
        last = found[-1]
        found.append(_part("head", None, tuple(head_specs(arch.head)), last.size, last.channels))
    found.append(_classifier(found[-1].size, found[-1].channels, arch.classes))
    return found


@lru_cache(maxsize=1 << 16)
def _block(block: Block, size: Size, channels: int) -> Part:
    specs = tuple(BLOCKS[block.op].layers(block, channels))
    return _part(block.op, block, specs, size, channels)


@lru_cache(maxsize=1 << 12)
def _part(
    name: str, block: Block | None, specs: Sequence[LayerSpec], size: Size, channels: int
) -> Part:
    layers = connect(specs, size, channels)
    costs = list(layer_costs(layers, _IN_ARCH))
    last = layers[-1].shape
    return Part(
        name,
        block,
        last.outputs,
        last.out_size,
        tuple(cost for cost in costs if cost.kind != "pool"),
        max(cost.activation for cost in costs),
    )


@lru_cache(maxsize=1 << 12)
def _classifier(size: Size, channels: int, classes: int) -> Part:
    """Return global average pooling and the dense layer, which have one part together."""
    dense = LayerCost(
        Layer("classifier", classifier_shape(channels, classes), 0),
        CLASSIFIER_STYLE.bias,
        CLASSIFIER_STYLE.batch_norm,
    )
    averaged = size[0] * size[1] * channels + channels
    peak = max(averaged, dense.activation)
    return Part("classifier", None, classes, (1, 1), (dense,), peak)
