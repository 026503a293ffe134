"""Exact multiplies and parameters of an `Arch`, layer by layer, from its description alone.

Multiplies are those of the convolution and dense kernels for one image at inference: SAME padding
counts as if full, BatchNorm is folded away, biases, activations and pooling are free. Parameters
are the trainable scalars. Everything is an integer; nothing is estimated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from search.errors import UserError, shown
from search.networks.arch import Arch
from search.networks.blocks import BLOCKS, Block
from search.networks.layers import IMAGE, Layer, classifier_shape, connect, layers_of
from search.networks.shapes import KINDS, Kind, Padding, Size

COUNTED_KINDS: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "pool")
"""Kinds of layer that have weights and multiplies."""
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
CLASSIFIER_STYLE = ConvolutionStyle(bias=True, batch_norm=False)


@dataclass(frozen=True)
class LayerCost:
    """One convolution or dense layer with its exact figures.

    `held` is the number of elements kept beside its input and output for a pending shortcut.
    Sizes are (height, width) in pixels, (1, 1) for a dense layer.
    """

    layer: Layer
    bias: bool
    batch_norm: bool
    held: int = 0

    @property
    def role(self) -> str:
        """Its part in the block: `depthwise`, `project`, …."""
        return self.layer.role

    @property
    def block(self) -> int | None:
        """Index of its block; None for stem, head and classifier."""
        return self.layer.block

    @property
    def name(self) -> str:
        """The role, within the block it belongs to: `blocks[3].depthwise`, `stem`."""
        return self.role if self.block is None else f"blocks[{self.block}].{self.role}"

    @property
    def kind(self) -> Kind:
        """Kind of layer; an ungrouped 1×1 convolution is `pointwise` in every role."""
        return self.layer.shape.kind

    @property
    def kernel(self) -> int:
        """Side of the kernel in pixels."""
        return self.layer.shape.kernel

    @property
    def stride(self) -> int:
        """Stride in pixels."""
        return self.layer.shape.stride

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        return self.layer.shape.inputs

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.layer.shape.outputs

    @property
    def in_size(self) -> Size:
        """Size of the input."""
        return self.layer.shape.in_size

    @property
    def out_size(self) -> Size:
        """Size of the output."""
        return self.layer.shape.out_size

    @property
    def weights(self) -> int:
        """Scalars of the kernel."""
        return self.layer.shape.weights

    @property
    def biases(self) -> int:
        """Scalars of the bias: one an output channel, or none."""
        return self.out_channels if self.bias else 0

    @property
    def batch_norms(self) -> int:
        """Trainable scalars of its BatchNorm: scale and shift a channel, or none."""
        return 2 * self.out_channels if self.batch_norm else 0

    @property
    def params(self) -> int:
        """Trainable scalars: weights, biases, BatchNorm."""
        return self.weights + self.biases + self.batch_norms

    @property
    def multiplies(self) -> int:
        """Multiplications for one image."""
        return self.layer.shape.multiplies

    @property
    def activation(self) -> int:
        """Elements alive while it runs: its input, its output, and what is held."""
        return self.layer.shape.in_elements + self.layer.shape.out_elements + self.held


@dataclass(frozen=True)
class Cost:
    """The exact cost of one network for one image.

    `layers` come in the order of the data, a projected shortcut after the path that it bridges,
    the classifier last. `peak_activation` is the largest number of elements alive at any one time
    of a forward pass in this order that keeps nothing it doesn't need: over all layers and
    poolings, the input and the output of the step, plus the block's input while a shortcut waits
    for it (and the main path's output while the shortcut itself is projected). BatchNorm,
    activation and addition work in place.
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
        return {
            kind: sum(a.multiplies for a in self.layers if a.kind == kind) for kind in COUNTED_KINDS
        }

    @property
    def params_by_kind(self) -> dict[Kind, int]:
        """Trainable scalars split by the kind of layer that they belong to."""
        return {
            kind: sum(a.params for a in self.layers if a.kind == kind) for kind in COUNTED_KINDS
        }


def cost_of(arch: Arch) -> Cost:
    """Return the exact cost of `arch` for one image of its input shape.

    Raises `UserError` for anything but an Arch.
    """
    if not isinstance(arch, Arch):
        raise UserError(
            f"arch={shown(arch)} is a {type(arch).__name__}; give an Arch, such as"
            ' search.zoo.network("mobilenet_v2")'
        )
    layers = layers_of(arch)
    steps = list(layer_costs(layers, _IN_ARCH))
    classifier = LayerCost(
        Layer(
            "classifier", classifier_shape(layers[-1].shape.outputs, arch.classes), len(layers) - 1
        ),
        CLASSIFIER_STYLE.bias,
        CLASSIFIER_STYLE.batch_norm,
    )
    # Global average pooling reads the last map and writes one element a channel.
    averaged = layers[-1].shape.out_elements + layers[-1].shape.outputs
    peak = max(averaged, classifier.activation, *(step.activation for step in steps))
    return Cost((*(step for step in steps if step.kind != "pool"), classifier), peak)


def multiplies_of(arch: Arch) -> int:
    """Return the multiplications of `arch` for one image: what a budget is compared with."""
    layers = layers_of(arch)
    body = sum(layer.shape.multiplies for layer in layers)
    return body + classifier_shape(layers[-1].shape.outputs, arch.classes).multiplies


def block_layers(
    block: Block,
    channels: int,
    size: Size,
    *,
    style: ConvolutionStyle = _IN_ARCH,
) -> Iterator[LayerCost]:
    """Yield the layers of a block whose input has `channels` and `size` (height, width).

    The main path in order, then a projecting shortcut.
    """
    specs = BLOCKS[block.op].layers(block, channels)
    layers = connect(specs, size, channels, padding=style.padding)
    yield from layer_costs(layers, style)


def layer_costs(layers: Sequence[Layer], style: ConvolutionStyle) -> Iterator[LayerCost]:
    """Yield the cost of each of connected layers, in the order of the data; poolings too."""
    order = _listed(layers)
    last_use = _last_uses(layers, order)
    elements = {IMAGE: layers[0].shape.in_elements}
    for turn, index in enumerate(order):
        layer = layers[index]
        elements = {value: size for value, size in elements.items() if last_use[value] >= turn}
        held = sum(size for value, size in elements.items() if value != layer.source)
        yield LayerCost(layer, style.bias, style.batch_norm, held)
        elements[index] = layer.shape.out_elements


def _listed(layers: Sequence[Layer]) -> list[int]:
    """Indices of the layers, those off the main path moved to the end of their block.

    The main path is what the last layer reads, what that one reads, and so on up to the image.
    """
    main, index = set[int](), len(layers) - 1
    while index != IMAGE:
        main.add(index)
        index = layers[index].source
    return [
        index
        for _, block in groupby(range(len(layers)), lambda i: layers[i].block)
        for index in sorted(block, key=lambda i: i not in main)
    ]


def _last_uses(layers: Sequence[Layer], order: Sequence[int]) -> dict[int, int]:
    """Map each value to the turn in `order` of its last use; an addition waits for both parts."""
    turn = {IMAGE: -1, **{index: position for position, index in enumerate(order)}}
    found = {IMAGE: -1, len(layers) - 1: len(layers)}
    for index, layer in enumerate(layers):
        found[layer.source] = max(found.get(layer.source, -1), turn[index])
        if layer.added is not None:
            added = max(turn[index], turn[layer.added])
            found[layer.added] = max(found.get(layer.added, -1), added)
    return found
