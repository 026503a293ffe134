"""The cost by parts adds up to the cost of the whole network, which is counted another way."""

import pytest

from search.networks.arch import Arch, Block, Head, Input, Stem
from search.networks.cost import cost_of
from search.networks.parts import parts_of
from search.networks.zoo import names, network

MIXED = Arch(
    Input(9, 7, 3),
    Stem(8, 3, 2),
    (
        Block("conv", 8, skip=True),
        Block("separable", 12, 5, 2),
        Block("inverted", 12, 3, 1, 4, True),
        Block("blueprint", 10),
        Block("basic", 16, 3, 2),
    ),
    Head(32),
    5,
)
NETWORKS = {
    "mixed": MIXED,
    "no blocks": Arch(Input(6, 6, 1), Stem(4), (), Head(), 3),
    "pooled": Arch(Input(32, 32, 3), Stem(16, 7, 2, 2), (Block("basic", 16),), Head(), 10),
    **{name: network(name) for name in names()},
}


@pytest.mark.parametrize("arch", NETWORKS.values(), ids=NETWORKS)
def test_parts_add_up_to_the_whole(arch: Arch) -> None:
    cost, parts = cost_of(arch), parts_of(arch)
    layers = [layer for part in parts for layer in part.layers]
    figures = [(one.role, one.kind, one.multiplies, one.params, one.activation) for one in layers]
    assert figures == [
        (one.role, one.kind, one.multiplies, one.params, one.activation) for one in cost.layers
    ]
    assert max(part.peak_activation for part in parts) == cost.peak_activation


def test_a_part_says_what_it_leaves() -> None:
    found = [(part.name, part.channels, part.size) for part in parts_of(MIXED)]
    assert found == [
        ("stem", 8, (5, 4)),
        ("conv", 8, (5, 4)),
        ("separable", 12, (3, 2)),
        ("inverted", 12, (3, 2)),
        ("blueprint", 10, (3, 2)),
        ("basic", 16, (2, 1)),
        ("head", 32, (2, 1)),
        ("classifier", 5, (1, 1)),
    ]
