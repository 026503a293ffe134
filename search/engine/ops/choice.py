"""The implementation of each operation on each platform, chosen here alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax import Array

from search.engine.ops import depthwise, native, pointwise, reference, standard
from search.engine.ops import normalise as in_jax
from search.errors import UserError, nearest
from search.networks.shapes import Kind

Convolution = Callable[[Array, Array, int], Array]


@dataclass(frozen=True)
class Operations:
    """What networks are made of: maps NHWC, kernels HWIO.

    Convolutions (x, kernel, stride) → y with SAME padding, one for each kind; and the parts of
    BatchNorm with what follows it, as `search.engine.ops.normalise` has them.
    """

    standard: Convolution
    depthwise: Convolution
    pointwise: Convolution
    moments: Callable[[Array], tuple[Array, Array]] = in_jax.moments
    scaled: Callable[..., Array] = in_jax.scaled
    normalise: Callable[..., in_jax.Normalised] = in_jax.normalise
    normalise_backward: Callable[..., Any] = in_jax.normalise_backward

    def of(self, kind: Kind) -> Convolution:
        """Return the convolution of a kind; raises `ValueError` for pooling and dense layers."""
        match kind:
            case "standard":
                return self.standard
            case "depthwise":
                return self.depthwise
            case "pointwise":
                return self.pointwise
        raise ValueError(f"a {kind} layer has no convolution")


XLA = Operations(reference.standard, reference.depthwise, reference.standard)
_FAST = {
    "cpu": Operations(standard.standard, depthwise.depthwise, pointwise.pointwise),
    # cuDNN and TPUs are fast at standard convolutions; see tests/benchmarks/device.py.
    "gpu": Operations(reference.standard, reference.depthwise, pointwise.pointwise),
    "tpu": Operations(reference.standard, reference.depthwise, pointwise.pointwise),
}
NATIVE = Operations(
    native.standard,
    native.depthwise,
    native.standard,
    native.moments,
    native.scaled,
    native.normalise,
    native.normalise_backward,
)
CHOICES = ("fast", "xla")


def operations(choice: str = "fast", platform: str | None = None) -> Operations:
    """Return the forms for a platform (`cpu`, `gpu`, `tpu`; default: JAX's own default).

    `choice` is `fast` for forms in JAX, `xla` for the reference everywhere, or `native`: the C++
    kernels, which are there only where `search.engine.native.build.kernels` finds them. Raises
    `UserError` otherwise.
    """
    if choice == "native":
        return NATIVE
    if choice == "xla":
        return XLA
    if choice != "fast":
        raise UserError(f"convolutions={choice!r} is unknown; {nearest(choice, CHOICES)}")
    name = platform or jax.default_backend()
    return _FAST.get({"cuda": "gpu", "rocm": "gpu"}.get(name, name), XLA)
