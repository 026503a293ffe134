"""Image classification data: TFDS sets, scikit-learn's digits, folders of images."""

from typing import TYPE_CHECKING

from search.lazy import names_from

if TYPE_CHECKING:
    from search.data.open import describe, open_dataset, open_test
    from search.data.tfds.names import known_names, nearest_names

__all__ = ["describe", "known_names", "nearest_names", "open_dataset", "open_test"]
# Lazy: importing this room imports nothing heavy.
__getattr__ = names_from(
    __name__,
    {
        "describe": "search.data.open",
        "known_names": "search.data.tfds.names",
        "nearest_names": "search.data.tfds.names",
        "open_dataset": "search.data.open",
        "open_test": "search.data.open",
    },
)
