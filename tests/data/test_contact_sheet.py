"""The contact sheet: which images it shows, at which size."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from search.data.contact_sheet import contact_sheet
from search.data.dataset import Dataset, Split


def dataset(shape: tuple[int, int, int], classes: int = 3, images: int = 30) -> Dataset:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (images, *shape), np.uint8)
    part = Split(pixels, np.arange(images, dtype=np.int32) % classes, "ab")
    names = tuple(f"class {number}" for number in range(classes))
    return Dataset("mine", part, part, names, (0.5,), (0.2,))


def image(row: dict[str, object]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(str(row["png"]))))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (4, "RGBA")])
def test_the_first_images_of_each_class_stand_side_by_side(channels: int, mode: str) -> None:
    data = dataset((6, 5, channels))
    rows = contact_sheet(data)["classes"]
    assert [(row["name"], row["count"], row["images"]) for row in rows] == [
        ("class 0", 10, 8),
        ("class 1", 10, 8),
        ("class 2", 10, 8),
    ]
    strip = image(rows[1])
    assert (strip.size, strip.mode) == ((8 * 6 - 1, 6), mode)
    pixels = np.asarray(strip).reshape(6, 47, -1)
    kept = pixels.shape[2]
    assert (pixels[:, 5] == 128).all()
    np.testing.assert_array_equal(pixels[:, 6:11], data.train.images[4][:, :, :kept])


def test_large_images_and_many_classes_stay_small() -> None:
    rows = contact_sheet(dataset((200, 100, 3), classes=50, images=50))["classes"]
    assert len(rows) == 20
    assert image(rows[0]).size == (20, 40)


def test_a_class_without_images_is_left_out() -> None:
    data = dataset((4, 4, 1), classes=5, images=3)
    assert len(contact_sheet(data)["classes"]) == 3
