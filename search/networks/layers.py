"""An Arch as a flat list of layers with their wiring, and the walk over them. No JAX.

Cost, model and training programs all read this list, so what is counted is what is built.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TypeVar

from search.networks.arch import Arch, Head, Stem
from search.networks.blocks import BLOCKS, INPUT, Block, LayerSpec
from search.networks.shapes import Padding, Shape, Size

IMAGE = -1
"""Index of the image, where a layer reads or adds it."""


@dataclass(frozen=True)
class Layer:
    """One convolution with its BatchNorm and activation, or the stem's pooling.

    `role` is its part in the block (`depthwise`, `project`, …), `block` the block's index, None
    for stem, pooling and head. `source`: index of the layer whose output is read; `added`: of the
    one whose output is added before the activation; `IMAGE` for the image, None for no addition.
    """

    role: str
    shape: Shape
    source: int
    added: int | None = None
    block: int | None = None

    @cached_property
    def path(self) -> str:
        """Where `search.build` keeps its weights: `stem`, `blocks.0.depthwise`."""
        return self.role if self.block is None else f"blocks.{self.block}.{self.role}"


def layers_of(arch: Arch) -> tuple[Layer, ...]:
    """Return the layers, each after those that it reads; all but the classifier."""
    found: list[Layer] = []

    def add(specs: Iterable[LayerSpec], block: int | None = None) -> None:
        size, channels = _output(found[-1].shape) if found else image
        entry = len(found) - 1
        found.extend(
            connect(specs, size, channels, activation=arch.activation, entry=entry, block=block)
        )

    image = (arch.input.height, arch.input.width), arch.input.channels
    add(stem_specs(arch.stem))
    channels = arch.stem.channels
    for index, block in enumerate(arch.blocks):
        add(BLOCKS[block.op].layers(block, channels), index)
        channels = block.channels
    add(head_specs(arch.head))
    return tuple(found)


def stem_specs(stem: Stem) -> list[LayerSpec]:
    """Return the layers of a stem: a convolution, and max pooling where it has one."""
    first = LayerSpec("stem", "standard", stem.channels, stem.kernel, stem.stride)
    pool = LayerSpec("pool", "pool", stem.channels, 3, 2, linear=True)
    return [first, pool] if stem.pool == 2 else [first]


def head_specs(head: Head) -> list[LayerSpec]:
    """Return the layers between the blocks and global average pooling: one or none."""
    return [LayerSpec("head", "pointwise", head.channels)] if head.channels else []


def classifier_shape(features: int, classes: int) -> Shape:
    """Return the shape of the dense layer from pooled features to logits."""
    return Shape("dense", features, classes, 1, 1, 1, 1, "linear")


def connect(
    specs: Iterable[LayerSpec],
    size: Size,
    channels: int,
    *,
    activation: str = "relu",
    padding: Padding = "same",
    entry: int = IMAGE,
    block: int | None = None,
) -> list[Layer]:
    """Return the layers of one block, whose input is value `entry` with `size` and `channels`."""
    indices, outputs = {INPUT: entry}, {INPUT: (size, channels)}
    previous, found = INPUT, list[Layer]()
    for spec in specs:
        source = spec.source or previous
        (height, width), inputs = outputs[source]
        shape = Shape(
            "pointwise" if spec.kind == "standard" and spec.kernel == 1 else spec.kind,
            inputs,
            spec.channels,
            height,
            width,
            spec.kernel,
            spec.stride,
            "linear" if spec.linear else activation,
            spec.added is not None,
            padding,
        )
        added = None if spec.added is None else indices[spec.added]
        indices[spec.role] = entry + len(found) + 1
        outputs[spec.role] = _output(shape)
        found.append(Layer(spec.role, shape, indices[source], added, block))
        previous = spec.role
    return found


@lru_cache(maxsize=1 << 16)
def block_multiplies(block: Block, channels: int, size: Size) -> int:
    """Return the multiplies of a block whose input has `channels` and `size`.

    Remembered, because a space asks for the same block in many states and for every table.
    """
    return multiplies(BLOCKS[block.op].layers(block, channels), channels, size)


def multiplies(specs: Iterable[LayerSpec], channels: int, size: Size) -> int:
    """Return the multiplies of connected layers whose input has `channels` and `size`."""
    return sum(layer.shape.multiplies for layer in connect(specs, size, channels))


def _output(shape: Shape) -> tuple[Size, int]:
    return shape.out_size, shape.outputs


_Value = TypeVar("_Value")


def propagate(
    layers: Sequence[Layer],
    image: _Value,
    apply: Callable[[Layer, _Value, _Value | None], _Value],
) -> list[_Value]:
    """Return the output of every layer.

    `apply` maps a layer, its input and the value that it adds (None for none) to its output.
    """
    values: list[_Value] = []

    def value(index: int) -> _Value:
        return image if index == IMAGE else values[index]

    for layer in layers:
        added = None if layer.added is None else value(layer.added)
        values.append(apply(layer, value(layer.source), added))
    return values


def stage_ends(layers: Sequence[Layer]) -> tuple[int, ...]:
    """Return the indices of the layers whose outputs are the maps of the network's stages.

    Of the outputs of stem, pooling, blocks and head: the last before each reduction of resolution,
    and the last of all.
    """
    last = len(layers) - 1
    ends = [
        index
        for index, layer in enumerate(layers)
        if index == last or layer.block is None or layers[index + 1].block != layer.block
    ]
    sizes = [layers[index].shape.out_size for index in ends]
    return tuple(
        index
        for place, index in enumerate(ends)
        if index == last or sizes[place + 1] != sizes[place]
    )


def with_channels(layers: Iterable[Layer], channels: Mapping[int, int]) -> tuple[Layer, ...]:
    """Return the layers with numbers of channels replaced by `channels`; the image's stay."""

    def resized(layer: Layer) -> Layer:
        shape = layer.shape
        inputs = shape.inputs if layer.source == IMAGE else channels.get(shape.inputs, shape.inputs)
        outputs = channels.get(shape.outputs, shape.outputs)
        return replace(layer, shape=replace(shape, inputs=inputs, outputs=outputs))

    return tuple(resized(layer) for layer in layers)
