"""Names that a package hands on from its modules, imported when they are first asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def names_from(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` (PEP 562) for `package`.

    `homes` maps each name to the module that defines it, or to the package that holds it where
    the name is a module itself.
    """

    def lookup(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = import_module(homes[name])
        if hasattr(home, name) or not hasattr(home, "__path__"):
            return getattr(home, name)
        return import_module(f"{homes[name]}.{name}")

    return lookup
