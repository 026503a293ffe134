"""An Arch as an ordinary `flax.nnx` module: to print, train in one's own loop, save, fine-tune."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from search.engine import ops
from search.networks.arch import Arch
from search.networks.layers import Layer, Shape, layers_of

# Normal numbers are drawn so many at a time: one program for every shape there is.
_DRAWN = 4096


@jax.jit
def _normal(key: Array, index: Array) -> Array:
    return jax.random.normal(jax.random.fold_in(key, index), (_DRAWN,))


def scaled_normal(
    key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32, *_: Any, gain: float = 2.0
) -> Array:
    """Initialise a kernel [..., in, out] with variance gain / fan-in (arXiv:1502.01852).

    jax.random's own initialisers compile one program for each shape, which for a search's many
    shapes takes longer than a short training.
    """
    size = int(np.prod(shape))
    parts = [_normal(key, np.uint32(index)) for index in range(-(-size // _DRAWN))]
    deviation = np.float32((gain * shape[-1] / size) ** 0.5)
    if isinstance(parts[0], jax.core.Tracer):
        return (jnp.concatenate(parts)[:size].reshape(shape) * deviation).astype(dtype)
    drawn = np.concatenate([np.asarray(part) for part in parts])[:size].reshape(shape)
    return jnp.asarray(drawn * deviation, dtype)


class Unit(nnx.Module):
    """One convolution without bias, its BatchNorm, an optional addition, the activation."""

    def __init__(self, shape: Shape, convolutions: str, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(scaled_normal(rngs.params(), shape.kernel_shape))
        self.norm = nnx.BatchNorm(shape.outputs, momentum=0.9, epsilon=ops.EPSILON, rngs=rngs)
        self.kind = shape.kind
        self.stride = shape.stride
        self.act = shape.act
        self.convolutions = convolutions

    def __call__(self, x: Array, add: Array | None = None) -> Array:
        """Map [n, h, w, in] to [n, ⌈h/stride⌉, ⌈w/stride⌉, out]."""
        forms = ops.convolutions(self.convolutions)
        convolve = {
            "conv": forms.standard,
            "depthwise": forms.depthwise,
            "pointwise": forms.pointwise,
        }[self.kind]
        z = self.norm(convolve(x, self.kernel[...], self.stride))
        return ops.ACTIVATE[self.act](z if add is None else z + add)


class BlockModule(nnx.Module):
    """The units of one block, under their names."""

    def __init__(self, units: dict[str, Unit]) -> None:
        for name, unit in units.items():
            setattr(self, name, unit)


class Network(nnx.Module):
    """The network of an Arch; `blocks[i]` holds the units of its i-th block.

    Call it with normalised images float [n, height, width, channels]; it returns logits
    [n, classes]. `train()` and `eval()` switch BatchNorm, as for every nnx module.
    """

    def __init__(self, arch: Arch, *, rngs: nnx.Rngs, convolutions: str = "fast") -> None:
        ops.convolutions(convolutions)  # refuses an unknown one before anything is built
        layers = layers_of(arch)
        self.arch = arch
        make = partial(Unit, convolutions=convolutions, rngs=rngs)
        units = {layer.path: make(layer.shape) for layer in layers if layer.shape.kind != "pool"}
        self.stem = units["stem"]
        self.blocks = nnx.List(
            [
                BlockModule(
                    {
                        path.rsplit(".", 1)[1]: unit
                        for path, unit in units.items()
                        if path.startswith(f"blocks.{index}.")
                    }
                )
                for index in range(len(arch.blocks))
            ]
        )
        if arch.head.channels:
            self.head = units["head"]
        channels = layers[-1].shape.outputs
        self.classifier = nnx.Linear(
            channels, arch.classes, kernel_init=partial(scaled_normal, gain=1.0), rngs=rngs
        )

    def __call__(self, images: Array) -> Array:
        """Map normalised images [n, height, width, channels] to logits [n, classes]."""
        values: list[Array] = []
        for layer in layers_of(self.arch):
            x = images if layer.source < 0 else values[layer.source]
            if layer.shape.kind == "pool":
                values.append(ops.pool(x))
                continue
            add = None if layer.added is None else values[layer.added]
            values.append(self._unit(layer)(x, add))
        return self.classifier(values[-1].mean((1, 2)))

    def _unit(self, layer: Layer) -> Any:
        owner: Any = self
        for name in layer.path.split("."):
            owner = owner[int(name)] if name.isdigit() else getattr(owner, name)
        return owner


def build(arch: Arch, *, rngs: nnx.Rngs, convolutions: str = "fast") -> Network:
    """Build a fresh, trainable network; `convolutions` is `fast` or `xla` (the reference)."""
    return Network(arch, rngs=rngs, convolutions=convolutions)
