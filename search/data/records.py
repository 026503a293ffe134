"""A prepared TFDS data set → encoded examples: which features to read, and reading them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from search.data.examples import Encoded, Examples
from search.data.silence import quiet
from search.errors import UserError


def examples(builder: Any, split: str, title: str) -> Examples:
    """The examples of one split of a prepared builder, slices such as `train[:90%]` included.

    Raises `UserError` for a missing split, a set that is not images with one label each, an empty
    slice, and files in another format than array_record where TensorFlow is not installed.
    """
    image, label = supervised(builder.info.features, builder.info.supervised_keys, title)
    feature = builder.info.features[image]
    height, width, channels = (size or 0 for size in feature.shape)
    with quiet():
        try:
            source = builder.as_data_source(split, decoders={image: tfds.decode.SkipDecoding()})
            count = len(source)
        except (ValueError, KeyError, AssertionError) as error:
            known = ", ".join(builder.info.splits)
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"{title} has no split {split!r} ({reason}); its splits are {known}, slices such"
                f" as {next(iter(builder.info.splits), 'train')}[:90%] are welcome"
            ) from None
    if not count:
        raise UserError(f"the split {split!r} of {title} is empty; take a larger slice")

    def read(indices: Sequence[int]) -> list[Encoded]:
        found = source.__getitems__(list(indices))
        return [
            _encoded(f"record {index} of {title} {split}", example[image], example[label])
            for index, example in zip(indices, found, strict=True)
        ]

    names = tuple(builder.info.features[label].names)
    return Examples(names, count, height, width, channels, read)


def supervised(features: Any, keys: Any, title: str) -> tuple[str, str]:
    """The names of the image and the label feature.

    The set's own supervised keys if they are an image and a label, else features of these names.
    Raises `UserError` for sets of another kind: detection, text, several labels an image.
    """
    known = dict(features.items()) if hasattr(features, "items") else {}
    candidates = [keys] if isinstance(keys, tuple) and len(keys) == 2 else []
    for image, label in [*candidates, ("image", "label")]:
        if (
            isinstance(image, str)
            and isinstance(label, str)
            and isinstance(known.get(image), tfds.features.Image)
            and isinstance(known.get(label), tfds.features.ClassLabel)
        ):
            return image, label
    described = ", ".join(f"{name}: {type(kind).__name__}" for name, kind in known.items())
    raise UserError(
        f"{title} is not images with one class label each (it has {described or 'no features'});"
        " take a set for image classification, such as cifar10"
    )


def open_prepared(folder: Path) -> Any:
    """The builder of a prepared version's folder, without the code that prepared it."""
    with quiet():
        try:
            return tfds.builder_from_directory(str(folder))
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{folder} is no data set that TFDS can open ({reason}); prepare it again, or"
                " remove it"
            ) from None


def _encoded(name: str, data: Any, label: Any) -> Encoded:
    if int(label) < 0:
        raise UserError(f"{name} has no label; name a split with labels in data.train=")
    return Encoded(name, bytes(data), int(label))
