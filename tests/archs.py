"""Random architectures and weights, for what must hold for every network there is."""

from collections.abc import Iterator
from itertools import cycle, islice

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.random import Generator
from numpy.typing import NDArray

from search.engine.model import Network
from search.networks.arch import ACTIVATIONS, Arch, Block, Head, Input, Stem
from search.networks.blocks import OPS, uses
from search.networks.decisions import may_skip

Arrays = dict[str, NDArray[np.float32]]


def random_archs(count: int, seed: int = 0) -> Iterator[Arch]:
    """Yield small networks of odd and even sizes, strides 1 to 3, skips, with and without head.

    The first block's type goes round all of them, so that `len(OPS)` archs have every type.
    """
    rng = np.random.default_rng(seed)
    for op in islice(cycle(OPS), count):
        yield random_arch(rng, op)


def random_arch(rng: Generator, op: str) -> Arch:
    """Return a network of one to four blocks, the first of type `op`."""
    height, width = (int(size) for size in rng.integers(5, 16, 2))
    stem = Stem(
        channels=int(rng.integers(2, 7)),
        kernel=int(rng.choice([1, 2, 3, 5])),
        stride=int(rng.integers(1, 3)),
        pool=int(rng.integers(1, 3)),
    )
    smallest = -(-min(height, width) // stem.stride // stem.pool)
    blocks, channels = list[Block](), stem.channels
    for kind in (op, *rng.choice(OPS, rng.integers(0, 4))):
        block = _random_block(rng, str(kind), channels, smallest)
        blocks.append(block)
        channels, smallest = block.channels, -(-smallest // block.stride)
    return Arch(
        Input(height, width, int(rng.choice([1, 3]))),
        stem,
        tuple(blocks),
        Head(int(rng.choice([0, 7]))),
        int(rng.integers(2, 6)),
        rng.choice(ACTIVATIONS).item(),
    )


def _random_block(rng: Generator, op: str, channels: int, smallest: int) -> Block:
    stride = min(int(rng.integers(1, 4)), smallest)
    # Equal channels half of the time, or few blocks could have a skip.
    wanted = channels if rng.random() < 0.5 else int(rng.integers(2, 9))
    expansion = int(rng.integers(1, 4)) if uses(op, "expansion") else 1
    plain = Block(op, wanted, int(rng.choice([1, 2, 3, 5])), stride, expansion)
    skip = may_skip(plain, channels) and bool(rng.random() < 0.7)
    return Block(op, wanted, plain.kernel, stride, expansion, skip)


def fill_randomly(network: Network, rng: Generator) -> Arrays:
    """Give `network` random weights and BatchNorm statistics; return its arrays by name."""
    arrays: Arrays = {}
    for path, variable in nnx.to_flat_state(nnx.state(network)):
        name = ".".join(map(str, path))
        shape = variable.get_value().shape
        fan_in = max(1, int(np.prod(shape[:-1])))
        values = rng.normal(0, fan_in**-0.5 if name.endswith("kernel") else 0.3, shape)
        if name.endswith(("scale", "var")):
            values = np.exp(values)
        arrays[name] = values.astype(np.float32)
        variable.set_value(jnp.asarray(arrays[name]))
    network.eval()
    return arrays


def logits_of(network: Network, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of normalised images, compiled once and hastily for these few images."""
    graph, state = nnx.split(network)
    traced = jax.jit(lambda state, images: nnx.merge(graph, state)(images)).lower(state, images)
    # A third of the time of the default, for results that are as right.
    hasty = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return np.asarray(traced.compile(compiler_options=hasty)(state, images))
