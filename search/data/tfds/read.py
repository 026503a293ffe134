"""Read encoded examples from a prepared TFDS data set."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from search.data.examples import Encoded, Examples
from search.data.tfds.runtime import quiet, require_tensorflow
from search.errors import UserError


class DamagedError(UserError):
    """The files of a prepared set can't be read."""


def open_prepared(folder: Path) -> Any:
    """Open a prepared version's folder; the code that prepared it is not needed."""
    with quiet():
        try:
            return tfds.builder_from_directory(str(folder))
        except Exception as error:
            raise _damaged(folder, error) from None


def examples(builder: Any, split: str, title: str) -> Examples:
    """The examples of one split of a prepared builder, slices such as `train[:90%]` included.

    Raises `UserError` for a missing split, a set that is not images with one label each, an empty
    slice, and TFRecord files where TensorFlow is not installed; `DamagedError` for unreadable
    files, which the returned `read` raises too.
    """
    image, label = supervised(builder.info.features, builder.info.supervised_keys, title)
    count = _count(builder, split, title)
    height, width, channels = (size or 0 for size in builder.info.features[image].shape)
    skip = {image: tfds.decode.SkipDecoding()}
    if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
        records = _random_access(builder, split, skip)
    else:
        records = _in_sequence(builder, split, skip, title)

    def read(indices: Sequence[int]) -> list[Encoded]:
        try:
            found = records(indices)
        except Exception as error:
            raise _damaged(Path(builder.data_dir), error) from None
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
    candidates = [keys[:2]] if isinstance(keys, tuple) else []
    for image, label in [*candidates, ("image", "label")]:
        if (
            isinstance(image, str)
            and isinstance(label, str)
            and _is_still(known.get(image))
            and isinstance(known.get(label), tfds.features.ClassLabel)
        ):
            return image, label
    described = ", ".join(f"{name}: {type(kind).__name__}" for name, kind in known.items())
    raise UserError(
        f"{title} is not images with one class label each (it has {described or 'no features'});"
        " take a set for image classification, such as cifar10"
    )


def _is_still(feature: Any) -> bool:
    """Whether a feature is a single image of integers, neither a video nor a map of floats."""
    if not isinstance(feature, tfds.features.Image):
        return False
    return len(feature.shape) == 3 and feature.np_dtype in (np.uint8, np.uint16)


def _count(builder: Any, split: str, title: str) -> int:
    try:
        count = int(builder.info.splits[split].num_examples)
    except (ValueError, KeyError, AssertionError) as error:
        known = list(builder.info.splits)
        reason = " ".join(str(error).strip("'").split())[:120]
        raise UserError(
            f"{title} has no split {split!r} ({reason}); its splits are {', '.join(known)}, and"
            f" slices of them such as {known[0]}[:90%]"
        ) from None
    if not count:
        raise UserError(f"the split {split!r} of {title} is empty; take a larger slice")
    return count


def _random_access(builder: Any, split: str, skip: dict[str, Any]) -> Any:
    with quiet():
        source = builder.as_data_source(split, decoders=skip)
    return lambda indices: source.__getitems__(list(indices))


def _in_sequence(builder: Any, split: str, skip: dict[str, Any], title: str) -> Any:
    """Reader of TFRecord files; ignores the indices, as these files can only be read in order."""
    require_tensorflow(f"{title} lies in {builder.data_dir} as TFRecord, which needs TensorFlow")
    with quiet():
        dataset = builder.as_dataset(split=split, decoders=skip, shuffle_files=False)
        stream: Iterator[Any] = iter(tfds.as_numpy(dataset))
    return lambda indices: list(islice(stream, len(indices)))


def _damaged(folder: Path, error: Exception) -> DamagedError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return DamagedError(
        f"the data set in {folder} can't be read ({reason}); remove that folder and prepare it"
        " again"
    )


def _encoded(name: str, data: Any, label: Any) -> Encoded:
    if int(label) < 0:
        raise UserError(f"{name} has no label; name a split with labels")
    return Encoded(name, bytes(data), int(label))
