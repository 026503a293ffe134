"""Standard convolution whose gradients are matrix products and XLA's fast forward convolution.

On the CPU XLA's gradient to the kernel is a convolution with an image-sized kernel, which takes
some twenty times the forward's time; as products of shifted rows it takes about as long.
"""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
from jax import Array, lax

from search.engine.ops import geometry, reference

# Numbers in the columns that are multiplied at once, some 8 MB; and products side by side where all
# columns are no more than that: both cores then have a few each.
_COLUMNS, _PARTS = 2**21, 8
# Up to here XLA's own gradient to the kernel is as fast and compiles in a tenth of the time.
_SMALL = 64


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def standard(x: Array, kernel: Array, stride: int) -> Array:
    """Standard convolution: x [n, h, w, in], kernel [k, k, in, out]."""
    return reference.standard(x, kernel, stride)


def _forward(x: Array, kernel: Array, stride: int) -> tuple[Array, tuple[Array, Array]]:
    return reference.standard(x, kernel, stride), (x, kernel)


def _backward(stride: int, saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = saved
    size = (x.shape[1], x.shape[2])
    to_input = geometry.transpose(_valid, gradient, kernel.swapaxes(2, 3), size, stride)
    if gradient.shape[1] * gradient.shape[2] <= _SMALL:
        _, pull = jax.vjp(lambda k: reference.standard(x, k, stride), kernel)
        return to_input, pull(gradient)[0]
    return to_input, kernel_gradient(x, gradient, kernel.shape[0], stride)


standard.defvjp(_forward, _backward)


def _valid(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=reference.NAMES)


def kernel_gradient(x: Array, gradient: Array, kernel: int, stride: int) -> Array:
    """Gradient to the kernel [k, k, in, out], as many images at a time as the cache bears."""
    n, channels, outputs = x.shape[0], x.shape[-1], gradient.shape[-1]
    taps = kernel * kernel * channels
    size = (gradient.shape[1], gradient.shape[2])
    pixels = size[0] * size[1]
    chunk = geometry.divisor(n, _COLUMNS // (pixels * taps))

    if chunk == n:
        parts = n // geometry.divisor(n, n // _PARTS)
        columns = _columns(x, size, kernel, stride).reshape(parts, -1, taps)
        # The smaller side is the one that has to be transposed.
        total = (gradient.reshape(parts, -1, outputs).swapaxes(1, 2) @ columns).sum(0)
    else:

        def add(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
            x, arriving = part
            columns = _columns(x, size, kernel, stride).reshape(-1, taps)
            arriving = arriving.reshape(-1, outputs)
            return total + arriving.T @ columns, None

        split = (n // chunk, chunk)
        given = (x.reshape(*split, *x.shape[1:]), gradient.reshape(*split, pixels, outputs))
        total, _ = lax.scan(add, jnp.zeros((outputs, taps), gradient.dtype), given)
    return total.T.reshape(kernel, kernel, channels, outputs)


def _columns(x: Array, size: tuple[int, int], kernel: int, stride: int) -> Array:
    """What lies under each tap of the kernel, side by side as channels: [n, h, w, k·k·in]."""
    padded = geometry.pad(x, kernel, stride)
    taps = product(range(kernel), repeat=2)
    parts = [geometry.window(padded, row, column, size, stride) for row, column in taps]
    return jnp.concatenate(parts, -1)
