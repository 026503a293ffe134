"""`ARCH_FORMAT.md` is right: NumPy that follows it agrees with the network of `search.build`."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from archs import fill_randomly, logits_of, random_archs
from export.numpy_reference import forward
from flax import nnx

from search.engine.model import build
from search.export.weights import unpack
from search.networks.arch import ACTIVATIONS, from_json, to_json
from search.networks.blocks import BLOCKS, OPS, Block

ARCHS = list(random_archs(50))
ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "search" / "networks" / "ARCH_FORMAT.md").read_text()


@pytest.mark.parametrize("index", range(len(ARCHS)))
def test_numpy_agrees(index: int) -> None:
    arch = ARCHS[index]
    rng = np.random.default_rng(index)
    # Of XLA's own convolutions, which nothing of this project computes.
    network = build(arch, rngs=nnx.Rngs(0), convolutions="xla")
    arrays = fill_randomly(network, rng)
    shape = arch.input
    images = rng.normal(size=(2, shape.height, shape.width, shape.channels)).astype(np.float32)
    expected = forward(json.loads(to_json(arch)), arrays, images)
    np.testing.assert_allclose(logits_of(network, images), expected, rtol=1e-4, atol=1e-4)


def test_the_archs_are_of_every_kind() -> None:
    blocks = [block for arch in ARCHS for block in arch.blocks]
    assert {block.op for block in blocks} == set(OPS)
    assert {arch.activation for arch in ARCHS} == set(ACTIVATIONS)
    assert {block.op for block in blocks if block.skip} == set(OPS) - {"basic"}
    assert {(block.op, block.stride) for block in blocks} >= {(op, s) for op in OPS for s in (1, 2)}
    assert {arch.stem.pool for arch in ARCHS} == {1, 2}
    assert {arch.input.height % 2 for arch in ARCHS} == {0, 1}
    assert {bool(arch.head.channels) for arch in ARCHS} == {True, False}
    assert len(set(ARCHS)) == len(ARCHS)


def test_the_reference_is_short() -> None:
    assert len((ROOT / "tests" / "export" / "numpy_reference.py").read_text().splitlines()) <= 60


def test_every_block_and_layer_has_a_row() -> None:
    for op, kind in BLOCKS.items():
        assert f"| `{op}` |" in TEXT
        for layer in kind.layers(Block(op, 8, stride=2, expansion=2 if op == "inverted" else 1), 4):
            assert f"| `{layer.role}`" in TEXT, (op, layer.role)
    for activation in ACTIVATIONS:
        assert f"`{activation}`" in TEXT


def test_the_id_is_the_hash_that_the_page_says() -> None:
    for arch in ARCHS[:3]:
        content = json.loads(to_json(arch))
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        assert arch.id == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_left_out_keys_have_the_defaults_that_the_page_says() -> None:
    short = (
        '{"format":"convbudget-arch/1","input":{"height":8,"width":8,"channels":1},'
        '"stem":{"channels":4},"blocks":[{"op":"conv","channels":8}],"head":{},"classes":3}'
    )
    content = json.loads(to_json(from_json(short)))
    assert content["stem"] == {"channels": 4, "kernel": 3, "stride": 1, "pool": 1}
    assert content["blocks"][0] == {
        "op": "conv",
        "channels": 8,
        "kernel": 3,
        "stride": 1,
        "expansion": 1,
        "skip": False,
    }
    assert (content["head"], content["activation"]) == ({"channels": 0}, "relu")


def test_a_shipped_file_is_what_the_page_says() -> None:
    path = next((ROOT / "outputs" / "reference").glob("*/weights/*.safetensors"))
    packed = unpack(path)
    images = np.zeros((1, *vars(packed.arch.input).values()), np.float32)
    logits = forward(json.loads(to_json(packed.arch)), packed.arrays, images)
    assert logits.shape == (1, packed.arch.classes)
    assert all(array.dtype == np.float32 for array in packed.arrays.values())
