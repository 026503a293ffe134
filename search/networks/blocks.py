"""Every block said once: its layers, what may be decided about it, and how it is abbreviated.

Validation, cost, the prices of a space, the model and the pictures read `BLOCKS`, so a new block
made of existing kinds of layer is one function and one entry here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from search.networks.shapes import Kind

Field = Literal["kernel", "expansion", "skip"]
INPUT = "input"
"""The block's input, as the source of a layer or as what a layer adds."""


@dataclass(frozen=True)
class Block:
    """One block of an Arch; `channels` are its output's, `kernel` and `stride` in pixels.

    `op` is one of `BLOCKS`. `expansion` is 1 where the block has no expansion. `skip` adds the
    block's input before the last activation; it needs stride 1 and equal channels.
    """

    op: str
    channels: int
    kernel: int = 3
    stride: int = 1
    expansion: int = 1
    skip: bool = False


class LayerSpec(NamedTuple):
    """One layer of a block: a convolution with its BatchNorm and activation.

    `role` names the layer within the block, `channels` are its output's. A standard convolution
    with a 1×1 kernel counts and runs as pointwise. `linear` leaves the activation out. `source` is
    the role whose output is read, `INPUT`, or None for the layer before; `added` the role whose
    output is added before the activation, `INPUT`, or None.
    """

    role: str
    kind: Kind
    channels: int
    kernel: int = 1
    stride: int = 1
    linear: bool = False
    source: str | None = None
    added: str | None = None


@dataclass(frozen=True)
class BlockType:
    """What is known about one kind of block.

    `layers` maps a block and its input's channels to its layers, in an order in which each comes
    after what it reads and adds; initial weights are drawn in this order. `fields` are the fields
    of `Block` that the block uses, in the order in which a space decides them after the op (a skip
    only where the shape allows one); an unused field keeps its default. `initial` is the letter of
    the block in the labels of pictures. `searchable`: whether a space may choose it.
    """

    layers: Callable[[Block, int], Sequence[LayerSpec]]
    fields: tuple[Field, ...]
    initial: str
    searchable: bool = True


def _conv(block: Block, _inputs: int) -> Sequence[LayerSpec]:
    """k×k standard convolution."""
    return [
        LayerSpec(
            "conv", "standard", block.channels, block.kernel, block.stride, added=_skipped(block)
        )
    ]


def _separable(block: Block, inputs: int) -> Sequence[LayerSpec]:
    """k×k depthwise, then 1×1 pointwise (MobileNetV1, arXiv:1704.04861)."""
    return [
        LayerSpec("depthwise", "depthwise", inputs, block.kernel, block.stride),
        LayerSpec("pointwise", "pointwise", block.channels, added=_skipped(block)),
    ]


def _inverted(block: Block, inputs: int) -> Sequence[LayerSpec]:
    """1×1 expansion, k×k depthwise, linear 1×1 projection (MobileNetV2, arXiv:1801.04381).

    The expanded map has `expansion` times the input's channels; expansion 1 has no first layer.
    """
    wide = inputs * block.expansion
    expand = [LayerSpec("expand", "pointwise", wide)] if block.expansion > 1 else []
    return [
        *expand,
        LayerSpec("depthwise", "depthwise", wide, block.kernel, block.stride),
        LayerSpec("project", "pointwise", block.channels, linear=True, added=_skipped(block)),
    ]


def _blueprint(block: Block, _inputs: int) -> Sequence[LayerSpec]:
    """1×1 pointwise, then k×k depthwise over the output channels (BSConv-U, arXiv:2003.13549).

    Both have BatchNorm, as every convolution here; the activation follows the depthwise one alone,
    because the two are the factors of one convolution and the original has none between them.
    """
    return [
        LayerSpec("pointwise", "pointwise", block.channels, linear=True),
        LayerSpec(
            "depthwise",
            "depthwise",
            block.channels,
            block.kernel,
            block.stride,
            added=_skipped(block),
        ),
    ]


def _basic(block: Block, inputs: int) -> Sequence[LayerSpec]:
    """Two k×k convolutions around a shortcut (ResNet, arXiv:1512.03385).

    Where the shape changes, the shortcut is projected by a linear 1×1 convolution (option B).
    """
    out, kernel, stride = block.channels, block.kernel, block.stride
    projected = stride > 1 or out != inputs
    shortcut = LayerSpec("shortcut", "pointwise", out, 1, stride, linear=True, source=INPUT)
    return [
        *([shortcut] if projected else []),
        LayerSpec("first", "standard", out, kernel, stride, source=INPUT),
        LayerSpec("second", "standard", out, kernel, added="shortcut" if projected else INPUT),
    ]


def _skipped(block: Block) -> str | None:
    return INPUT if block.skip else None


BLOCKS: dict[str, BlockType] = {
    "conv": BlockType(_conv, ("kernel", "skip"), "c"),
    "separable": BlockType(_separable, ("kernel", "skip"), "s"),
    "inverted": BlockType(_inverted, ("kernel", "expansion", "skip"), "i"),
    "blueprint": BlockType(_blueprint, ("kernel", "skip"), "p"),
    # For the ResNets of the zoo: its two convolutions are not one decision of a space.
    "basic": BlockType(_basic, ("kernel",), "b", searchable=False),
}
OPS: tuple[str, ...] = tuple(BLOCKS)
SEARCHABLE_OPS: tuple[str, ...] = tuple(op for op, kind in BLOCKS.items() if kind.searchable)


def uses(op: str, field: Field) -> bool:
    """Whether blocks of type `op` have a choice of `field`."""
    return field in BLOCKS[op].fields
