"""convbudget: the most accurate small convolutional network for a compute budget."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.engine.model import build
    from search.export.load import load
    from search.networks.cost import cost_of
    from search.runner.api import run

__all__ = ["build", "cost_of", "load", "run"]
_HOME = {
    "build": "search.engine.model",
    "cost_of": "search.networks.cost",
    "load": "search.export.load",
    "run": "search.runner.api",
}


def __getattr__(name: str) -> Any:
    # On demand: `import search` alone must not wait for JAX.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
