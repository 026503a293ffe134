"""Decode one image into an array of the requested shape, with Pillow."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# The formats that are opened, by Pillow's names. A file in another one is refused under any
# name: each further decoder is one more that a stranger's file could attack.
FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm"),
}
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)
# A larger image is refused before it is decoded: a few kilobytes can ask for gigabytes of memory.
# Pillow warns at this number and refuses at its double.
_MOST_PIXELS = 89_478_485
# EXIF's orientation tag; the values 5 to 8 swap the sides.
_ORIENTATION = 0x0112
_SWAPPED = (5, 6, 7, 8)
_GREY = ("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N")
_ALPHA = ("LA", "La", "RGBA", "RGBa", "PA")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class ImageError(Exception):
    """An image can't be read; the message says why on one line, the caller adds the file's name."""


@dataclass(frozen=True)
class Geometry:
    """The shape that every image is brought to.

    `height`, `width`: pixels, 0 for the image's own; `channels`: 1, 3 or 4; `fit`: `resize`
    stretches each side, `crop` scales until both sides are covered and cuts the centre.
    """

    height: int
    width: int
    channels: int
    fit: str = "crop"


def decode(data: bytes, geometry: Geometry) -> NDArray[np.uint8]:
    """Pixels [height, width, channels] of one encoded image, rotated as its EXIF entry says.

    16-bit greys are scaled to 8 bits and palettes are applied; unless `geometry` has 4 channels,
    transparent images are composited over white. Raises `ImageError`.
    """
    with _opened(io.BytesIO(data)) as opened:
        opened.load()
        turned = opened.getexif().get(_ORIENTATION, 1) != 1
        image = _eight_bits(ImageOps.exif_transpose(opened) if turned else opened)
        image = _with_channels(image, geometry.channels)
        size = (geometry.width, geometry.height)
        if geometry.height and image.size != size:
            if geometry.fit == "crop":
                image = ImageOps.fit(image, size, Image.Resampling.BILINEAR)
            else:
                image = image.resize(size, Image.Resampling.BILINEAR)
        pixels = np.asarray(image, dtype=np.uint8)
    return pixels.reshape(image.height, image.width, geometry.channels)


def peek(path: Path) -> tuple[int, int, int]:
    """Height, width and channels (1, 3 or 4) of an image file, from its header only.

    Raises `ImageError`.
    """
    with _opened(path) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION) in _SWAPPED:
            width, height = height, width
        return height, width, _own_channels(image)


@contextmanager
def _opened(file: Path | io.BytesIO) -> Iterator[Image.Image]:
    """An image whose header was read; errors of Pillow inside the `with` become `ImageError`."""
    try:
        with Image.open(file, formats=tuple(FORMATS)) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                raise ImageError(
                    f"it has {width}x{height} pixels, more than the {_MOST_PIXELS:,} that are"
                    " decoded; scale it down"
                )
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"it is not an image in a known format ({', '.join(FORMATS)})") from None
    except Exception as error:
        # Pillow's decoders raise OSError, SyntaxError, struct.error, and more on broken bytes.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageError(reason) from None


def _own_channels(image: Image.Image) -> int:
    if image.mode in _ALPHA or "transparency" in image.info:
        return 4
    if image.mode in _GREY:
        return 1
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        return 1 if (palette == palette[:, :1]).all() else 3
    return 3


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ImageError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    values = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _with_channels(image: Image.Image, channels: int) -> Image.Image:
    mode = _MODES[channels]
    transparent = image.mode in _ALPHA or "transparency" in image.info
    if channels != 4 and transparent:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == mode else image.convert(mode)
