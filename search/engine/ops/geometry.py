"""Where the pixels of a strided SAME convolution lie; its transpose in stride-1 convolutions."""

from collections.abc import Callable
from itertools import product

import jax.numpy as jnp
from jax import Array, lax


def padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels added before and after `size` by SAME padding, as XLA defines it."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pad(x: Array, kernel: int, stride: int) -> Array:
    """x [n, h, w, c] with its SAME padding written out."""
    edges = [(0, 0), *(padding(size, kernel, stride) for size in x.shape[1:3]), (0, 0)]
    return jnp.pad(x, edges)


def window(padded: Array, row: int, column: int, size: tuple[int, int], stride: int) -> Array:
    """Pixels of `padded` [..., h, w, c] under one tap of the kernel: [..., *size, c]."""
    rows = slice(row, row + (size[0] - 1) * stride + 1, stride)
    columns = slice(column, column + (size[1] - 1) * stride + 1, stride)
    return padded[..., rows, columns, :]


def divisor(n: int, most: int) -> int:
    """The largest divisor of n that is at most `most`, or 1."""
    return next(d for d in range(max(1, min(n, most)), 0, -1) if n % d == 0)


def transpose(
    valid: Callable[[Array, Array], Array],
    gradient: Array,
    kernel: Array,
    size: tuple[int, int],
    stride: int,
) -> Array:
    """Gradient to the input [n, *size, in] of a convolution, from that to its output.

    `valid` is a stride-1 convolution without padding; `kernel` [k, k, …] has its channels already
    in the order that `valid` wants. A dilated gradient would be mostly zeros: instead the input's
    pixels are computed in stride² phases, each with the taps that reach it, and interleaved.
    """
    k = kernel.shape[0]
    before = [padding(s, k, stride)[0] for s in size]
    spans = [(s - 1 + lo) // stride + 1 for s, lo in zip(size, before, strict=True)]
    phases = [
        _phase(valid, gradient, kernel[row::stride, column::stride], spans)
        for row, column in product(range(stride), repeat=2)
    ]
    if stride == 1:
        whole = phases[0]
    else:
        n, channels = phases[0].shape[0], phases[0].shape[-1]
        stacked = jnp.stack(phases, 3).reshape(n, *spans, stride, stride, channels)
        whole = stacked.transpose(0, 1, 3, 2, 4, 5).reshape(
            n, spans[0] * stride, spans[1] * stride, channels
        )
    (top, left), (height, width) = before, size
    return whole[:, top : top + height, left : left + width]


def _phase(
    valid: Callable[[Array, Array], Array], gradient: Array, taps: Array, spans: list[int]
) -> Array:
    rows, columns = taps.shape[:2]
    if rows == 0 or columns == 0:  # a kernel smaller than its stride skips these pixels
        channels = taps.shape[-1]
        return jnp.zeros((gradient.shape[0], *spans, channels), gradient.dtype)
    edges = [(0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)]
    for axis, (count, span) in enumerate(zip((rows, columns), spans, strict=True), start=1):
        edges[axis] = (count - 1, span - gradient.shape[axis], 0)
    padded = lax.pad(gradient, jnp.zeros((), gradient.dtype), edges)
    return valid(padded, taps[::-1, ::-1])
