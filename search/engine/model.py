"""An Arch as a `flax.nnx` module, to print, train in a loop of your own, save or fine-tune."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from search.engine import ops
from search.errors import UserError, shown
from search.networks import zoo
from search.networks.arch import Arch, Input
from search.networks.layers import Layer, layers_of, propagate
from search.networks.shapes import Kind, Shape

# Normal numbers are drawn in chunks of this size, by one program for all shapes.
_CHUNK = 4096


@jax.jit
def _normal(key: Array, index: Array) -> Array:
    return jax.random.normal(jax.random.fold_in(key, index), (_CHUNK,))


def scaled_normal(
    key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32, *_: Any, gain: float = 2.0
) -> Array:
    """Initialise a kernel [..., in, out] with variance gain / fan-in (arXiv:1502.01852).

    jax.random's own initialisers compile one program for each shape, which takes longer than a
    short training for the many shapes of a search.
    """
    size = int(np.prod(shape))
    parts = [_normal(key, np.uint32(index)) for index in range(-(-size // _CHUNK))]
    deviation = np.float32((gain * shape[-1] / size) ** 0.5)
    if isinstance(parts[0], jax.core.Tracer):
        return (jnp.concatenate(parts)[:size].reshape(shape) * deviation).astype(dtype)
    drawn = np.concatenate([np.asarray(part) for part in parts])[:size].reshape(shape)
    return jnp.asarray(drawn * deviation, dtype)


class ConvNormAct(nnx.Module):
    """One convolution without bias, its BatchNorm, an optional addition, the activation."""

    def __init__(self, shape: Shape, convolutions: str, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(scaled_normal(rngs.params(), shape.kernel_shape))
        self.norm = nnx.BatchNorm(shape.outputs, momentum=0.9, epsilon=ops.EPSILON, rngs=rngs)
        self.kind: Kind = shape.kind
        self.stride = shape.stride
        self.act = shape.act
        self.convolutions = convolutions

    def __call__(self, x: Array, add: Array | None = None) -> Array:
        """Map [n, h, w, in] to [n, ⌈h/stride⌉, ⌈w/stride⌉, out]."""
        convolve = ops.operations(self.convolutions).of(self.kind)
        z = self.norm(convolve(x, self.kernel[...], self.stride))
        return ops.ACTIVATE[self.act](z if add is None else z + add)


class BlockModule(nnx.Module):
    """The layers of one block, under their roles."""

    def __init__(self, layers: dict[str, ConvNormAct]) -> None:
        for role, layer in layers.items():
            setattr(self, role, layer)


class Network(nnx.Module):
    """The network of an Arch; `blocks[i]` holds the layers of its i-th block.

    Call it with normalised images float [n, height, width, channels]; it returns logits
    [n, classes]. `train()` and `eval()` switch BatchNorm, as for every nnx module.
    """

    def __init__(self, arch: Arch, *, rngs: nnx.Rngs, convolutions: str = "fast") -> None:
        ops.operations(convolutions)  # refuses an unknown one before anything is built
        layers = layers_of(arch)
        self.arch = arch
        # Initial weights are drawn in the order of the layers.
        built = [
            (layer, ConvNormAct(layer.shape, convolutions, rngs=rngs))
            for layer in layers
            if layer.shape.kind != "pool"
        ]
        outside = {layer.role: module for layer, module in built if layer.block is None}
        self.stem = outside["stem"]
        self.blocks = nnx.List(
            [
                BlockModule({layer.role: m for layer, m in built if layer.block == index})
                for index in range(len(arch.blocks))
            ]
        )
        if arch.head.channels:
            self.head = outside["head"]
        channels = layers[-1].shape.outputs
        self.classifier = nnx.Linear(
            channels, arch.classes, kernel_init=partial(scaled_normal, gain=1.0), rngs=rngs
        )

    def __call__(self, images: Array) -> Array:
        """Map normalised images [n, height, width, channels] to logits [n, classes]."""
        return self.classifier(self.maps(images)[-1].mean((1, 2)))

    def maps(self, images: Array) -> list[Array]:
        """Return the output of each layer of `layers_of(arch)`, [n, height, width, channels]."""

        def apply(layer: Layer, x: Array, add: Array | None) -> Array:
            return ops.pool(x) if layer.shape.kind == "pool" else self._module(layer)(x, add)

        return propagate(layers_of(self.arch), images, apply)

    def _module(self, layer: Layer) -> Any:
        owner = self if layer.block is None else self.blocks[layer.block]
        return getattr(owner, layer.role)


def build(
    network: Arch | str,
    *,
    rngs: nnx.Rngs | None = None,
    width: float | None = None,
    input: Input | Sequence[int] | None = None,  # noqa: A002 - the name of Arch's field
    classes: int | None = None,
    convolutions: str = "fast",
) -> Network:
    """Build a fresh, trainable network.

    `network`: an `Arch`, or the name of one of the zoo, such as `mobilenet_v2`; of the latter
    alone `width` multiplies the channels, and `input` (height, width, channels) and `classes` take
    the place of those it was published for. `rngs` defaults to `nnx.Rngs(0)`; `convolutions` is
    `fast`, or `xla` for XLA's own operations. Raises `UserError` for an argument out of range.
    """
    rngs = nnx.Rngs(0) if rngs is None else rngs
    if isinstance(network, str):
        arch = zoo.network(
            network, width=1.0 if width is None else width, input=_shape(input), classes=classes
        )
    elif isinstance(network, Arch):
        given = {"width": width, "input": input, "classes": classes}
        for name, value in given.items():
            if value is not None:
                raise UserError(
                    f"{name}={shown(value)} cannot change an Arch, which says its own; leave it"
                    " out, or name a network of the zoo"
                )
        arch = network
    else:
        raise UserError(
            f"network={shown(network)} is a {type(network).__name__}; give an Arch, or the name of"
            " a network of the zoo"
        )
    return Network(arch, rngs=rngs, convolutions=convolutions)


def _shape(given: Input | Sequence[int] | None) -> Input | None:
    if given is None or isinstance(given, Input):
        return given
    try:
        height, width, channels = given
    except (TypeError, ValueError):
        raise UserError(
            f"input={shown(given)} is not an image shape; give (height, width, channels), such as"
            " (32, 32, 3)"
        ) from None
    return Input(height, width, channels)
