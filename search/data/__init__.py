"""Any TFDS data set, scikit-learn's digits, or a folder of images → arrays and splits."""

from typing import TYPE_CHECKING

from search.lazy import names_from

if TYPE_CHECKING:
    from search.data.open import open_dataset, open_test
    from search.data.tfds.names import known_names, nearest_names

__all__ = ["known_names", "nearest_names", "open_dataset", "open_test"]
# Names are asked for while a command line is parsed, before anything heavy may be imported.
__getattr__ = names_from(
    __name__,
    {
        "known_names": "search.data.tfds.names",
        "nearest_names": "search.data.tfds.names",
        "open_dataset": "search.data.open",
        "open_test": "search.data.open",
    },
)
