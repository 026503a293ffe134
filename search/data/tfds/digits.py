"""A TFDS builder for scikit-learn's handwritten digits, which needs no TensorFlow.

1,797 grey images of 8×8 pixels and 17 levels, the test part of Alpaydin and Kaynak's "Optical
Recognition of Handwritten Digits" (UCI, 1998). They come inside scikit-learn, so nothing is
downloaded. TFDS itself has no such set.
"""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

VERSION = "1.0.0"
# A fifth of every class, always with this seed: the test part is the same for everybody.
_TEST_FRACTION = 0.2
_SPLIT_SEED = 0


class Digits(tfds.core.GeneratorBasedBuilder):
    """Stratified splits `train` and `test`; PNG images, as arrays would need TensorFlow."""

    name = "digits"
    VERSION = tfds.core.Version(VERSION)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(8, 8, 1), encoding_format="png"),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="scikit-learn's handwritten digits, 8x8 pixels, grey",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, _: tfds.download.DownloadManager) -> dict[str, Any]:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import StratifiedShuffleSplit

        digits = load_digits()
        splitter = StratifiedShuffleSplit(
            n_splits=1, test_size=_TEST_FRACTION, random_state=_SPLIT_SEED
        )
        train, test = next(splitter.split(digits.images, digits.target))
        # Levels 0 to 16 → 0 to 255.
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        return {
            "train": self._generate_examples(images, digits.target, np.sort(train)),
            "test": self._generate_examples(images, digits.target, np.sort(test)),
        }

    def _log_download_bytes(self) -> None:
        """Print nothing: TFDS would report a download at every log level, and there is none."""

    def _log_download_done(self) -> None:
        """See `_log_download_bytes`."""

    def _generate_examples(
        self, images: np.ndarray, labels: np.ndarray, indices: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for index in indices.tolist():
            png = io.BytesIO()
            Image.fromarray(images[index]).save(png, "png")
            png.seek(0)
            yield index, {"image": png, "label": int(labels[index])}
