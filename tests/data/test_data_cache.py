"""The cache: damage is seen and repaired, large parts are mapped from disk and equal to small."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from search.config.data import DataConfig
from search.data import cache as cache_room
from search.data import cache_folder, open_dataset, open_test
from search.data import open as opening
from search.data.dataset import ImageView
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


def test_large_parts_are_read_from_disk_and_equal(
    images: DataConfig, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = open_dataset(images, seed=0)
    small_test = open_test(images)
    monkeypatch.setattr(opening, "_IN_MEMORY", 10)
    for _ in range(2):
        large = open_dataset(images, seed=0)
        for name in ("train", "validation"):
            one, other = getattr(small, name), getattr(large, name)
            assert isinstance(other.images, ImageView)
            assert isinstance(other.images.base.base, np.memmap)
            assert isinstance(one.images, np.ndarray)
            assert not isinstance(one.images, np.memmap)
            assert other.images.shape == one.images.shape
            assert other.images.nbytes == one.images.nbytes
            assert len(other.images) == len(one.images)
            order = np.random.default_rng(0).permutation(len(one))
            np.testing.assert_array_equal(other.images[order], one.images[order])
            np.testing.assert_array_equal(other.images[1:3], one.images[1:3])
            np.testing.assert_array_equal(other.images[-1], one.images[-1])
            for mine, theirs in zip(other.images, one.images, strict=True):
                np.testing.assert_array_equal(mine, theirs)
            assert np.ascontiguousarray(other.images).flags.c_contiguous
            assert one.fingerprint == other.fingerprint
            np.testing.assert_array_equal(one.images, other.images)
            np.testing.assert_array_equal(one.labels, other.labels)
        assert (small.mean, small.std) == (large.mean, large.std)
        assert open_test(images).fingerprint == small_test.fingerprint


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_large_part_is_not_copied_for_another_seed(
    make_images, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = DataConfig(name="folder", path=str(make_images(count=20, size=(40, 50))))
    expected = [open_dataset(images, seed=seed) for seed in range(3)]
    monkeypatch.setattr(opening, "_IN_MEMORY", 10)
    before = size_of(cache / "arrays")
    for seed, known in enumerate(expected):
        found = open_dataset(images, seed=seed)
        assert found.train.fingerprint == known.train.fingerprint
        assert found.validation.fingerprint == known.validation.fingerprint
        assert (found.mean, found.std) == (known.mean, known.std)
    assert size_of(cache / "arrays") == before
    # A fingerprint and a histogram for each part, whatever the size of its images.
    assert len(list((cache / "parts").iterdir())) == 6
    assert max(path.stat().st_size for path in (cache / "parts").iterdir()) < 10_000


@pytest.mark.parametrize("content", ["", "{}", '{"fingerprint": "ab", "counts": [[1]]}', "[1]"])
def test_a_damaged_memory_of_a_part_is_made_again(
    images: DataConfig, cache: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(opening, "_IN_MEMORY", 10)
    expected = open_dataset(images, seed=0)
    for file in (cache / "parts").iterdir():
        file.write_text(content)
    found = open_dataset(images, seed=0)
    assert found.train.fingerprint == expected.train.fingerprint
    assert (found.mean, found.std) == (expected.mean, expected.std)


def test_a_large_part_is_read_once(images: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_IN_MEMORY", 10)
    open_dataset(images, seed=0)

    def fail(_: object) -> None:
        pytest.fail("the images were read again")

    monkeypatch.setattr(opening, "chunks", fail)
    open_dataset(images, seed=0)


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


def test_leftovers_of_any_entry_are_swept_unless_somebody_writes_them(
    images: DataConfig, cache: Path
) -> None:
    import fcntl

    arrays, digits = cache / "arrays", cache / "tfds" / "digits"
    killed, living = arrays / "other-1.tmp-a", arrays / "other-2.tmp-b"
    half, old, new = (
        digits / "incomplete.X_1.0.0",
        *(cache / "parts" / f".writing-{n}" for n in "ab"),
    )
    for folder in (killed, living, half, old.parent):
        folder.mkdir(parents=True)
    for file in (old, new):
        file.write_text("half")
    os.utime(old, (0, 0))
    with (arrays / "other-2.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        open_dataset(images, seed=0)
        assert [path.exists() for path in (killed, half, old)] == [False] * 3
        assert [path.exists() for path in (living, new)] == [True, True]
    open_dataset(images, seed=0)
    assert not living.exists()


def test_a_lock_that_is_a_link_is_not_followed(
    images: DataConfig, cache: Path, tmp_path: Path
) -> None:
    open_dataset(images, seed=0)
    found = entry(cache)
    shutil.rmtree(found)
    lock = found.with_name(found.name + ".lock")
    lock.unlink()
    precious = tmp_path / "precious"
    precious.write_text("content")
    lock.symlink_to(precious)
    with pytest.raises(UserError, match=r"can't hold .*data\.cache="):
        open_dataset(images, seed=0)
    assert precious.read_text() == "content"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_lock_held_by_nobody_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    said: list[str] = []
    with cache_folder.locked(tmp_path / "lock", "a set", said.append) as held:
        assert not held
    assert said == []


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder.root("here") == Path("here")
    assert cache_folder.root() == tmp_path / "cache"
    monkeypatch.delenv("CONVBUDGET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder.root() == tmp_path / "xdg" / "convbudget"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder.root() == Path.home() / ".cache" / "convbudget"


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
