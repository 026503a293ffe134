"""Standard convolution whose gradients are matrix products and XLA's fast forward convolution.

On the CPU XLA's gradient to the kernel is a convolution with an image-sized kernel, which takes
some twenty times the forward's time; as products of shifted rows it takes about as long.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from search.ops import geometry, reference

# Images whose shifted copies stay in the cache while they are multiplied.
_CHUNK = 4
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
    """Gradient to the kernel [k, k, in, out], a few images at a time."""
    n, channels, outputs = x.shape[0], x.shape[-1], gradient.shape[-1]
    chunk = next(c for c in range(min(_CHUNK, n), 0, -1) if n % c == 0)

    def add(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
        return total + _rows(*part, kernel, stride), None

    parts = (
        x.reshape(n // chunk, chunk, *x.shape[1:]),
        gradient.reshape(n // chunk, chunk, *gradient.shape[1:]),
    )
    zero = jnp.zeros((kernel, kernel * channels, outputs), gradient.dtype)
    total, _ = lax.scan(add, zero, parts)
    return total.reshape(kernel, kernel, channels, outputs)


def _rows(x: Array, gradient: Array, kernel: int, stride: int) -> Array:
    """One product for each row of the kernel: its columns are laid side by side as channels."""
    size = (gradient.shape[1], gradient.shape[2])
    padded = geometry.pad(x, kernel, stride)
    flat = gradient.reshape(-1, gradient.shape[-1])
    columns = jnp.concatenate(
        [
            padded[:, :, column : column + (size[1] - 1) * stride + 1 : stride]
            for column in range(kernel)
        ],
        -1,
    )
    return jnp.stack(
        [
            columns[:, row : row + (size[0] - 1) * stride + 1 : stride].reshape(flat.shape[0], -1).T
            @ flat
            for row in range(kernel)
        ]
    )
