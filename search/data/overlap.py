"""Parts that share images are refused: no image is trained on in one and scored on in another.

Examples of TFDS splits are compared by their positions, which is exact. Parts that come from
different splits or folders are compared by content once they are decoded. Published data sets do
hold a few equal images in different splits, so equal images of up to `TOLERATED` of the validation
part are reported and more are refused. A validation or test part that is cut by seed needs neither
check: see `split.partition`. A confirmation part is compared with both others.
"""

import numpy as np

from search.config.data import DataConfig
from search.data.cache import CachedArrays
from search.data.examples import Say
from search.data.tfds.ranges import Shards, shared, split_names, whole_splits
from search.errors import UserError

TOLERATED = 0.01
# A split of this name is closed to a search even where data.test names another one.
_TEST = "test"


def refuse_shared_splits(config: DataConfig, shards: Shards) -> None:
    """Raise `UserError` where two of `data.train`, `data.validation` and `data.test` overlap.

    `shards`: lengths of the files of each split (see `ranges`); empty where they are not known yet,
    and then only splits that are named whole are compared.
    """
    for key in ("train", "validation"):
        named: str = getattr(config, key)
        if _TEST in split_names(named, tuple(shards)) and not _names_test(config.test, shards):
            raise UserError(
                f"data.{key}={named} reads the split 'test', which is kept for the final report;"
                f" take another split, or divide it: data.{key}=test[:50%] data.test=test[50%:]"
            )
    for first, second in (("validation", "test"), ("train", "test"), ("validation", "train")):
        one: str = getattr(config, first)
        other: str = getattr(config, second)
        if one and other and (count := _count_shared(one, other, shards)):
            raise UserError(
                f"data.{first}={one} and data.{second}={other} share {count};"
                f" {_rule(first, second)}"
            )


def refuse_shared_images(
    validation: CachedArrays, train: CachedArrays, title: str, say: Say
) -> None:
    """Compare two decoded parts by content; raises `UserError` above the tolerated share."""
    _refuse(
        count_shared_images(validation, train),
        len(validation.keys),
        f"validation images of {title} are among its training images",
        "leave data.validation= empty and keep one part, which is then divided by seed",
        say,
    )


def refuse_unconfirming(
    confirmation: CachedArrays, other: CachedArrays, part: str, title: str, say: Say
) -> None:
    """Compare the part that a confirmation is scored on with another, as `refuse_shared_images`.

    Cut by seed, they can share images of different classes, which keep no count of each other.
    """
    _refuse(
        count_shared_images(confirmation, other),
        len(confirmation.keys),
        f"confirmation images of {title} are among its {part} images",
        "leave confirm.fraction out",
        say,
    )


def _refuse(count: int, total: int, fact: str, otherwise: str, say: Say) -> None:
    if count > TOLERATED * total:
        raise UserError(
            f"{count} of {total} {fact}; at most {TOLERATED:.0%} may be, remove the copies from one"
            f" of the parts, or {otherwise}"
        )
    if count:
        say(f"{count} of {total} {fact}")


def refuse_seen_test(
    test: CachedArrays, other: CachedArrays, part: str, title: str, say: Say
) -> None:
    """Compare the decoded test part with another by content, as `refuse_shared_images`."""
    _refuse(
        count_shared_images(test, other),
        len(test.keys),
        f"test images of {title} are among its {part} images",
        "name another split with data.test=, for its test accuracy says too much",
        say,
    )


def count_shared_images(part: CachedArrays, train: CachedArrays) -> int:
    """How many images of `part` have an equal one, pixel by pixel, in `train`."""
    return int(np.isin(part.keys, train.keys).sum())


def _names_test(test: str, shards: Shards) -> bool:
    return _TEST in split_names(test, tuple(shards))


def _count_shared(one: str, other: str, shards: Shards) -> str:
    """Say how many examples two splits share; empty for none, or if one of them can't be read."""
    if shards:
        try:
            count = shared(one, other, shards)
        except ValueError:
            # Opening the split says what is wrong with it.
            return ""
        return f"{count} image{'s' if count > 1 else ''}" if count else ""
    certain = set(whole_splits(one)) & set(split_names(other))
    certain |= set(whole_splits(other)) & set(split_names(one))
    return f"images of the split {min(certain)!r}" if certain else ""


def _rule(first: str, second: str) -> str:
    if second == "test":
        return (
            f"the test part is for the final report alone, take another split for data.{first},"
            " or slices that don't meet"
        )
    return (
        f"a part to validate on must not be trained on, take slices that don't meet, such as"
        f" data.{second}=train[:80%] data.{first}=train[80%:], or leave data.{first}= empty"
    )
