"""Strategies: what proposes the next job, one file each, all inside the budget by construction."""

from importlib import import_module
from typing import Any

_HOME = {"build": "registry"}
__all__ = ["build"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
