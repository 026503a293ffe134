"""All layers of a network in one call: the same bits as layer by layer."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from small import ARCHS, dataset, evaluator

from search.engine import forward, packed
from search.engine.native import build
from search.engine.native.build import kernels
from search.engine.ops import network
from search.engine.programs.compile import compiled, settled
from search.engine.programs.per_epoch import PerEpochProgram
from search.engine.programs.per_step import PerStepProgram
from search.engine.recipe import Recipe
from search.engine.state import State, fresh, shaped
from search.engine.trainer import Trainer
from search.networks import zoo
from search.networks.arch import Arch, Block, Head, Input, Stem
from search.networks.layers import Layer, layers_of

SHARDING = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if not build._compilers():
        pytest.skip("no C++ compiler is here")
    assert kernels().prefix, kernels().note


OPS = ["conv", "separable", "inverted", "blueprint", "basic"]


@st.composite
def archs(draw: Any) -> Arch:
    """Networks of all kinds of block, with sizes and widths that no vector divides."""
    image = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.sampled_from([1, 3]))
    blocks = []
    channels = stem = draw(st.integers(1, 20))
    left = min(image[:2])
    for _ in range(draw(st.integers(0, 4))):
        op = draw(st.sampled_from(OPS))
        stride = draw(st.integers(1, min(2, left)))
        left = -(-left // stride)
        out = draw(st.sampled_from([channels, 3, 16, 21]))
        skip = op != "basic" and stride == 1 and out == channels and draw(st.booleans())
        expansion = {"expansion": 2} if op == "inverted" else {}
        blocks.append(Block(op, out, draw(st.sampled_from([3, 5])), stride, skip=skip, **expansion))
        channels = out
    head = Head(draw(st.sampled_from([0, 7])))
    act = draw(st.sampled_from(["relu", "relu6"]))
    return Arch(Input(*image), Stem(stem), tuple(blocks), head, 3, act)


def trainer_of(arch: Arch, batch: int = 4, **given: Any) -> Trainer:
    size = arch.input.height, arch.input.width, arch.input.channels
    return evaluator(dataset(12, 5, size=size), batch=batch, form="whole", **given)._trainer


def step_of(
    layers: tuple[Layer, ...], recipe: Recipe, state: State, data: Any, steps: int
) -> tuple[State, np.ndarray]:
    """Steps in a compiled program of their own; the scores of the last."""
    batch = (data.images, data.labels, np.arange(recipe.batch, dtype=np.int32))
    given = (state, batch, np.uint32(0), np.uint32(0), np.float32(0.01))
    like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(np.shape(a), np.asarray(a).dtype), given)
    program = compiled(partial(forward.train_step, layers, recipe), like, SHARDING, quickly=True)
    for step in range(steps):
        state, scores = program(state, batch, np.uint32(0), np.uint32(step), np.float32(0.01))
    return jax.device_get(state), np.asarray(scores)


@given(archs())
@settings(max_examples=25, deadline=None)
def test_a_step_has_the_same_bits_as_layer_by_layer(arch: Arch) -> None:
    trainer, layers = trainer_of(arch), layers_of(arch)
    recipe = trainer.recipe
    assert packed.packs(layers, recipe)
    data = dataset(12, 5, size=trainer.image).train
    with settled():
        state = fresh(arch, recipe, 3)
        first, scores = step_of(layers, recipe, state, data, 3)
        second, others = step_of(layers, recipe, packed.packed(layers, state), data, 3)
    np.testing.assert_array_equal(scores, others)
    same = packed.unpacked(layers, second, shaped(layers, recipe))
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(one, other)


@given(archs())
@settings(max_examples=25, deadline=None)
def test_an_evaluation_has_the_same_bits_as_layer_by_layer(arch: Arch) -> None:
    trainer, layers = trainer_of(arch), layers_of(arch)
    with settled():
        state = fresh(arch, trainer.recipe, 3)
        flat = packed.packed(layers, state)
        x = np.random.default_rng(0).normal(size=(4, *trainer.image)).astype(np.float32)
        one, other = (
            forward.evaluation_features(layers, trainer.recipe, s.parameters, s.statistics, x)
            for s in (state, flat)
        )
    np.testing.assert_array_equal(one, other)


def test_packing_is_undone() -> None:
    arch = ARCHS["other"]
    recipe = trainer_of(arch, finish="average").recipe
    layers = layers_of(arch)
    rng = np.random.default_rng(0)
    exact = shaped(layers, recipe)
    state = jax.tree.map(
        lambda s: rng.integers(0, 99, s.shape).astype(s.dtype) if s.shape else s.dtype.type(7),
        exact,
    )
    flat = packed.packed(layers, state)
    like = packed.program_shapes(layers, recipe)
    for array, shape in zip(jax.tree.leaves(flat), jax.tree.leaves(like), strict=True):
        assert (array.shape, array.dtype) == (shape.shape, shape.dtype)
    back = packed.unpacked(layers, flat, exact)
    assert jax.tree.structure(back) == jax.tree.structure(state)
    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["cifar_resnet20", "resnet18"])
def test_known_networks_train_in_one_call_where_there_are_kernels_for_all(name: str) -> None:
    layers = layers_of(zoo.network(name, width=0.25))
    pools = any(one.shape.kind == "pool" for one in layers)
    assert network.known(layers) != pools
    swish = layers_of(ARCHS["every"])
    assert not network.known(swish)


def test_programs_know_a_dozen_arrays_whatever_the_network() -> None:
    """Or they would be compiled for as long as layer by layer."""
    deep = Arch(
        Input(6, 5, 1), Stem(4), (Block("separable", 4, skip=True),) * 12, Head(), 3, "relu"
    )
    recipe = trainer_of(deep).recipe
    for kind in (
        PerStepProgram(layers_of(deep), recipe, (6, 5, 1), (12, 5)),
        PerEpochProgram(layers_of(deep), recipe, (6, 5, 1), (12, 5), 1, 3),
    ):
        for spec in kind.program_specs():
            assert len(jax.tree.leaves(spec.arguments)) < 40, spec.key[0]


def test_a_plan_that_does_not_go_with_its_room_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    arch = ARCHS["small"]
    layers = layers_of(arch)
    flat = packed.packed(layers, fresh(arch, trainer_of(arch).recipe, 0))
    weights = network.Weights(**flat.parameters[packed.LAYERS])
    x = np.zeros((4, 6, 5, 1), np.float32)
    monkeypatch.setattr(network, "saved_floats", lambda *_: 16)
    with pytest.raises(jax.errors.JaxRuntimeError, match="the plan and the room"):
        jax.block_until_ready(network.features(layers, weights, x))
