"""Strategies: what proposes the next job, one file each, all inside the budget by construction."""

from typing import TYPE_CHECKING

from search.lazy import names_from

if TYPE_CHECKING:
    from search.strategies.registry import build

__all__ = ["build"]
__getattr__ = names_from(__name__, {"build": "search.strategies.registry"})
