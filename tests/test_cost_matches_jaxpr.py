"""Independent proof of the count: the convolutions and dots of the model's own program.

The forward pass of the Flax model, built with XLA's own convolutions, is traced for one image on
abstract values (nothing is computed), and its jaxpr is read equation by equation.
"""

import functools
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import lax
from omegaconf import OmegaConf

from search.config.space import SpaceConfig
from search.engine import model
from search.engine.model import ConvNormAct
from search.networks import zoo
from search.networks.arch import ACTIVATIONS, Arch, Block, Head, Input, Stem
from search.networks.blocks import OPS
from search.networks.cost import cost_of
from search.networks.shapes import Kind, Shape
from search.spaces import chain as protocol
from search.spaces import stages as space


def inner(value: Any) -> Iterator[Any]:
    """Yield the jaxprs in an equation's parameter."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from inner(item)
    elif hasattr(value, "eqns"):
        yield value
    elif hasattr(value, "jaxpr"):
        yield value.jaxpr


def multiplies_in(jaxpr: Any) -> int:
    """Add up the products of all convolutions and dots; padding counts as if it were image."""
    total = 0
    for equation in jaxpr.eqns:
        out = math.prod(equation.outvars[0].aval.shape) if equation.outvars else 0
        match equation.primitive.name:
            case "conv_general_dilated":
                kernel = equation.invars[1].aval.shape
                features = equation.params["dimension_numbers"].rhs_spec[0]
                assert equation.params["lhs_dilation"] == (1, 1)
                total += out * math.prod(kernel) // kernel[features]
            case "dot_general":
                (contracted, _), _ = equation.params["dimension_numbers"]
                total += out * math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            case name:
                parts = [part for value in equation.params.values() for part in inner(value)]
                inside = sum(multiplies_in(part) for part in parts)
                assert name not in ("while", "cond") or inside == 0, f"{name} may run them or not"
                total += inside * (equation.params["length"] if name == "scan" else 1)
    return total


CALL = ConvNormAct.__call__


@functools.cache
def parts(kind: Kind, inputs: int, outputs: int, kernel: int) -> Any:
    """Split a real layer, with shapes for values."""
    shape = Shape(kind, inputs, outputs, 1, 1, kernel, 1, "relu")
    return nnx.split(nnx.eval_shape(lambda: ConvNormAct(shape, "xla", rngs=nnx.Rngs(0))))


def copied(shape: Shape, convolutions: str, *, rngs: nnx.Rngs) -> ConvNormAct:
    del rngs
    built = parts(shape.kind, shape.inputs, shape.outputs, shape.kernel)
    unit: ConvNormAct = nnx.merge(*built, copy=True)
    unit.stride, unit.convolutions = shape.stride, convolutions
    return unit


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def run(
    kind: Kind, convolutions: str, kernel: tuple[int, ...], stride: int, x: Any, add: Any
) -> Any:
    graph, state = parts(kind, x.shape[3], kernel[3], kernel[0])
    unit: ConvNormAct = nnx.merge(graph, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), state))
    unit.stride, unit.convolutions = stride, convolutions
    assert unit.kernel.shape == kernel
    return CALL(unit, x, add)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build layers of equal shape once and trace each once: flax takes ten milliseconds for each.

    The networks are put together by the model's own code. Initial values have no bearing on the
    count, nor has BatchNorm, which `test_nothing_replaced` leaves in.
    """

    def call(self: ConvNormAct, x: jax.Array, add: jax.Array | None = None) -> Any:
        return run(self.kind, self.convolutions, self.kernel.shape, self.stride, x, add)

    monkeypatch.setattr(model, "scaled_normal", lambda _, shape, *__, **___: jnp.zeros(shape))
    monkeypatch.setattr(model, "ConvNormAct", copied)
    monkeypatch.setattr(ConvNormAct, "__call__", call)
    monkeypatch.setattr(nnx.BatchNorm, "__call__", lambda _, x: x)


def traced(arch: Arch) -> tuple[int, int]:
    """Multiplies and trainable scalars of the model, from shapes alone."""
    network = model.build(arch, rngs=nnx.Rngs(0), convolutions="xla")
    network.eval()  # type: ignore[no-untyped-call]
    shape = (1, arch.input.height, arch.input.width, arch.input.channels)
    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    program = jax.make_jaxpr(lambda images: network(images))(image)
    leaves = jax.tree.leaves(nnx.state(network, nnx.Param))
    return multiplies_in(program.jaxpr), sum(leaf.size for leaf in leaves)


def agrees(arch: Arch) -> None:
    cost = cost_of(arch)
    assert traced(arch) == (cost.multiplies, cost.params), arch


def test_the_reader_finds_what_is_wrapped() -> None:
    @jax.custom_vjp
    def grouped(x: jax.Array, kernel: jax.Array) -> Any:
        return lax.conv_general_dilated(
            x,
            kernel,
            (2, 2),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=4,
        )

    grouped.defvjp(lambda x, kernel: (grouped(x, kernel), None), lambda *_: (None, None))

    def program(x: jax.Array, kernel: jax.Array, square: jax.Array) -> Any:
        def step(carry: jax.Array, _: None) -> tuple[jax.Array, None]:
            return jax.jit(jnp.matmul)(carry, square), None

        y = jax.checkpoint(grouped)(x, kernel)
        return lax.scan(step, y, None, length=3)[0]

    shapes = ((1, 7, 5, 4), (3, 3, 1, 8), (8, 8))
    jaxpr = jax.make_jaxpr(program)(*(jnp.zeros(shape) for shape in shapes)).jaxpr
    positions = 4 * 3
    assert multiplies_in(jaxpr) == positions * 8 * 9 + 3 * positions * 8 * 8


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", zoo.names())
def test_zoo(name: str) -> None:
    agrees(zoo.network(name))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2"])
def test_odd_zoo(name: str) -> None:
    agrees(zoo.network(name, width=0.35, input=Input(57, 91, 1), classes=3))


def strided(size: int, stride: int) -> int:
    return -(-size // stride)


def any_arch(rng: random.Random) -> Arch:
    """Draw over all blocks, kernels 1 to 7, strides 1 to 3, odd sizes and every switch."""
    height, width = rng.randint(9, 40), rng.randint(9, 40)
    stem = Stem(rng.randint(1, 9), rng.randint(1, 7), rng.randint(1, 3), rng.randint(1, 2))
    size = [strided(strided(n, stem.stride), stem.pool) for n in (height, width)]
    blocks: list[Block] = []
    channels = stem.channels
    for _ in range(rng.randint(0, 4)):
        op: Any = rng.choice(OPS)
        stride = min(rng.randint(1, 3), *size)
        out = rng.choice((channels, rng.randint(1, 9)))
        skip = op != "basic" and stride == 1 and out == channels and rng.random() < 0.5
        expansion = rng.randint(1, 4) if op == "inverted" else 1
        blocks.append(Block(op, out, rng.randint(1, 7), stride, expansion, skip))
        size, channels = [strided(n, stride) for n in size], out
    head = Head(rng.choice((0, rng.randint(1, 9))))
    activation: Any = rng.choice(ACTIVATIONS)
    shape = Input(height, width, rng.randint(1, 4))
    return Arch(shape, stem, tuple(blocks), head, rng.randint(1, 12), activation)


def test_nothing_replaced() -> None:
    agrees(zoo.network("mobilenet_v2", width=0.35))
    agrees(zoo.network("cifar_resnet20"))
    rng = random.Random(1)
    for _ in range(10):
        agrees(any_arch(rng))


@pytest.mark.usefixtures("quick")
def test_random_archs() -> None:
    rng = random.Random(0)
    for _ in range(50):
        agrees(any_arch(rng))


SPACES = Path(__file__).parents[1] / "configs" / "space"
INPUTS = {"small": Input(8, 8, 1), "medium": Input(32, 32, 3), "mobile": Input(224, 224, 3)}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_spaces(path: Path, count: int) -> None:
    settings: Any = OmegaConf.to_container(OmegaConf.load(path))
    config = SpaceConfig(**settings)
    chain = space.build(config, INPUTS.get(path.stem, Input(33, 30, 3)), classes=10)
    rng = random.Random(path.stem)
    for _ in range(count):
        decided: list[str] = []
        state = chain.start()
        while options := chain.options(len(decided), state):
            decided.append(rng.choice(options))
            state, _price = chain.step(len(decided) - 1, state, decided[-1])
        arch = chain.value(tuple(decided))
        agrees(arch)
        assert protocol.cost(chain, decided) == cost_of(arch).multiplies
