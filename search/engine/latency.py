"""How long a compiled network takes for a batch: many calls, after some that are not counted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

import jax
import numpy as np
from flax import nnx

from search.engine.model import build
from search.networks.arch import Arch

WARM_UP = 10
FEWEST, MOST = 30, 2000
Call = Callable[[], object]
"""Computes one batch and returns when the result is there."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds of a call: quartiles over `calls`."""

    calls: int
    lower: float
    median: float
    upper: float


def measure(
    call: Call, seconds: float, *, clock: Callable[[], float] = time.perf_counter
) -> Timing:
    """Time a call again and again for about so many seconds, at least `FEWEST` times.

    Quartiles, not mean and deviation: what else runs on the machine only ever makes a call longer.
    """
    for _ in range(WARM_UP):
        call()
    taken: list[float] = []
    end = clock() + seconds
    while len(taken) < FEWEST or (clock() < end and len(taken) < MOST):
        before = clock()
        call()
        taken.append(1000 * (clock() - before))
    lower, median, upper = quantiles(taken, n=4, method="inclusive")
    return Timing(len(taken), lower, median, upper)


def jax_call(arch: Arch, batch: int) -> Call:
    """Return a network compiled by JAX for its first device, on normalised random images."""
    module = build(arch, rngs=nnx.Rngs(0))
    nnx.Module.eval(module)
    graph, state = nnx.split(module)
    shape = (batch, arch.input.height, arch.input.width, arch.input.channels)
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    images, state = jax.device_put((images, state))

    def forward(state: Any, images: jax.Array) -> jax.Array:
        logits: jax.Array = nnx.merge(graph, state)(images)
        return logits

    compiled = jax.jit(forward).lower(state, images).compile()
    return lambda: jax.block_until_ready(compiled(state, images))
