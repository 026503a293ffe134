"""Parts that share images are refused with their number; equal images in honest parts are not."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.config.data import DataConfig
from search.data import open_dataset, open_test
from search.data.tfds.ranges import shared
from search.data.tfds.runtime import quiet
from search.errors import UserError

SHARDS = {"train": (70, 30, 37), "test": (41,), "extra": (5, 6)}
BOUNDS = st.one_of(
    st.just(""),
    st.integers(-41, 41).map(str),
    st.integers(-100, 100).map(lambda n: f"{n}%"),
    st.floats(0, 100).map(lambda x: f"{x:.3f}%"),
)
SLICES = st.one_of(
    st.just(""),
    st.tuples(BOUNDS, BOUNDS)
    .filter(lambda pair: any(pair) and (not all(pair) or pair[0][-1:] == pair[1][-1:] == "%"))
    .map(lambda pair: f"[{pair[0]}:{pair[1]}]"),
    st.tuples(st.integers(-41, 0), st.integers(1, 41)).map(lambda p: f"[{p[0]}:{p[1]}]"),
    st.sampled_from(["[0shard]", "[1:2shard]", "[:-1shard]", "[:0shard]", "[-1shard:]"]),
)
SPLITS = st.lists(
    st.tuples(st.sampled_from(["train", "test"]), SLICES).map("".join), min_size=1, max_size=3
).map("+".join)


def by_tfds(text: str) -> set[tuple[str, int]]:
    with quiet():
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core import splits
    infos = {
        name: splits.SplitInfo(
            name=name, shard_lengths=list(lengths), num_bytes=0, filename_template=None
        )
        for name, lengths in SHARDS.items()
    }
    known = tfds.core.SplitDict(infos.values())
    found = set()
    for part in splits.AbstractSplit.from_spec(text).to_absolute(known):
        length = sum(SHARDS[part.splitname])
        start = part.from_ or 0
        stop = length if part.to is None else part.to
        found |= {(part.splitname, index) for index in range(start, stop)}
    return found


@settings(max_examples=150, deadline=None)
@given(SPLITS, SPLITS)
def test_shared_examples_are_those_that_tfds_reads(first: str, second: str) -> None:
    try:
        expected = len(by_tfds(first) & by_tfds(second))
    except ValueError:
        return
    assert shared(first, second, SHARDS) == expected


def test_all_is_every_split() -> None:
    assert shared("all", "test[:7]", SHARDS) == 7
    assert shared("all", "all", SHARDS) == 137 + 41 + 11


@pytest.mark.parametrize("text", ["nothing", "train[", "train[:]x", "train[1:2:3]", "train[a:b]"])
def test_what_tfds_cannot_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"split|slice|literal"):
        shared(text, "train", SHARDS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": "train[:20%]"}, r"validation=train\[:20%\] and data.train=train share 287"),
        ({"validation": "train"}, "share 1437 images; a part to validate on must not be trained"),
        ({"train": "train[:80%]", "validation": "train[1149:]"}, "share 1 image;"),
        ({"validation": "test"}, "data.validation=test and data.test=test share 360 images"),
        ({"validation": "test[:50%]"}, "share 180 images; the test part is for the final report"),
        ({"train": "train+test"}, r"data.train=train\+test and data.test=test share 360"),
        ({"train": "all"}, "data.train=all and data.test=test share 360"),
        ({"validation": "test", "test": ""}, "reads the split 'test', which is kept for the final"),
        ({"test": "train[90%:]"}, r"data.train=train and data.test=train\[90%:\] share 144"),
    ],
)
def test_overlapping_splits_are_refused_before_anything_is_prepared(
    cache: Path, options: dict[str, str], message: str
) -> None:
    for opened in (lambda c: open_dataset(c, seed=0), open_test):
        with pytest.raises(UserError, match=message) as caught:
            opened(DataConfig(**options))
        assert "\n" not in str(caught.value)
    assert not (cache / "arrays").exists()


@pytest.mark.parametrize("validation", ["test", "test[:50%]", "train", "train[:10%]+test"])
def test_a_set_that_is_not_prepared_is_not_downloaded_to_refuse_it(
    cache: Path, tmp_path: Path, validation: str
) -> None:
    config = DataConfig(name="cifar10", dir=str(tmp_path / "tfds"), validation=validation)
    with pytest.raises(UserError, match="share images of the split 't"):
        open_dataset(config, seed=0)
    assert not (tmp_path / "tfds").exists()


def test_slices_that_do_not_meet_are_accepted() -> None:
    config = DataConfig(train="train[:80%]", validation="train[80%:90%]", test="train[90%:]")
    dataset, test = open_dataset(config, seed=0), open_test(config)
    assert (len(dataset.train), len(dataset.validation), len(test)) == (1150, 143, 144)
    halves = DataConfig(validation="test[:50%]", test="test[50%:]")
    assert len(open_dataset(halves, seed=0).validation) == 180


def folder_config(root: Path, **options: str) -> DataConfig:
    return DataConfig(name="folder", path=str(root), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        ({"validation": "test"}, "validation=test", "test=test"),
        ({"validation": "test", "test": ""}, "validation=test", "test=test"),
        ({"validation": "train"}, "validation=train", "train=train"),
        ({"test": "train"}, "train=train", "test=train"),
        ({"train": "test"}, "train=test", "test=test"),
    ],
)
def test_one_folder_for_two_parts_is_refused(
    make_images, options: dict[str, str], first: str, second: str
) -> None:
    make_images("train", count=6)
    root = make_images("test", count=6, seed=1)
    with pytest.raises(UserError, match=f"data.{first} and data.{second} .*share 12 images"):
        open_dataset(folder_config(root, **options), seed=0)


def test_a_link_is_the_folder_it_leads_to(make_images) -> None:
    root = make_images("train", count=6)
    (root / "val").symlink_to(root / "train")
    with pytest.raises(UserError, match="are one folder and share 12 images"):
        open_dataset(folder_config(root), seed=0)


def test_copied_images_are_found_by_content(make_images) -> None:
    make_images("train", count=6)
    root = make_images("val", count=6, seed=1)
    for number in range(3):
        shutil.copy(
            root / "train" / "cat" / f"00{number}.png", root / "val" / "dog" / f"x{number}.png"
        )
    with pytest.raises(UserError, match="3 of 15 validation images of images are among its train"):
        open_dataset(folder_config(root), seed=0)


def test_a_few_equal_images_in_honest_parts_are_told_and_accepted(make_images) -> None:
    make_images("train", count=60, size=(3, 3))
    root = make_images("val", count=60, size=(3, 3), seed=1)
    shutil.copy(root / "train" / "cat" / "000.png", root / "val" / "cat" / "000.png")
    said: list[str] = []
    open_dataset(folder_config(root), seed=0, say=said.append)
    assert "1 of 120 validation images of images are among its training images" in said
    shutil.copy(root / "train" / "cat" / "001.png", root / "val" / "cat" / "001.png")
    with pytest.raises(UserError, match="2 of 120"):
        open_dataset(folder_config(root), seed=0)


def test_equal_images_in_one_folder_leave_an_honest_split(make_images) -> None:
    root = make_images(count=30)
    for name in ("cat", "dog"):
        for number in range(30):
            for copy in range(3):
                path = root / name / f"{number:03}.png"
                shutil.copy(path, path.with_name(f"{number:03}-{copy}.png"))
    for seed in range(4):
        dataset = open_dataset(folder_config(root), seed=seed)
        parts = [
            {image.tobytes() for image in part.images}
            for part in (dataset.train, dataset.validation, open_test(folder_config(root)))
        ]
        assert not parts[0] & parts[1]
        assert not (parts[0] | parts[1]) & parts[2]


def test_test_images_among_the_training_images_are_refused(make_images) -> None:
    make_images("train", count=60, size=(3, 3))
    root = make_images("test", count=60, size=(3, 3), seed=1)
    shutil.copy(root / "train" / "cat" / "000.png", root / "test" / "cat" / "000.png")
    said: list[str] = []
    assert len(open_test(folder_config(root), say=said.append)) == 120
    assert "1 of 120 test images of images are among its training images" in said
    shutil.copy(root / "train" / "cat" / "001.png", root / "test" / "cat" / "001.png")
    with pytest.raises(UserError, match=r"2 of 120 test images of images .* says too much"):
        open_test(folder_config(root))


def test_test_images_among_the_validation_images_are_refused(make_images) -> None:
    make_images("train", count=6)
    make_images("val", count=6, seed=1)
    root = make_images("test", count=6, seed=2)
    shutil.copy(root / "val" / "cat" / "000.png", root / "test" / "cat" / "000.png")
    with pytest.raises(UserError, match="1 of 12 test images of images are among its validation"):
        open_test(folder_config(root))


def test_the_majority_share_is_the_validation_parts() -> None:
    from search.data.dataset import Dataset, Split

    def split(labels: list[int]) -> Split:
        return Split(np.zeros((len(labels), 2, 2, 1), np.uint8), np.array(labels, np.int32), "")

    dataset = Dataset("x", split([0, 2, 2]), split([1, 1, 1, 0]), ("a", "b", "c"), (0.5,), (1.0,))
    assert dataset.class_counts == (1, 0, 2)
    assert dataset.majority_share == 0.75
