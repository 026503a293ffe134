"""`search.build`: an Arch, or a network of the zoo by its name."""

import jax
import numpy as np
import pytest

import search

SMALL = search.Arch(
    search.Input(8, 8, 1), search.Stem(4), (search.Block("conv", 4),), search.Head(), 3
)


def test_a_network_of_the_zoo_by_its_name() -> None:
    built = search.build("mobilenet_v2", width=0.5, input=(32, 32, 3), classes=10)
    named = search.zoo.network("mobilenet_v2", width=0.5, input=search.Input(32, 32, 3), classes=10)
    assert built.arch == named
    leaves = jax.tree.leaves(search.build(SMALL))
    again = jax.tree.leaves(search.build(SMALL))
    assert all(np.array_equal(a, b) for a, b in zip(leaves, again, strict=True))


@pytest.mark.parametrize(
    ("network", "arguments", "said"),
    [
        ("mobilenet_v9", {}, "mobilenet_v2"),
        ("mobilenet_v2", {"width": 0.0}, "positive"),
        ("mobilenet_v2", {"input": (32, 32)}, "height, width, channels"),
        ("mobilenet_v2", {"input": (32, "x", 3)}, "input.width is 'x'"),
        ("mobilenet_v2", {"input": 32}, "height, width, channels"),
        ("mobilenet_v2", {"classes": 0}, "classes is 0"),
        ("mobilenet_v2", {"convolutions": "slow"}, "convolutions='slow'"),
        (SMALL, {"classes": 4}, "cannot change an Arch"),
        (7, {}, "network=7 is a int"),
    ],
)
def test_a_wrong_argument_is_one_line(
    network: object, arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(search.UserError) as caught:
        search.build(network, **arguments)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
