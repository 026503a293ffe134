"""Depthwise convolution as shifted multiply-adds, which vectorise over channels on the CPU."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from search.ops import geometry, reference

# Kernels beyond this would unroll into programs that compile for minutes.
_LARGEST = 7


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
    """Gradient to the kernel [k, k, 1, c], image by image with one accumulator for each tap.

    The accumulators keep the image's columns until the end: a sum over one axis vectorises.
    """
    size = (gradient.shape[1], gradient.shape[2])
    places = [(row, column) for row in range(kernel) for column in range(kernel)]

    def add(totals: tuple[Array, ...], part: tuple[Array, Array]) -> tuple[tuple[Array, ...], None]:
        image, arriving = part
        padded = geometry.pad(image[None], kernel, stride)[0]
        products = (
            (geometry.window(padded, row, column, size, stride) * arriving).sum(0)
            for row, column in places
        )
        return tuple(t + p for t, p in zip(totals, products, strict=True)), None

    zeros = tuple(jnp.zeros((size[1], x.shape[-1]), gradient.dtype) for _ in places)
    totals, _ = lax.scan(add, zeros, (x, gradient))
    return jnp.stack([t.sum(0) for t in totals]).reshape(kernel, kernel, 1, x.shape[-1])
