"""Any TFDS data set, scikit-learn's digits, or a folder of images → arrays and splits."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.data.open import open_dataset, open_test
    from search.data.tfds.names import known_names, nearest

__all__ = ["known_names", "nearest", "open_dataset", "open_test"]
_HOMES = {
    "known_names": "tfds.names",
    "nearest": "tfds.names",
    "open_dataset": "open",
    "open_test": "open",
}


def __getattr__(name: str) -> Any:
    # Names are asked for while a command line is parsed, before anything heavy may be imported.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
