"""Every kind of image becomes the array that was asked for, or is refused with its reason."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from search.data import image as image_room
from search.data.image import FORMATS, SUFFIXES, Geometry, ImageError, decode, peek


def encoded(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Pixels that tell every position apart."""
    return np.arange(height * width * channels, dtype=np.uint8).reshape(height, width, channels)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 500),
    st.integers(1, 500),
    st.sampled_from(["L", "RGB", "RGBA", "P", "1", "LA", "I;16", "CMYK"]),
    st.sampled_from([1, 3, 4]),
    st.sampled_from(["resize", "crop"]),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_any_image_takes_any_shape(
    height: int, width: int, mode: str, channels: int, fit: str, to_height: int, to_width: int
) -> None:
    kind = "tiff" if mode == "CMYK" else "png"
    data = encoded(Image.new(mode, (width, height)), kind)
    image = decode(data, Geometry(to_height, to_width, channels, fit))
    assert image.shape == (to_height, to_width, channels)
    assert image.dtype == np.uint8
    assert decode(data, Geometry(0, 0, channels, fit)).shape == (height, width, channels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_come_through_unchanged(channels: int) -> None:
    pixels = gradient(5, 7, channels)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    found = decode(encoded(image), Geometry(0, 0, channels))
    np.testing.assert_array_equal(found, pixels)


def test_sixteen_bits_keep_black_white_and_the_middle() -> None:
    values = np.array([[0, 255, 257, 32768, 65535]], np.uint16)
    found = decode(encoded(Image.fromarray(values)), Geometry(0, 0, 1))
    assert found[0, :, 0].tolist() == [0, 1, 1, 128, 255]


def test_a_palette_is_looked_up() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0])
    found = decode(encoded(image), Geometry(0, 0, 3))
    assert found.tolist() == [[[255, 0, 0], [0, 255, 0]]]


def test_transparent_pixels_lie_over_white() -> None:
    image = Image.fromarray(np.array([[[0, 0, 0, 0], [0, 0, 0, 255]]], np.uint8))
    assert decode(encoded(image), Geometry(0, 0, 1))[0, :, 0].tolist() == [255, 0]
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([0, 0, 0, 0, 0, 0])
    found = decode(encoded(palette, transparency=0), Geometry(0, 0, 1))
    assert found[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_image(orientation: int, tmp_path) -> None:  # type: ignore[no-untyped-def]
    pixels = gradient(4, 6)
    # What a viewer has to do with what the camera stored.
    turned = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: pixels.transpose(1, 0, 2)[:, ::-1],
        7: pixels.transpose(1, 0, 2)[::-1, ::-1],
        8: pixels.transpose(1, 0, 2)[::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(pixels), exif=exif)
    np.testing.assert_array_equal(decode(data, Geometry(0, 0, 3)), turned)
    file = tmp_path / "turned.png"
    file.write_bytes(data)
    assert peek(file) == (*turned.shape[:2], 3)


def test_crop_takes_the_centre_and_resize_the_whole() -> None:
    pixels = np.zeros((4, 12, 1), np.uint8)
    pixels[:, 4:8] = 255
    data = encoded(Image.fromarray(pixels[..., 0]))
    assert decode(data, Geometry(4, 4, 1, "crop")).min() == 255
    assert decode(data, Geometry(4, 4, 1, "resize")).min() == 0


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("1", 1), ("RGB", 3), ("RGBA", 4), ("LA", 4), ("I;16", 1)]
)
def test_peek_sees_size_and_channels(mode: str, channels: int, tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "image.png"
    file.write_bytes(encoded(Image.new(mode, (9, 4))))
    assert peek(file) == (4, 9, channels)


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp"])
def test_broken_bytes_are_refused_with_a_reason(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    for broken in (data[: len(data) // 2], data[:20], b"", b"not an image at all"):
        with pytest.raises(ImageError) as caught:
            decode(broken, Geometry(8, 8, 3))
        assert str(caught.value)
        assert "\n" not in str(caught.value)


def test_floating_point_pixels_are_refused() -> None:
    data = encoded(Image.fromarray(np.ones((2, 2), np.float32)), "tiff")
    with pytest.raises(ImageError, match="floating-point"):
        decode(data, Geometry(0, 0, 1))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_named_suffix_is_opened(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"image{suffix}"
    Image.new("L", (9, 4), 255).save(file)
    assert peek(file)[:2] == (4, 9)
    assert decode(file.read_bytes(), Geometry(2, 2, 1)).min() == 255
    with Image.open(file) as opened:
        assert suffix in FORMATS[str(opened.format)]


@pytest.mark.parametrize("kind", ["ico", "icns", "tga", "pcx", "sgi", "eps", "jpeg2000", "dds"])
def test_formats_that_are_not_named_are_not_opened(kind: str, tmp_path: Path) -> None:
    data = encoded(Image.new("RGB", (16, 16)), kind)
    file = tmp_path / "image.png"
    file.write_bytes(data)
    for read in (lambda: decode(data, Geometry(8, 8, 3)), lambda: peek(file)):
        with pytest.raises(ImageError, match="not an image in a known format"):
            read()


def bomb(width: int, height: int) -> bytes:
    """A small PNG whose header asks for many pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        length = len(content).to_bytes(4, "big")
        return length + name + content + zlib.crc32(name + content).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    rows = zlib.compress(bytes(10_000))
    parts = (chunk(b"IHDR", size + b"\x08\x02\0\0\0"), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(10_000, 9_000), (20_000, 15_000), (2**30, 2**30)])
def test_images_of_too_many_pixels_are_refused_by_their_header(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bomb(*size)
    file = tmp_path / "bomb.png"
    file.write_bytes(data)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    for read in (lambda: decode(data, Geometry(8, 8, 3)), lambda: peek(file)):
        with pytest.raises(ImageError, match=r"pixels") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_the_largest_image_is_still_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("L", (10, 10)))
    monkeypatch.setattr(image_room, "_MOST_PIXELS", 100)
    assert decode(data, Geometry(2, 2, 1)).shape == (2, 2, 1)
    monkeypatch.setattr(image_room, "_MOST_PIXELS", 99)
    with pytest.raises(ImageError, match="it has 10x10 pixels, more than the 99"):
        decode(data, Geometry(2, 2, 1))
