"""convbudget: the most accurate small convolutional network for a compute budget."""

from typing import TYPE_CHECKING

from search.lazy import names_from

if TYPE_CHECKING:
    from search.api import run
    from search.engine.model import build
    from search.export.load import load
    from search.networks.cost import cost_of

__all__ = ["build", "cost_of", "load", "run"]
# On demand: `import search` alone must not wait for JAX.
__getattr__ = names_from(
    __name__,
    {
        "build": "search.engine.model",
        "cost_of": "search.networks.cost",
        "load": "search.export.load",
        "run": "search.api",
    },
)
