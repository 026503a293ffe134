"""The third part, which a confirmation alone is scored on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.config.data import DataConfig
from search.data import open_dataset
from search.data.dataset import Split
from search.data.split import content_key
from search.errors import UserError

MakeImages = Callable[..., Path]
DIGITS = DataConfig()


def keys(split: Split | None) -> set[int]:
    assert split is not None
    return {content_key(image) for image in split.images}


def test_it_shares_nothing_and_leaves_the_validation_part_as_it_was() -> None:
    plain = open_dataset(DIGITS, seed=3)
    assert plain.confirmation is None
    found = open_dataset(DIGITS, seed=3, confirm_fraction=0.2)
    assert found.confirmation is not None
    assert found.validation.fingerprint == plain.validation.fingerprint
    parts = [keys(part) for part in (found.train, found.validation, found.confirmation)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert parts[0] | parts[2] == keys(plain.train)
    # A fifth of the whole training split, of every class.
    shares = [
        np.bincount(part.labels, minlength=10)
        for part in (found.train, found.validation, found.confirmation)
    ]
    whole = np.sum(shares, axis=0)
    assert np.abs(shares[2] - 0.2 * whole).max() <= 1
    assert len(found.confirmation) == 286
    pixels = found.train.images[:] / 255
    assert found.mean == pytest.approx((pixels.mean(),), rel=1e-6)


def test_it_follows_the_seed() -> None:
    def chosen(seed: int) -> str:
        part = open_dataset(DIGITS, seed=seed, confirm_fraction=0.1).confirmation
        assert part is not None
        return part.fingerprint

    assert chosen(0) == chosen(0) != chosen(1)


def test_beside_a_validation_part_of_its_own(make_images: MakeImages) -> None:
    make_images("train", count=20)
    root = make_images("val", count=5, seed=1)
    config = DataConfig(name="folder", path=str(root), validation="val", test="")
    found = open_dataset(config, seed=0, confirm_fraction=0.25)
    assert found.confirmation is not None
    assert not keys(found.confirmation) & (keys(found.train) | keys(found.validation))
    assert (len(found.validation), len(found.train) + len(found.confirmation)) == (10, 32)


def test_a_class_too_small_for_three_parts_is_refused(make_images: MakeImages) -> None:
    make_images("train", classes=("cat",), count=20)
    root = make_images("train", classes=("dog",), count=2, seed=1)
    config = DataConfig(name="folder", path=str(root), test="missing")
    assert open_dataset(config, seed=0, say=lambda _: None)
    with pytest.raises(
        UserError, match=r"'dog' has 2 images; .* 3 of every .* leave confirm\.fraction out"
    ):
        open_dataset(config, seed=0, confirm_fraction=0.2, say=lambda _: None)


@pytest.mark.parametrize("fraction", [0.0001, 0.7999, 0.99])
def test_a_share_that_empties_a_part_is_refused(fraction: float) -> None:
    with pytest.raises(UserError, match=rf"confirm\.fraction={fraction:g} leaves every class"):
        open_dataset(DIGITS, seed=0, confirm_fraction=fraction)


def test_equal_images_of_other_classes_are_counted(make_images: MakeImages) -> None:
    make_images("train", classes=("cat",), count=10)
    root = make_images("train", classes=("dog",), count=30)
    for name in ("cat", "dog"):
        for index in range(10):
            pixels = np.full((5, 7, 3), 20 * index, np.uint8)
            Image.fromarray(pixels).save(root / "train" / name / f"{index:03}.png")
    config = DataConfig(name="folder", path=str(root), test="missing")
    with pytest.raises(UserError, match=r"of \d+ confirmation images of images are among its"):
        open_dataset(config, seed=0, confirm_fraction=0.2, say=lambda _: None)
