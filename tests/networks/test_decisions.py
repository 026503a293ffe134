"""The short form of a network: what a space prints, and what tells two networks apart."""

from dataclasses import replace

import numpy as np
import pytest

from search.config.space import SpaceConfig
from search.errors import UserError
from search.networks import zoo
from search.networks.arch import Block, Input, to_json
from search.networks.decisions import decisions, short_form
from search.spaces import stages, tabulate


def test_networks_of_a_space_read_as_the_space_prints_them() -> None:
    chain = stages.build(SpaceConfig(), Input(8, 8, 1), 10)
    encodings = tabulate(chain).sample(np.random.default_rng(0), 300)
    found = {short_form(to_json(chain.value(options))) for options in encodings}
    assert found == {" ".join(map(str, options)) for options in encodings}
    assert len(found) == len(set(encodings))


def test_blocks_that_no_space_chooses_have_a_short_form_too() -> None:
    arch = zoo.network("cifar_resnet20")
    assert short_form(arch) == (
        "s16 w16 basic k3 d3 basic k3 basic k3 w32 basic k3 d3 basic k3 basic k3"
        " w64 basic k3 d3 basic k3 basic k3"
    )
    assert decisions(replace(arch, blocks=())) == ("s16",)
    longer = replace(arch, blocks=(*arch.blocks, Block("inverted", 64, 5, expansion=6, skip=True)))
    assert short_form(longer).endswith(" inverted k5 e6 skip")


def test_other_values_are_returned_and_damaged_archs_refused() -> None:
    assert short_form("[1,2]") == "[1,2]"
    assert short_form('{"format":"mine"}') == '{"format":"mine"}'
    with pytest.raises(UserError, match="baisc"):
        short_form(to_json(zoo.network("cifar_resnet20")).replace("basic", "baisc"))
