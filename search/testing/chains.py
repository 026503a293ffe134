"""The contract of chains."""

import numpy as np

from search.errors import UserError, shown
from search.jobs import Option, Options
from search.networks.arch import Arch
from search.networks.cost import cost_of
from search.spaces.budget_table import tabulate
from search.spaces.chain import Chain, cost, value_id
from search.testing.report import require

_RULE = "all may depend on the state alone, and on the position unless position_free is set"


def check_chain(chain: Chain, *, walks: int = 200, seed: int = 0) -> None:
    """Check that a chain keeps the rules of `search.spaces.Chain` and answers consistently.

    Prices, options and states are valid and every walk ends (the chain is tabulated). Asked twice,
    it gives the same answers. Along `walks` random walks the table agrees with the chain about the
    options offered and about costs, which a chain that is wrongly declared `position_free` breaks.
    Values are an `Arch`, whose multiplies are the chain's cost, or JSON.
    """
    try:
        table = tabulate(chain)
    except UserError as error:
        raise AssertionError(f"the chain cannot be tabulated: {error}") from error
    rng = np.random.default_rng(seed)
    for _ in range(walks):
        options, offers = _random_walk(chain, rng)
        said = f"the encoding {shown(' '.join(map(str, options)))}"
        try:
            walk = zip(table.graph.walk(options), offers, strict=True)
            agree = all(table.graph.nodes[node].options == offered for (node, _), offered in walk)
            tabulated, walked = table.cost(options), cost(chain, options)
        except UserError as error:
            raise AssertionError(f"{said}: {error}; {_RULE}") from error
        require(agree, f"{said} passes states that offer other options elsewhere; {_RULE}")
        require(
            tabulated == walked,
            f"{said} costs {walked} step by step but {tabulated} in the table; {_RULE}",
        )
        try:
            first, second = (value_id(chain.value(options)) for _ in range(2))
        except UserError as error:
            raise AssertionError(f"{said}: {error}") from error
        require(first == second, f"{said} stands for two different values")
        value = chain.value(options)
        if isinstance(value, Arch):
            multiplies = cost_of(value).multiplies
            require(
                multiplies == walked, f"{said} costs {walked}, but its Arch {multiplies} multiplies"
            )


def _random_walk(
    chain: Chain, rng: np.random.Generator
) -> tuple[Options, list[tuple[Option, ...]]]:
    """Return a random encoding and the options that were offered, every question asked twice."""
    state, options = chain.start(), Options()
    offers: list[tuple[Option, ...]] = []
    require(chain.start() == state, "start() returned two different states")
    while True:
        place = f"position {len(options)}, state {shown(state, quoted=True)}"
        offered = tuple(chain.options(len(options), state))
        again = tuple(chain.options(len(options), state))
        require(offered == again, f"{place}: options() offered {shown(offered)}, {shown(again)}")
        if not offered:
            prices = [chain.finish(state) for _ in range(2)]
            require(prices[0] == prices[1], f"{place}: finish() returned {shown(prices)}")
            return options, offers
        offers.append(offered)
        option = offered[int(rng.integers(len(offered)))]
        steps = [chain.step(len(options), state, option) for _ in range(2)]
        require(
            steps[0] == steps[1] and hash(steps[0][0]) == hash(steps[1][0]),
            f"{place}: step() with {shown(option, quoted=True)} returned {shown(steps)}",
        )
        state, options = steps[0][0], (*options, option)
