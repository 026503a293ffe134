"""Folders of images: every layout, odd files, and each refusal in one line."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.config.data import DataConfig
from search.data import open_dataset, open_test
from search.errors import UserError


def config(root: Path, **options: object) -> DataConfig:
    # As in configs/data/folder.yaml.
    return DataConfig(name="folder", path=str(root), **{"validation_fraction": 0.1, **options})  # type: ignore[arg-type]


def pixels_of(*parts: object) -> list[bytes]:
    return sorted(image.tobytes() for part in parts for image in part.images)  # type: ignore[attr-defined]


def test_one_folder_of_classes_is_cut_in_three(make_images) -> None:
    root = make_images(count=10)
    dataset = open_dataset(config(root), seed=0)
    test = open_test(config(root))
    assert (len(dataset.train), len(dataset.validation), len(test)) == (14, 2, 4)
    assert dataset.name == "images"
    assert dataset.classes == ("cat", "dog")
    assert dataset.shape == (5, 7, 3)
    stored = [np.asarray(Image.open(path)).tobytes() for path in root.rglob("*.png")]
    assert pixels_of(dataset.train, dataset.validation, test) == sorted(stored)
    assert [np.bincount(part.labels).tolist() for part in (dataset.validation, test)] == [
        [1, 1],
        [2, 2],
    ]
    scaled = dataset.train.images / 255
    assert dataset.mean == pytest.approx(scaled.mean(axis=(0, 1, 2)))
    assert dataset.std == pytest.approx(scaled.std(axis=(0, 1, 2)))


def test_the_test_images_are_the_same_for_every_seed(make_images) -> None:
    root = make_images(count=20)
    test = pixels_of(open_test(config(root)))
    for seed in range(3):
        dataset = open_dataset(config(root), seed=seed)
        assert not set(test) & set(pixels_of(dataset.train, dataset.validation))


def test_parts_of_their_own_are_taken_as_they_are(make_images) -> None:
    for number, (part, count) in enumerate((("train", 5), ("val", 3), ("test", 4))):
        root = make_images(part, count=count, seed=number)
    dataset = open_dataset(config(root), seed=0)
    assert (len(dataset.train), len(dataset.validation)) == (10, 6)
    assert len(open_test(config(root))) == 8


def test_training_and_test_alone_give_a_validation_part_by_seed(make_images) -> None:
    make_images("train", count=10)
    root = make_images("test", count=3, seed=1)
    dataset = open_dataset(config(root), seed=0)
    assert (len(dataset.train), len(dataset.validation)) == (18, 2)


def test_training_alone_has_no_test_unless_asked(make_images) -> None:
    root = make_images("train", count=10)
    said: list[str] = []
    assert len(open_dataset(config(root), seed=0, say=said.append).train) == 18
    assert "has no 'test' for the final test" in said[0]
    with pytest.raises(UserError, match=r"has no 'test' .*data\.test="):
        open_test(config(root))
    assert len(open_test(config(root, test=""))) == 4
    assert len(open_dataset(config(root, test=""), seed=0).train) == 14


def test_renamed_files_stay_in_their_part(make_images) -> None:
    root = make_images(count=12)
    before = open_dataset(config(root), seed=5)
    for number, path in enumerate(sorted(root.rglob("*.png"), reverse=True)):
        path.rename(path.with_name(f"renamed{number:03}.png"))
    after = open_dataset(config(root), seed=5)
    assert pixels_of(before.validation) == pixels_of(after.validation)
    assert pixels_of(before.train) == pixels_of(after.train)


def test_a_changed_file_changes_the_fingerprint(make_images) -> None:
    root = make_images(count=8)
    before = open_dataset(config(root), seed=0)
    for path in root.rglob("000.png"):
        image = np.asarray(Image.open(path)).copy()
        image[0, 0] ^= 255
        Image.fromarray(image).save(path)
    after = open_dataset(config(root), seed=0)
    assert (before.train.fingerprint, before.validation.fingerprint) != (
        after.train.fingerprint,
        after.validation.fingerprint,
    )


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4), ("P", 3)])
def test_channels_are_the_images_own(make_images, mode: str, channels: int) -> None:
    root = make_images(mode=mode)
    assert open_dataset(config(root), seed=0).shape == (5, 7, channels)
    assert open_dataset(config(root, channels=1), seed=0).shape == (5, 7, 1)


def test_mixed_channels_become_colours(make_images) -> None:
    make_images(classes=("grey",), mode="L")
    root = make_images(classes=("colour",), mode="RGBA")
    assert open_dataset(config(root), seed=0).shape == (5, 7, 3)


def test_differing_sizes_want_a_size(make_images) -> None:
    make_images(classes=("small",), size=(1, 3))
    root = make_images(classes=("large",), size=(40, 500))
    with pytest.raises(UserError, match=r"pixels, others are .*data\.height="):
        open_dataset(config(root), seed=0)
    for fit in ("resize", "crop"):
        dataset = open_dataset(config(root, height=8, width=6, fit=fit), seed=0)
        assert dataset.shape == (8, 6, 3)


def test_many_unbalanced_classes(make_images) -> None:
    names = tuple(f"class {number:03}" for number in range(60))
    make_images(classes=names, count=3)
    root = make_images(classes=names[:5], count=30)
    dataset = open_dataset(config(root), seed=0)
    assert len(dataset.classes) == 60
    counts = np.bincount(dataset.train.labels, minlength=60)
    assert counts.max() > 20
    assert counts.min() == 1


def test_other_files_are_passed_over(make_images) -> None:
    root = make_images(count=6)
    (root / "cat" / "notes.txt").write_text("not an image")
    (root / "cat" / ".hidden.png").write_bytes(b"nor this")
    (root / "README.md").write_text("nor this")
    (root / ".git").mkdir()
    assert open_dataset(config(root), seed=0).classes == ("cat", "dog")


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_an_unreadable_image_is_named_or_skipped(make_images, damage: str) -> None:
    root = make_images(count=8, size=(30, 30))
    bad = root / "cat" / "003.png"
    content = bad.read_bytes()
    bad.write_bytes({"truncated": content[:1000], "empty": b"", "text": b"hello"}[damage])
    with pytest.raises(UserError, match=r"cat/003\.png.*data\.on_error=skip") as caught:
        open_dataset(config(root), seed=0)
    assert "\n" not in str(caught.value)
    said: list[str] = []
    skipping = config(root, on_error="skip")
    dataset = open_dataset(skipping, seed=0, say=said.append)
    assert len(dataset.train) + len(dataset.validation) + len(open_test(skipping)) == 15
    assert "skipped 1 unreadable images" in said[0]
    assert "cat/003.png" in said[0]
    again: list[str] = []
    open_dataset(skipping, seed=0, say=again.append)
    assert again == said


def test_nothing_readable_at_all(make_images) -> None:
    root = make_images(count=3)
    for path in root.rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(UserError, match="no image that can be read"):
        open_dataset(config(root, on_error="skip"), seed=0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_an_image_that_may_not_be_read(make_images) -> None:
    root = make_images()
    (root / "dog" / "001.png").chmod(0)
    with pytest.raises(UserError, match=r"dog/001\.png: Permission denied"):
        open_dataset(config(root), seed=0)


def test_paths_that_hold_no_data_set(make_images, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        open_dataset(config(tmp_path / "nowhere"), seed=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        open_dataset(config(tmp_path / "file"), seed=0)
    flat = tmp_path / "flat"
    flat.mkdir()
    Image.new("L", (2, 2)).save(flat / "image.png")
    with pytest.raises(UserError, match="no class folders"):
        open_dataset(config(flat), seed=0)
    with pytest.raises(UserError, match=r"add data\.path=FOLDER"):
        open_dataset(DataConfig(name="folder"), seed=0)


def test_layouts_that_lack_something(make_images) -> None:
    root = make_images("test", count=3)
    with pytest.raises(UserError, match="no folder 'train' for training"):
        open_dataset(config(root), seed=0)
    make_images("train", count=4)
    (root / "train" / "bird").mkdir()
    with pytest.raises(UserError, match="class 'bird' is empty"):
        open_dataset(config(root), seed=0)
    (root / "train" / "bird").rmdir()
    make_images("val", classes=("fish",), count=2)
    with pytest.raises(UserError, match=r"class 'fish', which .* has not"):
        open_dataset(config(root), seed=0)
    with pytest.raises(UserError, match=r"data\.validation=dev2"):
        open_dataset(config(root, validation="dev2"), seed=0)


@pytest.mark.parametrize(
    ("part", "given", "fewest"), [("", {}, 6), ("train", {}, 5), ("train", {"test": ""}, 6)]
)
def test_the_fewest_images_of_a_class_are_said_at_once(
    make_images, part: str, given: dict[str, str], fewest: int
) -> None:
    root = make_images(part, count=2)
    with pytest.raises(UserError, match=f"has 2 images; .* needs {fewest} of every class"):
        open_dataset(config(root, validation_fraction=0.1, **given), seed=0)
    for count in range(3, fewest):
        make_images(part, count=count)
        with pytest.raises(UserError, match=f"needs {fewest} of every class"):
            open_dataset(config(root, validation_fraction=0.1, **given), seed=0)
    make_images(part, count=fewest)
    assert len(open_dataset(config(root, validation_fraction=0.1, **given), seed=0).validation)


def test_a_rare_class_needs_an_image_for_each_part(make_images) -> None:
    root = make_images(count=30)
    make_images(classes=("rare",), count=2, seed=1)
    with pytest.raises(UserError, match=r"'rare' has 2 images; .* needs 3 of every class"):
        open_dataset(config(root), seed=0)
    make_images(classes=("rare",), count=3, seed=1)
    assert len(open_dataset(config(root), seed=0).validation)


def test_one_class_is_none(make_images) -> None:
    with pytest.raises(UserError, match="has one class, 'cat'"):
        open_dataset(config(make_images(classes=("cat",))), seed=0)


def test_warnings_are_what_they_were_after_an_error(make_images) -> None:
    root = make_images()
    (root / "dog" / "005.png").write_bytes(b"broken")
    before = list(warnings.filters)
    with pytest.raises(UserError) as caught:
        open_dataset(config(root), seed=0)
    assert list(warnings.filters) == before
    # The traceback keeps the frames alive until here.
    assert caught.tb


def test_a_class_with_one_image(make_images) -> None:
    make_images("train", count=4)
    root = make_images("train", classes=("rare",), count=1)
    with pytest.raises(UserError, match="class 'rare' has 1 image"):
        open_dataset(config(root), seed=0)
