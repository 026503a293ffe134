"""The implementation of each kind of convolution on each platform, chosen here alone."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
from jax import Array

from search.engine.ops import depthwise, pointwise, reference, standard
from search.errors import UserError, nearest
from search.networks.shapes import Kind

Convolution = Callable[[Array, Array, int], Array]


@dataclass(frozen=True)
class Convolutions:
    """One function (x, kernel, stride) → y for each kind; SAME padding, NHWC and HWIO."""

    standard: Convolution
    depthwise: Convolution
    pointwise: Convolution

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


XLA = Convolutions(reference.standard, reference.depthwise, reference.standard)
_FAST = {
    "cpu": Convolutions(standard.standard, depthwise.depthwise, pointwise.pointwise),
    # cuDNN and TPUs are fast at standard convolutions; see tests/benchmarks/device.py.
    "gpu": Convolutions(reference.standard, reference.depthwise, pointwise.pointwise),
    "tpu": Convolutions(reference.standard, reference.depthwise, pointwise.pointwise),
}
CHOICES = ("fast", "xla")


def convolutions(choice: str = "fast", platform: str | None = None) -> Convolutions:
    """Return the forms for a platform (`cpu`, `gpu`, `tpu`; default: JAX's own default).

    `choice` is `fast`, or `xla` for the reference everywhere. Raises `UserError` otherwise.
    """
    if choice == "xla":
        return XLA
    if choice != "fast":
        raise UserError(f"convolutions={choice!r} is unknown; {nearest(choice, CHOICES)}")
    name = platform or jax.default_backend()
    return _FAST.get({"cuda": "gpu", "rocm": "gpu"}.get(name, name), XLA)
