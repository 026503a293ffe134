"""The cache: damage is seen and repaired, large parts are mapped from disk and equal to small."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from search.config.data import DataConfig
from search.data import cache as cache_room
from search.data import open as opening
from search.data import open_dataset, open_test
from search.errors import UserError


@pytest.fixture
def images(make_images) -> DataConfig:
    return DataConfig(name="folder", path=str(make_images(count=12)), validation_fraction=0.1)


def entry(cache: Path) -> Path:
    (found,) = [path for path in (cache / "arrays").iterdir() if path.is_dir()]
    return found


@pytest.mark.parametrize("name", ["images.bin", "labels.npy", "keys.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["flipped", "shortened", "emptied", "removed"])
def test_damage_is_said_and_repaired(
    images: DataConfig, cache: Path, name: str, damage: str
) -> None:
    expected = open_dataset(images, seed=0)
    file = entry(cache) / name
    content = bytearray(file.read_bytes())
    if damage == "removed":
        file.unlink()
    else:
        content[len(content) // 2] ^= 0xFF
        kept = {"flipped": len(content), "shortened": len(content) - 9, "emptied": 0}[damage]
        file.write_bytes(content[:kept])
    said: list[str] = []
    dataset = open_dataset(images, seed=0, say=said.append)
    assert dataset.train.fingerprint == expected.train.fingerprint
    assert dataset.validation.fingerprint == expected.validation.fingerprint
    assert len(said) == 1
    assert "damaged" in said[0]
    assert "\n" not in said[0]
    said.clear()
    open_dataset(images, seed=0, say=said.append)
    assert said == []


def test_what_a_killed_process_left_is_swept(images: DataConfig, cache: Path) -> None:
    open_dataset(images, seed=0)
    found = entry(cache)
    left = found.with_name(f"{found.name}.tmp-killed")
    found.rename(left)
    open_dataset(images, seed=0)
    assert found.is_dir()
    assert not left.exists()


def test_large_parts_are_mapped_from_disk_and_equal(
    images: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = open_dataset(images, seed=0)
    small_test = open_test(images)
    monkeypatch.setattr(opening, "_IN_MEMORY", 10)
    for _ in range(2):
        large = open_dataset(images, seed=0)
        for name in ("train", "validation"):
            one, other = getattr(small, name), getattr(large, name)
            assert isinstance(other.images, np.memmap)
            assert not isinstance(one.images, np.memmap)
            assert one.fingerprint == other.fingerprint
            np.testing.assert_array_equal(one.images, other.images)
            np.testing.assert_array_equal(one.labels, other.labels)
        assert (small.mean, small.std) == (large.mean, large.std)
        assert open_test(images).fingerprint == small_test.fingerprint


def test_a_disk_without_room(images: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(Path.home())._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"where 0\.0 GB are free"):
        open_dataset(images, seed=0)


def test_a_disk_that_fills_up(
    images: DataConfig, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_room.Writer, "add", full)
    with pytest.raises(UserError, match=r"the disk is full; set data\.cache="):
        open_dataset(images, seed=0)
    assert not [path for path in (cache / "arrays").iterdir() if path.is_dir()]


def test_a_file_system_without_locks(images: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert len(open_dataset(images, seed=0).train) > 0


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_room.root("here") == Path("here")
    assert cache_room.root() == tmp_path / "cache"
    monkeypatch.delenv("CONVBUDGET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_room.root() == tmp_path / "xdg" / "convbudget"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_room.root() == Path.home() / ".cache" / "convbudget"


def test_every_block_of_a_long_file_is_known(tmp_path: Path) -> None:
    """Only some blocks of a very long file are read when it is opened, first and last included."""
    file = tmp_path / "long"
    blocks = 2 * cache_room._CHECKED
    size = 64
    original = cache_room._BLOCK
    try:
        cache_room._BLOCK = size
        file.write_bytes(np.random.default_rng(0).bytes(blocks * size))
        known = cache_room._checksums(file)
        assert json.loads(json.dumps(known)) == known
        assert cache_room._intact(file, known)
        content = bytearray(file.read_bytes())
        content[0] ^= 1
        file.write_bytes(content)
        assert not cache_room._intact(file, known)
    finally:
        cache_room._BLOCK = original
