"""Large folders are not looked at file by file at each start, and changes are noticed."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.config.data import DataConfig
from search.data import listing, open_dataset
from search.errors import UserError


@pytest.fixture
def large(make_images, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of 40 images in two classes that counts as large, unchanged for a while."""
    monkeypatch.setattr(listing, "_LARGE", 30)
    monkeypatch.setattr(listing, "_SAMPLED", 10)
    root = make_images(count=20)
    settle(root)
    return root


def settle(root: Path) -> None:
    """Make every folder's last change older than the shortest time that is trusted."""
    for folder in listing.subfolders(root):
        os.utime(folder, ns=(time.time_ns(), folder.stat().st_mtime_ns - 10**10))


def identity(root: Path, cache: Path) -> str:
    return listing.identity(root, {"cat": 0, "dog": 1}, cache)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose size and time were asked for."""
    found: list[Path] = []
    original = listing._size_and_time

    def record(path: Path) -> tuple[int, int]:
        found.append(path)
        return original(path)

    monkeypatch.setattr(listing, "_size_and_time", record)
    return found


def test_a_large_folder_is_listed_once(large: Path, cache: Path, looked_at: list[Path]) -> None:
    first = identity(large, cache)
    assert len(set(looked_at)) == 40
    looked_at.clear()
    assert identity(large, cache) == first
    assert len(looked_at) == 10
    for path in (cache / "folders").iterdir():
        path.write_text("{")
    assert identity(large, cache) == first


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "replaced", "moved"])
def test_changed_folders_are_listed_again(large: Path, cache: Path, change: str) -> None:
    before = identity(large, cache)
    # Not among the sampled ones, which are every fourth.
    file = large / "dog" / "001.png"
    if change == "added":
        (large / "dog" / "new.png").write_bytes(file.read_bytes())
    elif change == "removed":
        file.unlink()
    elif change == "renamed":
        file.rename(file.with_name("zzz.png"))
    elif change == "replaced":
        other = file.with_name(".writing")
        other.write_bytes(file.read_bytes() + b"!")
        other.replace(file)
    else:
        file.rename(large / "cat" / "moved.png")
    assert identity(large, cache) != before


def test_a_sampled_file_that_was_overwritten_is_noticed(large: Path, cache: Path) -> None:
    before = identity(large, cache)
    file = large / "cat" / "000.png"
    file.write_bytes(file.read_bytes() + b"!")
    assert identity(large, cache) != before


def test_touching_a_folder_has_all_files_looked_at(large: Path, cache: Path) -> None:
    before = identity(large, cache)
    file = large / "dog" / "001.png"
    file.write_bytes(file.read_bytes() + b"!")
    assert identity(large, cache) == before
    os.utime(large / "dog")
    assert identity(large, cache) != before


def test_a_folder_that_was_just_changed_is_not_trusted(large: Path, cache: Path) -> None:
    os.utime(large / "cat")
    identity(large, cache)
    assert not (cache / "folders").exists()


def test_a_small_folder_is_always_looked_at_in_full(
    make_images, cache: Path, looked_at: list[Path]
) -> None:
    root = make_images(count=6)
    settle(root)
    for _ in range(2):
        looked_at.clear()
        identity(root, cache)
        assert len(looked_at) == 12
    assert not (cache / "folders").exists()


def test_a_large_folder_opens_as_a_small_one(
    large: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = DataConfig(name="folder", path=str(large))
    first = open_dataset(config, seed=0)
    again = open_dataset(config, seed=0)
    monkeypatch.setattr(listing, "_LARGE", 10**6)
    small = open_dataset(config, seed=0)
    prints = {
        (each.train.fingerprint, each.validation.fingerprint) for each in (first, again, small)
    }
    assert len(prints) == 1
    assert len([path for path in (cache / "arrays").iterdir() if path.is_dir()]) == 1


def test_labels_are_the_positions_of_many_classes(tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(image)
    for number in range(300):
        folder = tmp_path / "images" / f"{number:03}"
        folder.mkdir(parents=True)
        os.link(image, folder / "image.png")
    classes = {f"{number:03}": number for number in range(300)}
    files = list(listing.labelled_files(tmp_path / "images", classes))
    assert [label for _, label in files] == list(range(300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_that_may_not_be_read(make_images, cache: Path) -> None:
    root = make_images()
    (root / "cat").chmod(0)
    try:
        with pytest.raises(UserError, match=r"can't read .*cat: Permission denied"):
            open_dataset(DataConfig(name="folder", path=str(root)), seed=0)
    finally:
        (root / "cat").chmod(0o700)
