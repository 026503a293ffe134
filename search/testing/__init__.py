"""Contract suites: check a strategy, chain, executor or evaluator of your own.

Each function raises `AssertionError` with the promise that was broken, and returns nothing. Call
them from your tests:

    def test_my_chain():
        check_chain(MyChain())
"""

from typing import TYPE_CHECKING

from search.lazy import names_from

if TYPE_CHECKING:
    from search.testing.chains import check_chain
    from search.testing.evaluators import check_evaluator
    from search.testing.executors import check_executor
    from search.testing.strategies import (
        StrategyFactory,
        arbitrary,
        check_strategy,
        check_strategy_exhausts,
        play,
    )

__all__ = [
    "StrategyFactory",
    "arbitrary",
    "check_chain",
    "check_evaluator",
    "check_executor",
    "check_strategy",
    "check_strategy_exhausts",
    "play",
]
__getattr__ = names_from(
    __name__,
    {
        "StrategyFactory": "search.testing.strategies",
        "arbitrary": "search.testing.strategies",
        "check_chain": "search.testing.chains",
        "check_evaluator": "search.testing.evaluators",
        "check_executor": "search.testing.executors",
        "check_strategy": "search.testing.strategies",
        "check_strategy_exhausts": "search.testing.strategies",
        "play": "search.testing.strategies",
    },
)
