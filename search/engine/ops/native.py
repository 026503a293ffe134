"""Operations by the C++ kernels of `search.engine.native`, in float32 on the CPU.

Images are padded one by one into a few kilobytes that stay in the cache, and no columns of a matrix
are laid out in memory. Sums are taken in the same order by any number of threads.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array

from search.engine.native.build import kernels
from search.engine.ops import normalise as in_jax
from search.engine.ops.normalise import Saved, normalising

# The bounds that an activation keeps a number within; for others there is no kernel.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "linear": (-np.inf, np.inf),
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
}


# Of an optimiser's arguments for a parameter, those that results replace, and by which.
_ADAM, _TRACE = {0: 0, 2: 1, 3: 2}, {0: 0, 2: 1}


def call(
    name: str,
    results: Any,
    *arguments: Array,
    replaced: dict[int, int] | None = None,
    **attributes: Any,
) -> Any:
    """Call a handler; `results` is a shape, or a list of them.

    `replaced`: numbers of arguments and of the results that take their places in memory, so that a
    loop copies neither.
    """

    def like(shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, np.float32)

    shapes = list(map(like, results)) if isinstance(results, list) else like(results)
    call = jax.ffi.ffi_call(
        kernels().prefix + name,
        shapes,
        vmap_method="sequential",
        input_output_aliases=replaced,
    )
    return call(*arguments, **attributes)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolution(x: Array, kernel: Array, stride: int, kind: str) -> Array:
    size = (-(-x.shape[1] // stride), -(-x.shape[2] // stride))
    shape = (x.shape[0], *size, kernel.shape[-1])
    y: Array = call(f"{kind}_forward", shape, x, kernel, stride=np.int64(stride))
    return y


def _forward(x: Array, kernel: Array, stride: int, kind: str) -> tuple[Array, tuple[Array, Array]]:
    return _convolution(x, kernel, stride, kind), (x, kernel)


def _backward(
    stride: int, kind: str, saved: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    x, kernel = saved
    step = np.int64(stride)
    to_input = call(f"{kind}_to_input", x.shape, gradient, kernel, stride=step)
    return to_input, call(f"{kind}_to_kernel", kernel.shape, x, gradient, stride=step)


_convolution.defvjp(_forward, _backward)


def standard(x: Array, kernel: Array, stride: int) -> Array:
    """Standard convolution, 1×1 included: x [n, h, w, in], kernel [k, k, in, out]."""
    return _convolution(x, kernel, stride, "standard")


def depthwise(x: Array, kernel: Array, stride: int) -> Array:
    """Depthwise convolution: x [n, h, w, c], kernel [k, k, 1, c]."""
    return _convolution(x, kernel, stride, "depthwise")


def moments(y: Array) -> tuple[Array, Array]:
    """Mean and variance of each channel, over all other axes of y [n, h, w, c]."""
    channels = (y.shape[-1],)
    mean, variance = call("moments", [channels, channels], y)
    return mean, variance


def scaled(
    y: Array, scale: Array, bias: Array, mean: Array, variance: Array, add: Array | None, act: str
) -> Array:
    """Normalise by given statistics, add `add` if there is one, activate."""
    if act not in BOUNDS:
        return in_jax.scaled(y, scale, bias, mean, variance, add, act)
    rest = () if add is None else (add,)
    out: Array = call("scaled", y.shape, y, scale, bias, mean, variance, *rest, **_bounds(act))
    return out


def normalise_backward(
    act: str, saved: Saved, gradient: Array
) -> tuple[Array, Array, Array, Array | None]:
    """Gradients to y, scale, bias and `add`, from that to the output."""
    if act not in BOUNDS:
        return in_jax.normalise_backward(act, saved, gradient)
    y, scale, bias, add, mean, variance = saved
    arguments = (y, scale, bias, mean, variance, gradient)
    results = [y.shape, scale.shape, scale.shape]
    if add is None:
        dy, to_scale, to_bias = call("normalise_backward", results, *arguments, **_bounds(act))
        return dy, to_scale, to_bias, None
    results.append(y.shape)
    found = call("normalise_backward", results, *arguments, add, **_bounds(act))
    dy, to_scale, to_bias, to_add = found
    return dy, to_scale, to_bias, to_add


normalise = normalising(moments, scaled, normalise_backward)


def adam(
    step: Array, rate: Array, decays: Sequence[float], leaves: Sequence[Sequence[Array]]
) -> list[Array]:
    """Take one step of AdamW, whose number is `step` [1, …]; see `search.engine.optimiser`.

    `leaves`: of each parameter its value, gradient and two moments. Returns values and moments.
    """
    results = [leaf[0].shape for leaf in leaves for _ in range(3)]
    flat = [array for leaf in leaves for array in leaf]
    places = {2 + 4 * n + at: 3 * n + to for n in range(len(leaves)) for at, to in _ADAM.items()}
    shares = np.array(decays, np.float32)
    found: list[Array] = call("adam", results, step, rate, *flat, replaced=places, decays=shares)
    return found


def momentum(
    rate: Array, decays: Sequence[float], leaves: Sequence[Sequence[Array]]
) -> list[Array]:
    """Take one step of SGD with Nesterov momentum; see `search.engine.optimiser`.

    `leaves`: of each parameter its value, gradient and trace. Returns values and traces.
    """
    results = [leaf[0].shape for leaf in leaves for _ in range(2)]
    flat = [array for leaf in leaves for array in leaf]
    places = {1 + 3 * n + at: 2 * n + to for n in range(len(leaves)) for at, to in _TRACE.items()}
    shares = np.array(decays, np.float32)
    found: list[Array] = call("momentum", results, rate, *flat, replaced=places, decays=shares)
    return found


def blended(old: Sequence[Array], new: Sequence[Array], kept: Array) -> list[Array]:
    """Return `kept`, a scalar, of each old array and the rest of the new one."""
    results = [array.shape for array in old]
    places = {1 + number: number for number in range(len(old))}
    found: list[Array] = call("blended", results, kept, *old, *new, replaced=places)
    return found


def _bounds(act: str) -> dict[str, Any]:
    low, high = BOUNDS[act]
    return {"low": np.float32(low), "high": np.float32(high)}
