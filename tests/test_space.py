"""The shipped spaces: prices are costs, encodings are networks one to one, strides leave pixels."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from chains import arch_options

from search.cli.space import show
from search.config.space import SpaceConfig
from search.errors import UserError
from search.networks.arch import Arch, Block, Input
from search.networks.cost import multiplies_of
from search.networks.layers import layers_of
from search.spaces import stages as space
from search.spaces import tabulate

CONFIGS = Path(__file__).parents[1] / "configs" / "space"
DIGITS = Input(8, 8, 1)
SHIPPED = [
    ("small", DIGITS, 10, 200_000),
    ("small", Input(16, 13, 3), 7, 2_000_000),
    ("medium", Input(28, 28, 1), 10, 20_000_000),
    ("medium", Input(32, 32, 3), 100, 20_000_000),
    ("mobile", Input(224, 224, 3), 1000, 300_000_000),
    ("mobile", Input(9, 200, 4), 2, 50_000_000),
]
TINY = SpaceConfig(
    name="tiny",
    stem=[4],
    strides=[1, 2],
    widths=[[4, 8], [8, 12]],
    depths=[1, 2],
    expansions=[2],
    head=0,
)


def shipped(name: str) -> SpaceConfig:
    return SpaceConfig(**yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()))


@pytest.mark.parametrize(("name", "shape", "classes", "budget"), SHIPPED)
def test_prices_are_costs_and_decisions_come_back(name, shape, classes, budget):
    chain = space.build(shipped(name), shape, classes)
    # Little memory makes costs binned on the large spaces: quick, and true costs all the same.
    table = tabulate(chain, budget, memory=1 << 24)
    rng = np.random.default_rng(0)
    drawn = {*table.sample(rng, 60), *table.sample_level(rng, 60)}
    drawn |= {table.mutate(rng, options) for options in drawn}
    drawn |= {table.cheapest()[1], table.most_expensive()[1]}
    for options in drawn:
        arch = chain.value(options)
        assert multiplies_of(arch) == table.cost(options)
        assert arch_options(chain, arch) == options
        assert min(min(layer.shape.out_size) for layer in layers_of(arch)) >= 2
        assert table.cost(options) <= budget or options == table.most_expensive()[1]


@pytest.mark.parametrize("name", ["small", "medium", "mobile"])
def test_shipped_configurations_are_valid(name):
    config = shipped(name)
    assert config.name == name
    assert name != "small" or config == SpaceConfig()


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, Input(4, 4, 1)),
        ({"ops": ["conv", "inverted"], "expansions": [1, 2]}, Input(2, 3, 1)),
        ({"strides": [1, 1], "depths": [1, 2, 3], "ops": ["separable"]}, Input(5, 5, 1)),
        (
            {"strides": [1, 1, 1], "widths": [[4, 8], [4, 8], [4, 8, 12]], "ops": ["conv"]},
            Input(3, 3, 2),
        ),
        ({"kernels": [1, 3], "ops": ["inverted"], "stem": [4], "depths": [2]}, Input(6, 6, 3)),
    ],
)
def test_different_lists_are_different_networks(changes, shape):
    chain = space.build(replace(TINY, **changes), shape, 3)
    table = tabulate(chain)
    networks = set()
    for options in table.encodings():
        arch = chain.value(options)
        networks.add(arch)
        assert multiplies_of(arch) == table.cost(options)
        assert arch_options(chain, arch) == options
    assert 100 < len(networks) == table.size < 20_000


def test_the_default_space_suits_the_digits():
    table = tabulate(space.build(SpaceConfig(), DIGITS, 10), 200_000)
    assert table.exact
    assert table.cheapest()[0] < 20_000
    assert table.most_expensive()[0] > 1_000_000
    assert table.count() > 10**8
    assert table.high / table.cheapest()[0] > 10


def test_the_mobile_space_is_large():
    table = tabulate(space.build(shipped("mobile"), Input(224, 224, 3), 1000), memory=1 << 22)
    config = shipped("mobile")
    assert table.size > 10**30
    assert len(config.strides) == 7
    assert all(len(widths) == 9 for widths in config.widths)


@pytest.mark.parametrize("ops", [["conv"], ["separable"], ["inverted"], ["separable", "conv"]])
def test_families_restrict_the_blocks(ops):
    chain = space.build(replace(SpaceConfig(), ops=ops), DIGITS, 10)
    table = tabulate(chain)
    found: set[str] = set()
    for options in table.sample(np.random.default_rng(0), 50):
        found |= {block.op for block in chain.value(options).blocks}
    assert found == set(ops)


def test_small_images_keep_two_pixels_by_fewer_strides():
    chain = space.build(SpaceConfig(), Input(4, 4, 1), 2)
    assert [step.stride for step in chain.steps] == [1, 1, 2, 1]
    one = space.build(SpaceConfig(stem_stride=2), Input(1, 1, 1), 2)
    assert [step.stride for step in one.steps] == [1, 1, 1, 1]
    assert tabulate(one).count() > 0
    narrow = SpaceConfig(widths=[[8, 16], [8, 16], [16]])
    with pytest.raises(UserError, match=r"widths\[2\]=\[16\] leaves stage 2 no width: on 4x4"):
        space.build(narrow, Input(4, 4, 1), 2)
    space.build(narrow, DIGITS, 2)


def test_networks_from_elsewhere_are_not_in_the_space():
    chain = space.build(SpaceConfig(), DIGITS, 10)
    arch = chain.value(tabulate(chain).cheapest()[1])
    others = [
        replace(arch, classes=11),
        replace(arch, blocks=(*arch.blocks, Block("basic", 16))),
        replace(arch, blocks=()),
        replace(arch, activation="swish"),
        replace(arch, stem=replace(arch.stem, channels=5)),
        replace(arch, blocks=(replace(arch.blocks[0], kernel=5), *arch.blocks[1:])),
    ]
    for other in others:
        assert isinstance(other, Arch)
        with pytest.raises(UserError, match=f"network {other.id} is not in the space small"):
            arch_options(chain, other)
    with pytest.raises(UserError, match="allowed here are"):
        chain.value(("s8", "w3"))


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"ops": ["conf"]}, r"space\.ops\[0\]=conf is unknown; did you mean conv"),
        ({"ops": []}, r"space\.ops=\[\] is empty"),
        ({"ops": ["conv", "conv"]}, "repeats a value"),
        ({"ops": ["basic"]}, r"space\.ops\[0\]=basic is unknown"),
        ({"kernels": [3, 0]}, r"space\.kernels\[1\]=0 must be an integer from 1 to"),
        ({"kernels": []}, r"space\.kernels=\[\] is empty"),
        ({"stem": [-8]}, r"space\.stem\[0\]=-8"),
        ({"depths": [1, 1]}, "space.depths"),
        ({"depths": [True]}, r"space\.depths\[0\]=True"),
        ({"expansions": []}, r"space\.expansions=\[\] is empty"),
        ({"strides": []}, r"space.strides is \[\]"),
        ({"strides": [1, 0, 2]}, r"space\.strides\[1\]=0"),
        ({"strides": [1, 2]}, "widths is for 3 stages and space.strides for 2"),
        ({"widths": [[4], [], [8]]}, r"widths\[1\]=\[\] is empty"),
        ({"widths": [[4], [8, -8], [8]]}, r"widths\[1\]\[1\]=-8"),
        ({"head": -1}, "space.head=-1"),
        ({"activation": "rely"}, "did you mean relu"),
        ({"name": " "}, "space.name is empty"),
        ({"stem_kernel": 0}, "space.stem_kernel=0"),
    ],
)
def test_bad_configurations_are_refused(changes, fragment):
    with pytest.raises(UserError, match=fragment) as caught:
        replace(SpaceConfig(), **changes)
    assert "\n" not in str(caught.value)


def test_expansions_may_be_left_out_where_nothing_expands():
    assert replace(SpaceConfig(), ops=["conv"], expansions=[]).expansions == []


def test_show_as_json():
    chain = space.build(SpaceConfig(), DIGITS, 10)
    out = io.StringIO()
    show(chain, 20_000, 200_000, seed=1, as_json=True, out=out)
    found = json.loads(out.getvalue())
    table = tabulate(chain, 200_000)
    assert found["size"] == table.size
    assert found["within_budget"] == table.count(20_000, 200_000)
    assert sum(entry["count"] for entry in found["histogram"]) == found["within_budget"]
    assert found["exact"] is True
    assert found["cheapest"]["multiplies"] == table.cheapest()[0]
    assert found["dearest"]["multiplies"] == table.most_expensive()[0]
    assert len(found["samples"]) == 10
    for row in found["samples"]:
        arch = chain.value(tuple(row["options"]))
        assert (arch.id, multiplies_of(arch)) == (row["id"], row["multiplies"])
        assert 20_000 <= row["multiplies"] <= 200_000


def test_show_as_text():
    chain = space.build(TINY, Input(4, 4, 1), 3)
    out = io.StringIO()
    show(chain, out=out)
    text = out.getvalue()
    table = tabulate(chain)
    assert f"{table.size:,} networks" in text
    assert "100.00% of the space" in text
    assert text.count("####") >= 6
    with pytest.raises(UserError, match="below the cheapest"):
        show(chain, 0, 10, out=out)
