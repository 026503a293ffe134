"""Depthwise convolution as shifted multiply-adds, which vectorise over channels on the CPU."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
from jax import Array, lax

from search.engine.ops import geometry, reference

# Kernels beyond this would unroll into programs that compile for minutes.
_LARGEST = 7
# Products of one tap that are summed at once, some 2 MB.
_PRODUCTS = 2**19


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _shifted(x: Array, kernel: Array, stride: int) -> Array:
    size = (-(-x.shape[1] // stride), -(-x.shape[2] // stride))
    padded = geometry.pad(x, kernel.shape[0], stride)
    return _taps(padded, kernel, size, stride)


def _forward(x: Array, kernel: Array, stride: int) -> tuple[Array, tuple[Array, Array]]:
    return _shifted(x, kernel, stride), (x, kernel)


def _backward(stride: int, saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = saved
    size = (x.shape[1], x.shape[2])
    to_input = geometry.transpose(_valid, gradient, kernel, size, stride)
    return to_input, kernel_gradient(x, gradient, kernel.shape[0], stride)


_shifted.defvjp(_forward, _backward)


def depthwise(x: Array, kernel: Array, stride: int) -> Array:
    """Depthwise convolution: x [n, h, w, c], kernel [k, k, 1, c]."""
    if kernel.shape[0] > _LARGEST:
        return reference.depthwise(x, kernel, stride)
    return _shifted(x, kernel, stride)


def _taps(padded: Array, kernel: Array, size: tuple[int, int], stride: int) -> Array:
    total: Array | None = None
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            part = geometry.window(padded, row, column, size, stride) * kernel[row, column, 0]
            total = part if total is None else total + part
    assert total is not None
    return total


def _valid(x: Array, kernel: Array) -> Array:
    size = (x.shape[1] - kernel.shape[0] + 1, x.shape[2] - kernel.shape[1] + 1)
    return _taps(x, kernel, size, 1)


def kernel_gradient(x: Array, gradient: Array, kernel: int, stride: int) -> Array:
    """Gradient to the kernel [k, k, 1, c]: a sum of products for each tap.

    As many images at a time as the cache bears. A sum over rows vectorises; what is left of it is
    small.
    """
    n = x.shape[0]
    size = (gradient.shape[1], gradient.shape[2])
    chunk = geometry.divisor(n, _PRODUCTS // (gradient.size // n))

    def sums(x: Array, arriving: Array) -> Array:
        padded = geometry.pad(x, kernel, stride)
        taps = product(range(kernel), repeat=2)
        rows = [
            (geometry.window(padded, row, column, size, stride) * arriving).sum(1)
            for row, column in taps
        ]
        return jnp.stack([row.sum((0, 1)) for row in rows])

    if chunk == n:
        total = sums(x, gradient)
    else:

        def add(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
            return total + sums(*part), None

        split = (n // chunk, chunk)
        given = (x.reshape(*split, *x.shape[1:]), gradient.reshape(*split, *gradient.shape[1:]))
        zeros = jnp.zeros((kernel * kernel, x.shape[-1]), gradient.dtype)
        total, _ = lax.scan(add, zeros, given)
    return total.reshape(kernel, kernel, 1, x.shape[-1])
