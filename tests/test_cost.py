"""Cost against the worked examples, a count by hand, and its own sums."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.networks.arch import Arch, Block, Head, Input, Stem
from search.networks.blocks import OPS
from search.networks.cost import (
    COUNTED_KINDS,
    ConvolutionStyle,
    LayerCost,
    block_layers,
    cost_of,
    multiplies_of,
)
from search.networks.shapes import Padding

EXERCISE = ConvolutionStyle(bias=True, batch_norm=False)
LECTURE = ConvolutionStyle("valid", batch_norm=False)


def test_three_to_128_channels_with_biases() -> None:
    (standard,) = block_layers(Block("conv", 128), 3, (32, 32), style=EXERCISE)
    spatial, _ = block_layers(Block("separable", 128), 3, (32, 32), style=EXERCISE)
    (mixing,) = block_layers(Block("conv", 128, kernel=1), 3, (32, 32), style=EXERCISE)
    assert (standard.params, spatial.params, mixing.params) == (3584, 30, 512)
    block = block_layers(Block("separable", 128), 3, (32, 32), style=EXERCISE)
    separable = sum(layer.params for layer in block)
    assert separable == 542
    assert round(separable / standard.params, 2) == 0.15


def test_five_filters_on_6x6_with_valid_padding() -> None:
    (standard,) = block_layers(Block("conv", 5), 3, (6, 6), style=LECTURE)
    assert standard.out_size == (4, 4)
    assert standard.multiplies == 2160
    block = block_layers(Block("separable", 5), 3, (6, 6), style=LECTURE)
    parts = [layer.multiplies for layer in block]
    assert parts == [432, 240]
    assert sum(parts) == 672
    assert sum(parts) / 2160 == pytest.approx(1 / 5 + 1 / 9)
    assert round(sum(parts) / 2160, 2) == 0.31


def by_hand(layer: LayerCost, padding: Padding) -> int:
    """Slide the kernel over the (padded) map and count one multiplication after the other."""
    height, width = layer.in_size
    border = (layer.kernel - 1) if padding == "valid" else 0
    positions = itertools.product(
        range(0, height - border, layer.stride), range(0, width - border, layer.stride)
    )
    count = 0
    for _position in positions:
        for out_channel in range(layer.out_channels):
            for in_channel in range(layer.in_channels):
                if layer.kind == "depthwise" and in_channel != out_channel:
                    continue
                count += layer.kernel**2
    return count


@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    size=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    padding=st.sampled_from(("same", "valid")),
)
@settings(max_examples=60, deadline=None)
def test_layers_equal_a_count_by_hand(
    kernel: int, stride: int, channels: tuple[int, int], size: tuple[int, int], padding: Padding
) -> None:
    style = ConvolutionStyle(padding)
    inputs, outputs = channels
    (full,) = block_layers(Block("conv", outputs, kernel, stride), inputs, size, style=style)
    each, _ = block_layers(Block("separable", outputs, kernel, stride), inputs, size, style=style)
    assert full.multiplies == by_hand(full, padding)
    assert each.multiplies == by_hand(each, padding)


@st.composite
def archs(draw: st.DrawFn) -> Arch:
    size = st.integers(9, 33)
    small = st.integers(1, 6)
    stem = Stem(draw(small), draw(small), draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    channels, blocks, strided = stem.channels, [], 0
    for op in draw(st.lists(st.sampled_from(OPS))):
        out = draw(st.one_of(st.just(channels), small))
        stride = draw(st.integers(1, 2)) if strided < 1 else 1
        strided += stride - 1
        expansion = draw(st.integers(1, 3)) if op == "inverted" else 1
        fits = stride == 1 and out == channels and op != "basic"
        skip = fits and draw(st.booleans())
        blocks.append(Block(op, out, draw(small), stride, expansion, skip))
        channels = out
    shape = Input(draw(size), draw(size), draw(st.integers(1, 4)))
    return Arch(shape, stem, tuple(blocks), Head(draw(st.integers(0, 5))), draw(small))


def spatial_sizes(arch: Arch) -> list[tuple[int, int]]:
    """(height, width) before each block, and last after the final one."""
    stem, found = arch.stem, [(arch.input.height, arch.input.width)]
    for stride in (stem.stride, stem.pool, *(block.stride for block in arch.blocks)):
        height, width = found[-1]
        found.append((-(-height // stride), -(-width // stride)))
    return found[2:]


@given(archs())
@settings(max_examples=100, deadline=None)
def test_splits_add_up_and_layers_join(arch: Arch) -> None:
    cost = cost_of(arch)
    assert cost.multiplies == multiplies_of(arch) == sum(cost.multiplies_by_kind.values())
    assert cost.params == cost.weights + cost.biases + cost.batch_norms
    assert cost.params == sum(cost.params_by_kind.values())
    assert tuple(cost.multiplies_by_kind) == tuple(cost.params_by_kind) == COUNTED_KINDS
    assert cost.biases == arch.classes
    assert cost.weight_bytes == 4 * cost.params
    assert cost.peak_activation >= max(layer.activation for layer in cost.layers)
    assert len({layer.name for layer in cost.layers}) == len(cost.layers)
    sizes = spatial_sizes(arch)
    for index, block in enumerate(arch.blocks):
        inside = [layer for layer in cost.layers if layer.block == index]
        assert inside[0].in_size == sizes[index]
        assert inside[-1].out_size == sizes[index + 1]
        assert inside[-1].out_channels == block.channels


def test_roles_kinds_and_names() -> None:
    blocks = (
        Block("conv", 4, kernel=1),
        Block("separable", 4, kernel=5),
        Block("inverted", 4, expansion=2, skip=True),
        Block("inverted", 6),
        Block("basic", 6),
        Block("basic", 8, stride=2),
    )
    arch = Arch(Input(8, 8, 1), Stem(4), blocks, Head(16), 10)
    assert [(layer.name, layer.kind) for layer in cost_of(arch).layers] == [
        ("stem", "standard"),
        ("blocks[0].conv", "pointwise"),
        ("blocks[1].depthwise", "depthwise"),
        ("blocks[1].pointwise", "pointwise"),
        ("blocks[2].expand", "pointwise"),
        ("blocks[2].depthwise", "depthwise"),
        ("blocks[2].project", "pointwise"),
        ("blocks[3].depthwise", "depthwise"),
        ("blocks[3].project", "pointwise"),
        ("blocks[4].first", "standard"),
        ("blocks[4].second", "standard"),
        ("blocks[5].first", "standard"),
        ("blocks[5].second", "standard"),
        ("blocks[5].shortcut", "pointwise"),
        ("head", "pointwise"),
        ("classifier", "dense"),
    ]


def peak_of(*blocks: Block, stem: int = 1, pool: int = 1, head: int = 0) -> int:
    arch = Arch(Input(4, 4, 1), Stem(stem, pool=pool), blocks, Head(head), classes=2)
    return cost_of(arch).peak_activation


@pytest.mark.parametrize(
    ("peak", "elements"),
    [
        # A map has 16 elements a channel: the stem's input and output.
        (peak_of(), 16 + 16),
        # Max pooling to 2x2 needs the stem's whole output beside its own.
        (peak_of(stem=8, pool=2), 8 * 16 + 8 * 4),
        # A held shortcut: input, expanded map before and after the depthwise convolution.
        (peak_of(Block("inverted", 1, expansion=3, skip=True)), 16 + 48 + 48),
        (peak_of(Block("inverted", 1, expansion=3)), 48 + 48),
        # Unexpanded, the projection is what runs while the input is held.
        (peak_of(Block("inverted", 1, skip=True)), 16 + 16 + 16),
        (peak_of(Block("separable", 1, skip=True)), 16 + 16 + 16),
        (peak_of(Block("conv", 1, skip=True)), 16 + 16),
        (peak_of(Block("basic", 1)), 16 + 16 + 16),
        # Projecting the shortcut: input, projection, and the main path's output.
        (peak_of(Block("basic", 5)), max(16 + 80 + 80, 16 + 80 + 80)),
        (peak_of(Block("basic", 5, stride=2), stem=3), 48 + 20 + 20),
        (peak_of(head=7), 16 + 112),
    ],
)
def test_peak_activation(peak: int, elements: int) -> None:
    assert peak == elements


def test_averaging_can_be_the_peak() -> None:
    arch = Arch(Input(1, 1, 1), Stem(5), (), Head(), classes=2)
    assert cost_of(arch).peak_activation == 5 + 5


def test_dense_layer() -> None:
    arch = Arch(Input(4, 4, 1), Stem(1024), (), Head(), classes=1000)
    layer = cost_of(arch).layers[-1]
    assert (layer.multiplies, layer.params) == (1_024_000, 1_025_000)


def test_an_unknown_block_is_never_free() -> None:
    block = Block("conv", 4)
    object.__setattr__(block, "op", "shuffle")
    with pytest.raises(KeyError, match="shuffle"):
        list(block_layers(block, 4, (8, 8)))
