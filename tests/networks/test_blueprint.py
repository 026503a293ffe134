"""The block `blueprint` (BSConv-U): its figures by hand, in the registry, in a space."""

from chains import arch_options

from search.config.space import SpaceConfig
from search.networks.arch import Arch, Block, Head, Input, Stem, from_json, to_json
from search.networks.cost import ConvolutionStyle, block_layers, cost_of
from search.networks.decisions import short_form
from search.networks.layers import layers_of
from search.spaces import stages, tabulate

PLAIN = ConvolutionStyle(batch_norm=False)


def test_multiplies_and_params_by_hand() -> None:
    pointwise, depthwise = block_layers(Block("blueprint", 128), 3, (32, 32), style=PLAIN)
    assert (pointwise.kind, depthwise.kind) == ("pointwise", "depthwise")
    # 1x1: 3 * 128 weights at 1024 positions; 3x3: nine weights for each of 128 channels.
    assert (pointwise.params, pointwise.multiplies) == (384, 393_216)
    assert (depthwise.params, depthwise.multiplies) == (1_152, 1_179_648)


def test_a_whole_network_by_hand() -> None:
    blocks = (Block("blueprint", 6, 5, 2), Block("blueprint", 6, skip=True))
    cost = cost_of(Arch(Input(8, 8, 1), Stem(4), blocks, Head(), 10))
    stem, classifier = 64 * 9 * 4, 60
    # The stride is the depthwise convolution's: the pointwise one sees all 64 positions.
    first = 64 * 4 * 6 + 16 * 25 * 6
    second = 16 * 6 * 6 + 16 * 9 * 6
    assert cost.multiplies == stem + first + second + classifier
    batch_norms = 2 * (4 + 4 * 6)
    weights = 9 * 4 + (4 * 6 + 25 * 6) + (6 * 6 + 9 * 6) + 60
    assert cost.params == weights + batch_norms + 10


def test_wiring() -> None:
    blocks = (Block("blueprint", 4, skip=True),)
    arch = Arch(Input(8, 8, 1), Stem(4), blocks, Head(), 10)
    assert [(a.path, a.source, a.added, a.shape.act) for a in layers_of(arch)[1:]] == [
        ("blocks.0.pointwise", 0, None, "linear"),
        ("blocks.0.depthwise", 1, 0, "relu"),
    ]
    assert from_json(to_json(arch)) == arch


def test_a_space_may_choose_it_and_none_does_by_default() -> None:
    assert SpaceConfig().ops == ["conv", "separable", "inverted"]
    chain = stages.build(SpaceConfig(ops=["conv", "blueprint"]), Input(8, 8, 1), 10)
    table = tabulate(chain, 60_000)
    options = next(o for o in table.encodings(50_000, 60_000) if "blueprint" in o)
    arch = chain.value(options)
    assert cost_of(arch).multiplies == table.cost(options)
    assert arch_options(chain, arch) == options
    assert short_form(arch) == " ".join(map(str, options))
