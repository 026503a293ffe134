"""Exact multiplies and parameters of an `Arch`, layer by layer, from its description alone.

Multiplies are those of the convolution and dense kernels for one image at inference: SAME padding
counts as if full, BatchNorm is folded away, biases, activations and pooling are free. Parameters
are the trainable scalars. Everything is an integer; nothing is estimated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, assert_never, get_args

from search.networks.arch import Arch, Block

Kind = Literal["standard", "depthwise", "pointwise", "dense"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Padding = Literal["same", "valid"]
Size = tuple[int, int]
_FLOAT32 = 4


@dataclass(frozen=True)
class ConvolutionStyle:
    """What surrounds the kernels of a block's convolutions; the default is what an `Arch` has.

    `padding`: `same` keeps a map's size at stride 1, `valid` loses the border; `bias`: one scalar
    an output channel; `batch_norm`: a scale and a shift an output channel.
    """

    padding: Padding = "same"
    bias: bool = False
    batch_norm: bool = True


_IN_ARCH = ConvolutionStyle()


@dataclass(frozen=True)
class LayerCost:
    """One convolution or dense layer with its exact figures.

    `role` is its part in the block (`depthwise`, `project`, …), `block` the block's index, None
    outside of blocks; sizes are (height, width) in pixels, (1, 1) for a dense layer; `held` is the
    number of elements kept beside its input and output for a pending shortcut. An ungrouped 1×1
    convolution is `pointwise`, whatever its role.
    """

    role: str
    kind: Kind
    kernel: int
    stride: int
    in_channels: int
    out_channels: int
    in_size: Size
    out_size: Size
    bias: bool
    batch_norm: bool
    block: int | None = None
    held: int = 0

    @property
    def name(self) -> str:
        """The role, within the block it belongs to: `blocks[3].depthwise`, `stem`."""
        return self.role if self.block is None else f"blocks[{self.block}].{self.role}"

    @property
    def weights(self) -> int:
        """Scalars of the kernel."""
        fan_in = 1 if self.kind == "depthwise" else self.in_channels
        return self.kernel * self.kernel * fan_in * self.out_channels

    @property
    def biases(self) -> int:
        """Scalars of the bias: one an output channel, or none."""
        return self.out_channels if self.bias else 0

    @property
    def batch_norms(self) -> int:
        """Trainable scalars of the BatchNorm behind it: scale and shift a channel, or none."""
        return 2 * self.out_channels if self.batch_norm else 0

    @property
    def params(self) -> int:
        """Trainable scalars: weights, biases, BatchNorm."""
        return self.weights + self.biases + self.batch_norms

    @property
    def multiplies(self) -> int:
        """Multiplications for one image: each weight is used once at every output position."""
        return self.out_size[0] * self.out_size[1] * self.weights

    @property
    def activation(self) -> int:
        """Elements alive while it runs: its input, its output, and what is held."""
        before = self.in_size[0] * self.in_size[1] * self.in_channels
        return before + self.out_size[0] * self.out_size[1] * self.out_channels + self.held


@dataclass(frozen=True)
class Cost:
    """The exact cost of one network for one image.

    `peak_activation` is the largest number of elements alive at any one time of a forward pass
    that keeps nothing it doesn't need: over all layers and poolings, the input and the output of
    the step, plus the block's input while a shortcut waits for it (and the main path's output
    while the shortcut itself is projected). BatchNorm, activation and addition work in place.
    """

    layers: tuple[LayerCost, ...]
    peak_activation: int

    @property
    def multiplies(self) -> int:
        """Multiplications of all layers."""
        return sum(layer.multiplies for layer in self.layers)

    @property
    def params(self) -> int:
        """Trainable scalars of all layers; the sum of weights, biases and BatchNorms."""
        return sum(layer.params for layer in self.layers)

    @property
    def weights(self) -> int:
        """Scalars of all kernels."""
        return sum(layer.weights for layer in self.layers)

    @property
    def biases(self) -> int:
        """Scalars of all biases."""
        return sum(layer.biases for layer in self.layers)

    @property
    def batch_norms(self) -> int:
        """Trainable scalars of all BatchNorms."""
        return sum(layer.batch_norms for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the trainable scalars in float32; BatchNorm's running statistics left out."""
        return _FLOAT32 * self.params

    @property
    def multiplies_by_kind(self) -> dict[Kind, int]:
        """Multiplications split by kind; every kind is present, and they add up to the total."""
        return {kind: sum(a.multiplies for a in self.layers if a.kind == kind) for kind in KINDS}

    @property
    def params_by_kind(self) -> dict[Kind, int]:
        """Trainable scalars split by the kind of layer that they belong to."""
        return {kind: sum(a.params for a in self.layers if a.kind == kind) for kind in KINDS}


def cost_of(arch: Arch) -> Cost:
    """Return the exact cost of `arch` for one image of its input shape."""
    layers = tuple(_layers(arch))
    stem, last = layers[0], layers[-2]
    peak = max(layer.activation for layer in layers)
    if arch.stem.pool > 1:
        stem_map = stem.out_size[0] * stem.out_size[1]
        pooled = _shrunk(stem.out_size, 1, arch.stem.pool, "same")
        peak = max(peak, (stem_map + pooled[0] * pooled[1]) * arch.stem.channels)
    averaged = (last.out_size[0] * last.out_size[1] + 1) * layers[-1].in_channels
    return Cost(layers, max(peak, averaged))


def multiplies_of(arch: Arch) -> int:
    """Return the multiplications of `arch` for one image: what a budget is compared with."""
    return sum(layer.multiplies for layer in _layers(arch))


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: int,
    size: Size,
    *,
    stride: int = 1,
    style: ConvolutionStyle = _IN_ARCH,
    role: str = "conv",
    block: int | None = None,
    held: int = 0,
) -> LayerCost:
    """Cost of a k×k convolution over all channels; `size` is (height, width) of its input."""
    return LayerCost(
        role,
        "pointwise" if kernel == 1 else "standard",
        kernel,
        stride,
        in_channels,
        out_channels,
        size,
        _shrunk(size, kernel, stride, style.padding),
        style.bias,
        style.batch_norm,
        block,
        held,
    )


def depthwise(
    channels: int,
    kernel: int,
    size: Size,
    *,
    stride: int = 1,
    style: ConvolutionStyle = _IN_ARCH,
    block: int | None = None,
    held: int = 0,
) -> LayerCost:
    """Cost of a k×k convolution of each channel by itself; `size` is (height, width) before it."""
    return LayerCost(
        "depthwise",
        "depthwise",
        kernel,
        stride,
        channels,
        channels,
        size,
        _shrunk(size, kernel, stride, style.padding),
        style.bias,
        style.batch_norm,
        block,
        held,
    )


def dense(in_features: int, out_features: int) -> LayerCost:
    """Cost of the classifier: a matrix product and a bias."""
    one = (1, 1)
    return LayerCost("classifier", "dense", 1, 1, in_features, out_features, one, one, True, False)


def block_layers(
    block: Block,
    channels: int,
    size: Size,
    *,
    style: ConvolutionStyle = _IN_ARCH,
    index: int | None = None,
) -> Iterator[LayerCost]:
    """Yield the layers of a block whose input has `channels` and `size` (height, width).

    The main path in order, then a projecting shortcut. `index` is the block's place in its Arch.
    """
    full = partial(convolution, style=style, block=index)
    grouped = partial(depthwise, style=style, block=index)
    out, kernel, stride = block.channels, block.kernel, block.stride
    before = size[0] * size[1] * channels
    held = before if block.skip else 0
    match block.op:
        case "conv":
            yield full(channels, out, kernel, size, stride=stride)
        case "separable":
            spatial = grouped(channels, kernel, size, stride=stride)
            yield spatial
            yield full(channels, out, 1, spatial.out_size, role="pointwise", held=held)
        case "inverted":
            width = channels * block.expansion
            if block.expansion > 1:
                yield full(channels, width, 1, size, role="expand")
            # Without an expansion, what is held is the input that is counted already.
            beside = held if block.expansion > 1 else 0
            spatial = grouped(width, kernel, size, stride=stride, held=beside)
            yield spatial
            yield full(width, out, 1, spatial.out_size, role="project", held=held)
        case "basic":
            first = full(channels, out, kernel, size, stride=stride, role="first")
            yield first
            second = full(out, out, kernel, first.out_size, role="second", held=before)
            yield second
            if stride > 1 or out != channels:
                main = second.out_size[0] * second.out_size[1] * out
                yield full(channels, out, 1, size, stride=stride, role="shortcut", held=main)
        case unknown:
            assert_never(unknown)


def _layers(arch: Arch) -> Iterator[LayerCost]:
    size = (arch.input.height, arch.input.width)
    stem = arch.stem
    first = convolution(
        arch.input.channels, stem.channels, stem.kernel, size, stride=stem.stride, role="stem"
    )
    yield first
    size = _shrunk(first.out_size, 1, stem.pool, "same")
    channels = stem.channels
    for index, block in enumerate(arch.blocks):
        yield from block_layers(block, channels, size, index=index)
        size, channels = _shrunk(size, block.kernel, block.stride, "same"), block.channels
    if arch.head.channels:
        yield convolution(channels, arch.head.channels, 1, size, role="head")
        channels = arch.head.channels
    yield dense(channels, arch.classes)


def _shrunk(size: Size, kernel: int, stride: int, padding: Padding) -> Size:
    lost = kernel - 1 if padding == "valid" else 0
    return -(-(size[0] - lost) // stride), -(-(size[1] - lost) // stride)
