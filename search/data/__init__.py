"""Any TFDS data set, scikit-learn's digits, or a folder of images → arrays and splits."""

from search.data.opening import open_dataset, open_test

__all__ = ["open_dataset", "open_test"]
