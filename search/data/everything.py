"""All images that a search may read as one training part: what final networks are trained on."""

from dataclasses import replace

import numpy as np

from search.data.dataset import Dataset, JoinedImages, Split
from search.data.split import fingerprint

# Up to this many bytes the parts are copied into one array, beyond they stay where they are.
_IN_MEMORY = 2**30


def everything(dataset: Dataset) -> Dataset:
    """Return the data set with all of its parts in the training part, one behind the other.

    The validation part stays what it is, and is trained on: figures on it show at most whether a
    training went wrong. Normalisation stays that of the search.
    """
    third = dataset.confirmation
    parts = [dataset.train, dataset.validation, *([] if third is None else [third])]
    joined = JoinedImages([part.images for part in parts])
    images = np.asarray(joined) if joined.nbytes <= _IN_MEMORY else joined
    labels = np.concatenate([part.labels for part in parts]).astype(np.int32)
    return replace(dataset, train=Split(images, labels, fingerprint(images, labels)))
