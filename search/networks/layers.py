"""An Arch as a flat list of layers with their wiring: what the engine walks through. No JAX."""

from dataclasses import dataclass, replace
from typing import Literal

from search.networks.arch import Arch, Block

Kind = Literal["conv", "depthwise", "pointwise", "pool"]
IMAGE = -1


@dataclass(frozen=True)
class Shape:
    """All that a compiled program of one layer depends on, apart from the batch.

    `inputs`, `outputs` are channels; `height`, `width` the input's pixels; `act` the activation or
    `linear`; `adds` whether another value is added before it.
    """

    kind: Kind
    inputs: int
    outputs: int
    height: int
    width: int
    kernel: int
    stride: int
    act: str
    adds: bool = False

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Shape of the kernel, HWIO."""
        inputs = 1 if self.kind == "depthwise" else self.inputs
        return (self.kernel, self.kernel, inputs, self.outputs)

    @property
    def out_size(self) -> tuple[int, int]:
        """Height and width of the output."""
        return -(-self.height // self.stride), -(-self.width // self.stride)


@dataclass(frozen=True)
class Layer:
    """One convolution with its BatchNorm and activation, or the stem's pooling.

    `path`: where `search.build` keeps its weights, such as `blocks.0.depthwise`; `source`, `added`:
    index of the layer whose output is read, and of the one that is added (`IMAGE` for the image,
    None for no addition).
    """

    path: str
    shape: Shape
    source: int
    added: int | None = None


def layers_of(arch: Arch) -> tuple[Layer, ...]:
    """List the layers in an order in which each comes after what it reads; the classifier not."""
    walk = _Walk(arch)
    stem = arch.stem
    walk.add("stem", "conv", stem.channels, stem.kernel, stem.stride, arch.activation)
    if stem.pool == 2:
        walk.add("pool", "pool", stem.channels, 3, 2, "linear")
    for index, block in enumerate(arch.blocks):
        _BLOCKS[block.op](walk, f"blocks.{index}", block)
    if arch.head.channels:
        walk.add("head", "pointwise", arch.head.channels, 1, 1, arch.activation)
    return tuple(walk.layers)


class _Walk:
    """The list so far, and the position from which the next layer reads."""

    def __init__(self, arch: Arch) -> None:
        self.layers: list[Layer] = []
        self.act = arch.activation
        self._image = (arch.input.height, arch.input.width, arch.input.channels)

    @property
    def last(self) -> int:
        return len(self.layers) - 1

    def at(self, position: int) -> tuple[int, int, int]:
        """Height, width and channels of the value at a position."""
        if position == IMAGE:
            return self._image
        shape = self.layers[position].shape
        return (*shape.out_size, shape.outputs)

    def add(
        self,
        path: str,
        kind: Kind,
        channels: int,
        kernel: int,
        stride: int,
        act: str,
        *,
        source: int | None = None,
        added: int | None = None,
    ) -> None:
        source = self.last if source is None else source
        height, width, inputs = self.at(source)
        kind = "pointwise" if kind == "conv" and kernel == 1 else kind
        shape = Shape(kind, inputs, channels, height, width, kernel, stride, act, added is not None)
        self.layers.append(Layer(path, shape, source, added))


def _conv(walk: _Walk, path: str, block: Block) -> None:
    added = walk.last if block.skip else None
    walk.add(
        f"{path}.conv", "conv", block.channels, block.kernel, block.stride, walk.act, added=added
    )


def _separable(walk: _Walk, path: str, block: Block) -> None:
    entry = walk.last
    inputs = walk.at(entry)[2]
    walk.add(f"{path}.depthwise", "depthwise", inputs, block.kernel, block.stride, walk.act)
    added = entry if block.skip else None
    walk.add(f"{path}.pointwise", "pointwise", block.channels, 1, 1, walk.act, added=added)


def _inverted(walk: _Walk, path: str, block: Block) -> None:
    entry = walk.last
    wide = walk.at(entry)[2] * block.expansion
    if block.expansion != 1:
        walk.add(f"{path}.expand", "pointwise", wide, 1, 1, walk.act)
    walk.add(f"{path}.depthwise", "depthwise", wide, block.kernel, block.stride, walk.act)
    added = entry if block.skip else None
    walk.add(f"{path}.project", "pointwise", block.channels, 1, 1, "linear", added=added)


def _basic(walk: _Walk, path: str, block: Block) -> None:
    entry = walk.last
    shortcut = entry
    if block.stride != 1 or walk.at(entry)[2] != block.channels:
        walk.add(f"{path}.shortcut", "pointwise", block.channels, 1, block.stride, "linear")
        shortcut = walk.last
    walk.add(
        f"{path}.first", "conv", block.channels, block.kernel, block.stride, walk.act, source=entry
    )
    walk.add(f"{path}.second", "conv", block.channels, block.kernel, 1, walk.act, added=shortcut)


_BLOCKS = {"conv": _conv, "separable": _separable, "inverted": _inverted, "basic": _basic}


def widened(layers: tuple[Layer, ...], width: "dict[int, int]") -> tuple[Layer, ...]:
    """The same layers with channel counts replaced by `width[count]`; the image's stay."""
    return tuple(
        replace(
            layer,
            shape=replace(
                layer.shape,
                inputs=layer.shape.inputs
                if layer.source == IMAGE
                else width.get(layer.shape.inputs, layer.shape.inputs),
                outputs=width.get(layer.shape.outputs, layer.shape.outputs),
            ),
        )
        for layer in layers
    )
