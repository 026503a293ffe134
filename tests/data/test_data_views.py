"""A view of selected images feeds the engine as the images themselves do."""

from pathlib import Path

import numpy as np
import pytest

from search.data.dataset import ImageView, JoinedImages, Split
from search.data.split import fingerprint, histogram
from search.engine.batches import Resident, Streamed, feed_of


@pytest.fixture
def splits(tmp_path: Path) -> tuple[Split, Split]:
    """The same part as a view of a memory map, and in memory."""
    generator = np.random.default_rng(0)
    base = np.memmap(tmp_path / "images.bin", np.uint8, "w+", shape=(50, 6, 5, 3))
    base[:] = generator.integers(0, 256, base.shape)
    labels = generator.integers(0, 3, 30).astype(np.int32)
    indices = np.sort(generator.choice(50, 30, replace=False))
    view = ImageView(base, indices)
    return Split(view, labels, "view"), Split(np.array(base[indices]), labels, "memory")


def test_batches_are_equal(splits: tuple[Split, Split]) -> None:
    import jax

    device = jax.devices()[0]
    order = np.random.default_rng(1).permutation(30).astype(np.int32).reshape(3, 10)
    for kind in (Resident, Streamed):
        found = [list(kind(split, device).batches(order)) for split in splits]
        for one, other in zip(*found, strict=True):
            for mine, theirs in zip(one, other, strict=True):
                np.testing.assert_array_equal(mine, theirs)


def test_what_is_resident_depends_on_the_selected_images_alone(
    splits: tuple[Split, Split],
) -> None:
    import jax

    device = jax.devices()[0]
    size = splits[1].images.nbytes / 2**20
    for split in splits:
        assert isinstance(feed_of(split, device, size), Resident)
        assert isinstance(feed_of(split, device, size * 0.99), Streamed)


def test_measures_are_equal(splits: tuple[Split, Split]) -> None:
    one, other = (split.images for split in splits)
    labels = splits[0].labels
    assert fingerprint(one, labels) == fingerprint(other, labels)
    np.testing.assert_array_equal(histogram(one), histogram(other))


def test_indexing_is_that_of_the_selected_images(splits: tuple[Split, Split]) -> None:
    one, other = (split.images for split in splits)
    mask = np.arange(30) % 3 == 0
    for key in (0, -1, slice(3, 9), slice(None, None, -2), [4, 4, 1], mask):
        found = one[key]
        np.testing.assert_array_equal(found, other[key])
        assert not isinstance(found, np.memmap)
    with pytest.raises(IndexError):
        one[30]
    np.testing.assert_array_equal(np.asarray(one, np.float32), np.asarray(other, np.float32))
    with pytest.raises(ValueError, match="without a copy"):
        np.array(one, copy=False)


def test_joined_parts_are_read_as_one_array(splits: tuple[Split, Split]) -> None:
    view, memory = (split.images for split in splits)
    other = np.random.default_rng(2).integers(0, 256, (7, 6, 5, 3)).astype(np.uint8)
    joined = JoinedImages([view, other, view])
    whole = np.concatenate([memory, other, memory])
    assert (joined.shape, len(joined), joined.nbytes) == (whole.shape, 67, whole.nbytes)
    generator = np.random.default_rng(3)
    keys = [
        *(0, 29, 30, 36, 37, 66, -1),
        *(slice(None), slice(25, 40), slice(None, None, -3), slice(5, 5)),
        *(generator.permutation(67), generator.integers(0, 67, 90), np.arange(67) % 3 == 0),
    ]
    for key in keys:
        np.testing.assert_array_equal(joined[key], whole[key])
    np.testing.assert_array_equal(np.stack(list(joined)), whole)
    np.testing.assert_array_equal(np.asarray(joined), whole)
    assert fingerprint(joined, np.arange(67, dtype=np.int32)) == fingerprint(
        whole, np.arange(67, dtype=np.int32)
    )
    with pytest.raises(IndexError):
        joined[67]


def test_final_trainings_read_every_part(splits: tuple[Split, Split]) -> None:
    from search.data.dataset import Dataset
    from search.data.everything import everything

    view, memory = splits
    found = everything(Dataset("x", view, memory, ("a", "b", "c"), (0.5,) * 3, (0.2,) * 3))
    images = np.concatenate([memory.images, memory.images])
    np.testing.assert_array_equal(found.train.images, images)
    np.testing.assert_array_equal(found.train.labels, np.tile(memory.labels, 2))
    assert found.train.fingerprint == fingerprint(images, found.train.labels)
    assert found.validation is memory
