"""BatchNorm, an optional addition and the activation as one operation with a lean gradient.

The gradient keeps the convolution's output and two numbers a channel, and recomputes the rest;
automatic differentiation would keep several whole maps. Formulae: arXiv:1502.03167.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

EPSILON = 1e-5
ACTIVATE: Mapping[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "relu6": lambda x: jnp.clip(x, 0.0, 6.0),
    "swish": jax.nn.silu,
    "linear": lambda x: x,
}


class Normalised(NamedTuple):
    """`out` like the input, and the statistics that were used: `mean`, `variance` [c]."""

    out: Array
    mean: Array
    variance: Array


def _wide(dtype: jnp.dtype) -> jnp.dtype:
    """The type that sums are taken in: float32, or wider if the maps are."""
    return dtype if dtype.itemsize >= 4 else jnp.dtype(jnp.float32)


def moments(y: Array) -> tuple[Array, Array]:
    """Mean and variance of each channel in float32, over all other axes."""
    wide = y.astype(_wide(y.dtype)).reshape(-1, y.shape[-1])
    mean = wide.mean(0)
    return mean, jnp.square(wide - mean).mean(0)


def scaled(
    y: Array, scale: Array, bias: Array, mean: Array, variance: Array, add: Array | None, act: str
) -> Array:
    """Normalise by given statistics, add `add` if there is one, activate."""
    factor = scale * lax.rsqrt(variance + EPSILON)
    z = y * factor.astype(y.dtype) + (bias - mean * factor).astype(y.dtype)
    return ACTIVATE[act](z if add is None else z + add)


Saved = tuple[Array, Array, Array, Array | None, Array, Array]


def normalise_backward(
    act: str, saved: Saved, gradient: Array
) -> tuple[Array, Array, Array, Array | None]:
    """Gradients to y, scale, bias and `add`, from that to the output."""
    y, scale, bias, add, mean, variance = saved
    inverse = lax.rsqrt(variance + EPSILON)
    factor = scale * inverse
    z = y * factor.astype(y.dtype) + (bias - mean * factor).astype(y.dtype)
    _, pull = jax.vjp(ACTIVATE[act], z if add is None else z + add)
    (dz,) = pull(gradient)
    channels, count = y.shape[-1], y.size // y.shape[-1]
    wide = _wide(y.dtype)
    flat = dz.astype(wide).reshape(-1, channels)
    to_bias = flat.sum(0)
    centred = y.astype(wide).reshape(-1, channels) - mean
    to_scale = (flat * centred).sum(0) * inverse
    slope = to_scale * factor * inverse / count
    dy = flat * factor - (centred * slope + to_bias * factor / count)
    return dy.reshape(y.shape).astype(y.dtype), to_scale, to_bias, None if add is None else dz


def normalising(
    moments: Callable[[Array], tuple[Array, Array]],
    scaled: Callable[..., Array],
    backward: Callable[..., tuple[Array, Array, Array, Array | None]],
) -> Callable[..., Normalised]:
    """Return BatchNorm by the batch's own statistics, made of its parts, which `backward` derives.

    It is called with y [n, h, w, c], scale and bias [c], the addition or None, the activation.
    """

    @partial(jax.custom_vjp, nondiff_argnums=(4,))
    def normalise(y: Array, scale: Array, bias: Array, add: Array | None, act: str) -> Normalised:
        mean, variance = moments(y)
        return Normalised(scaled(y, scale, bias, mean, variance, add, act), mean, variance)

    def forward(
        y: Array, scale: Array, bias: Array, add: Array | None, act: str
    ) -> tuple[Normalised, Saved]:
        result = normalise(y, scale, bias, add, act)
        return result, (y, scale, bias, add, result.mean, result.variance)

    def derived(
        act: str, saved: Saved, gradient: Normalised
    ) -> tuple[Array, Array, Array, Array | None]:
        # The statistics feed running averages only, which nothing differentiates.
        return backward(act, saved, gradient.out)

    normalise.defvjp(forward, derived)
    return normalise


normalise = normalising(moments, scaled, normalise_backward)


def pool(x: Array) -> Array:
    """3×3 max pooling with stride 2, SAME, as ResNet's stem has it."""
    # A plain number: only from a constant does JAX see that this is max pooling and differentiate.
    pooled: Array = lax.reduce_window(x, -np.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
    return pooled
