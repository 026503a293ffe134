"""All layers of a network in one call: the same bits as layer by layer."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from small import ARCHS, dataset, evaluator

from search.engine import forward
from search.engine.native import build
from search.engine.native.build import kernels
from search.engine.ops import network
from search.engine.packed import Packing, _rounded
from search.engine.programs.compile import compiled, settled
from search.engine.programs.per_epoch import PerEpochProgram
from search.engine.programs.per_step import PerStepProgram
from search.engine.recipe import Recipe
from search.engine.state import State, fresh, shaped
from search.engine.trainer import Trainer
from search.networks import zoo
from search.networks.arch import Arch, Block, Head, Input, Stem
from search.networks.layers import IMAGE, Layer, layers_of

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
    data = dataset(12, 5, size=size, flip=True)
    # Of which nothing is a power of two, and no two channels have the same.
    mean, std = (0.23, 0.47, 0.51)[: size[2]], (0.247, 0.31, 0.19)[: size[2]]
    data = replace(data, mean=mean, std=std)
    return evaluator(data, batch=batch, form="whole", **given)._trainer


def step_of(
    packing: Packing | None, layers: tuple[Layer, ...], recipe: Recipe, state: State, data: Any
) -> tuple[State, np.ndarray]:
    """Three steps in a compiled program of their own; the state, and the scores of the last."""
    batch = (data.images, data.labels, np.arange(recipe.batch, dtype=np.int32))
    plan = packing.plan if packing else ()

    def step(state: State, batch: Any, step: Any, rate: Any, *plan: Any) -> Any:
        read = packing.read(plan) if packing else (layers, recipe)
        return forward.train_step(*read, state, batch, np.uint32(0), step, rate)

    given = (state, batch, np.uint32(0), np.float32(0.01), *plan)
    like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(np.shape(a), np.asarray(a).dtype), given)
    program = compiled(step, like, SHARDING, quickly=True)
    for number in range(3):
        state, scores = program(state, batch, np.uint32(number), np.float32(0.01), *plan)
    return jax.device_get(state), np.asarray(scores)


@given(archs(), st.sampled_from(["adamw", "sgd"]), st.sampled_from(["decay", "average"]))
@settings(max_examples=25, deadline=None)
def test_a_step_has_the_same_bits_as_layer_by_layer(
    arch: Arch, optimiser: str, finish: str
) -> None:
    trainer, layers = trainer_of(arch, optimiser=optimiser, finish=finish), layers_of(arch)
    recipe = trainer.recipe
    packing = Packing(layers, recipe)
    assert packing.shared
    data = dataset(12, 5, size=trainer.image).train
    with settled():
        state = fresh(arch, recipe, 3)
        first, scores = step_of(None, layers, recipe, state, data)
        second, others = step_of(packing, layers, recipe, packing.packed(state), data)
    np.testing.assert_array_equal(scores, others)
    same = packing.unpacked(second)
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(one, other)
    # And the room behind the last layer stays empty.
    weights = sum(layer.shape.weights for layer in layers)
    channels = sum(layer.shape.outputs for layer in layers)
    for path, leaf in jax.tree_util.tree_flatten_with_path(second)[0]:
        if network.LAYERS in str(path) and leaf.ndim:
            kernel = path[-1].key == "kernel"
            assert not leaf[weights if kernel else channels :].any(), path


@given(archs())
@settings(max_examples=25, deadline=None)
def test_an_evaluation_has_the_same_bits_as_layer_by_layer(arch: Arch) -> None:
    trainer, layers = trainer_of(arch), layers_of(arch)
    packing = Packing(layers, trainer.recipe)
    with settled():
        state = fresh(arch, trainer.recipe, 3)
        flat = packing.packed(state)
        x = np.random.default_rng(0).normal(size=(4, *trainer.image)).astype(np.float32)
        one, other = (
            forward.evaluation_features(read, trainer.recipe, s.parameters, s.statistics, x)
            for read, s in ((layers, state), (packing.read(packing.plan)[0], flat))
        )
    np.testing.assert_array_equal(one, other)


def test_packing_is_undone() -> None:
    arch = ARCHS["other"]
    recipe = trainer_of(arch, finish="average").recipe
    layers = layers_of(arch)
    rng = np.random.default_rng(0)
    state = jax.tree.map(
        lambda s: rng.integers(0, 99, s.shape).astype(s.dtype) if s.shape else np.int32(7),
        shaped(layers, recipe),
    )
    packing = Packing(layers, recipe)
    flat = packing.packed(state)
    for array, shape in zip(jax.tree.leaves(flat), jax.tree.leaves(packing.like), strict=True):
        assert (array.shape, array.dtype) == (shape.shape, shape.dtype)
    back = packing.unpacked(flat)
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


def test_wirings_that_no_network_has_are_not_known() -> None:
    stem, depthwise, pointwise = layers_of(ARCHS["small"])
    assert network.known((stem, depthwise, pointwise))
    assert not network.known((stem, depthwise, replace(pointwise, source=0)))
    assert not network.known((stem, depthwise, replace(pointwise, added=IMAGE)))


@given(st.integers(1, 2**40))
@settings(max_examples=200, deadline=None)
def test_large_networks_are_rounded_up_by_an_eighth_at_most(number: int) -> None:
    found = _rounded(number, 2**20, 16, 2**24)
    assert found >= number
    assert found <= max(2**24, number * 9 / 8)
    assert _rounded(found, 2**20, 16, 2**24) == found


@pytest.mark.parametrize("finish", ["decay", "average"])
def test_networks_of_about_one_size_share_their_programs(finish: str) -> None:
    """So that a search compiles a dozen of them, and later runs none."""
    image, images = (6, 5, 1), (12, 5)
    found = set()
    for width in (4, 5, 6, 7, 8, 9):
        blocks = (Block("separable", 8, 3),) * (width % 3)
        arch = Arch(Input(6, 5, 1), Stem(width), blocks, Head(8), 3)
        # Another seed has other images, of another mean.
        recipe = replace(trainer_of(arch, finish=finish).recipe, mean=(width / 10,), std=(0.1,))
        for kind in (
            PerStepProgram(layers_of(arch), recipe, image, images),
            PerEpochProgram(layers_of(arch), recipe, image, images, 1, 3),
        ):
            for spec in kind.program_specs():
                assert spec.shared
                assert len(jax.tree.leaves(spec.arguments)) < 40
                found.add(spec.key)
    assert len(found) == (6 if finish == "average" else 4)


@given(archs(), archs())
@settings(max_examples=25, deadline=None)
def test_networks_of_one_key_have_the_same_shapes(one: Arch, other: Arch) -> None:
    recipe = trainer_of(one).recipe
    first, second = (Packing(layers_of(arch), recipe) for arch in (one, other))
    if first.key == second.key:
        assert first.like == second.like
        assert first.plan_like == second.plan_like


def test_layers_without_room_are_refused() -> None:
    arch = ARCHS["small"]
    packing = Packing(layers_of(arch), trainer_of(arch).recipe)
    flat = packing.packed(fresh(arch, trainer_of(arch).recipe, 0))
    weights = network.Weights(**flat.parameters[network.LAYERS])
    x = np.zeros((4, 6, 5, 1), np.float32)
    plan, _ = packing.read(packing.plan)
    assert isinstance(plan, network.Plan)
    jax.block_until_ready(network.features(plan, weights, x))
    for less in (
        (plan._replace(saved=16), weights),
        (plan, weights._replace(kernel=weights.kernel[:20])),
        (plan, weights._replace(scale=weights.scale[:3], bias=weights.bias[:3])),
    ):
        with pytest.raises(jax.errors.JaxRuntimeError, match="no room for these layers"):
            jax.block_until_ready(network.features(*less, x))
