"""Search strategies, one file each; all propose inside the budget only."""

from typing import TYPE_CHECKING

from search.lazy import names_from

if TYPE_CHECKING:
    from search.strategies.registry import build

__all__ = ["build"]
__getattr__ = names_from(__name__, {"build": "search.strategies.registry"})
