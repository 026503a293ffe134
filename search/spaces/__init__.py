"""Spaces as chains of decisions, and everything that can be done with them inside a budget."""

from importlib import import_module
from typing import Any

_HOME = {
    "Chain": "chain",
    "cost": "chain",
    "value_id": "chain",
    "BudgetTable": "budget_table",
    "tabulate": "budget_table",
}
__all__ = ["BudgetTable", "Chain", "cost", "tabulate", "value_id"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
