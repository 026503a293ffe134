"""XLA's own convolution: the definition that every faster form must equal."""

from jax import Array, lax

NAMES = ("NHWC", "HWIO", "NHWC")


def standard(x: Array, kernel: Array, stride: int) -> Array:
    """Standard convolution: x [n, h, w, in], kernel [k, k, in, out]."""
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=NAMES)


def depthwise(x: Array, kernel: Array, stride: int) -> Array:
    """Depthwise convolution: x [n, h, w, c], kernel [k, k, 1, c]."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=NAMES,
        feature_group_count=x.shape[-1],
    )
