"""Everything that can be configured, as validated dataclasses."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.config.data import DataConfig
    from search.config.run import ExecutorConfig, RunConfig
    from search.config.space import SpaceConfig
    from search.config.strategy import StrategyConfig
    from search.config.train import TrainConfig

__all__ = [
    "DataConfig",
    "ExecutorConfig",
    "RunConfig",
    "SpaceConfig",
    "StrategyConfig",
    "TrainConfig",
]
_HOME = {
    "DataConfig": "data",
    "ExecutorConfig": "run",
    "RunConfig": "run",
    "SpaceConfig": "space",
    "StrategyConfig": "strategy",
    "TrainConfig": "train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
