"""The drawing of a network: to scale, inside its frame, readable by machines and people."""

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from search.networks import zoo
from search.networks.arch import Arch, Block, Head, Input, Stem
from search.networks.blocks import OPS
from search.networks.layers import layers_of
from search.report.drawing import COLOURS, bars, draw_network

SVG = "{http://www.w3.org/2000/svg}"
MIXED = Arch(
    Input(28, 28, 3),
    Stem(16),
    (
        Block("conv", 16, 3, 2),
        Block("separable", 32, 5, 1),
        Block("inverted", 32, 3, 1, 4, True),
        Block("blueprint", 64, 3, 2),
    ),
    Head(64),
    10,
)
NETWORKS = [MIXED, *map(zoo.network, zoo.names())]


@pytest.mark.parametrize("arch", NETWORKS, ids=lambda arch: arch.id)
def test_every_layer_is_drawn_once_in_order_and_inside_the_frame(arch: Arch) -> None:
    drawn = bars(arch)
    assert [bar.layer for bar in drawn] == list(layers_of(arch))
    assert all(before.x + before.width <= after.x for before, after in pairwise(drawn))
    root = ElementTree.fromstring(draw_network(arch))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for shape in root.iter(f"{SVG}rect"):
        at = {key: float(shape.attrib[key]) for key in ("x", "y", "width", "height")}
        assert at["x"] >= 0
        assert at["y"] >= 0
        assert at["x"] + at["width"] <= width
        assert at["y"] + at["height"] <= height
    titles = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert [text.split(":")[0] for text in titles[1:]] == [bar.layer.path for bar in drawn]


def test_widths_are_channels_and_heights_resolution() -> None:
    drawn = {bar.layer.path: bar for bar in bars(MIXED)}
    stem, wide = drawn["stem"], drawn["blocks.2.expand"]
    assert wide.width == pytest.approx(stem.width * 128 / 16)
    assert drawn["blocks.0.conv"].height == pytest.approx(stem.height / 2)
    assert drawn["head"].height == pytest.approx(stem.height / 4)


def test_equal_channels_are_equally_wide_in_networks_too_large_for_the_page() -> None:
    drawn = bars(zoo.network("resnet18"))
    widths = {bar.layer.shape.outputs: bar.width for bar in drawn}
    assert widths[512] == pytest.approx(2 * widths[256])
    assert drawn[-1].x + drawn[-1].width < 800


def test_every_block_has_a_colour_of_its_own_and_is_named_in_the_legend() -> None:
    assert set(COLOURS) == set(OPS)
    assert len(set(COLOURS.values())) == len(OPS)
    root = ElementTree.fromstring(draw_network(MIXED))
    words = {text.text for text in root.iter(f"{SVG}text")}
    assert {"c conv", "s separable", "i inverted", "p blueprint"} <= words


def test_a_network_without_blocks_is_drawn() -> None:
    alone = Arch(Input(8, 4, 1), Stem(4), (), Head(0), 10)
    assert "no block" in ElementTree.fromstring(draw_network(alone)).attrib["aria-label"]


def test_a_notebook_shows_the_drawing() -> None:
    assert MIXED._repr_html_() == draw_network(MIXED)
