"""One encoded image → an array of the shape that was asked for; Pillow alone."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# EXIF's tag for how the camera was held; 5 to 8 swap the sides.
_ORIENTATION = 0x0112
_SWAPPED = (5, 6, 7, 8)
_GREY = ("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N")
_ALPHA = ("LA", "La", "RGBA", "RGBa", "PA")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class ImageError(Exception):
    """An image that can't be read; says why, on one line. Whoever knows its name adds it."""


@dataclass(frozen=True)
class Geometry:
    """What every image becomes: `height` and `width` in pixels, 0 for its own; `channels` 1, 3, 4.

    `fit`: `resize` stretches each side, `crop` scales until both sides are covered and cuts the
    centre.
    """

    height: int
    width: int
    channels: int
    fit: str = "crop"


def decode(data: bytes, geometry: Geometry) -> NDArray[np.uint8]:
    """Pixels [height, width, channels] of one encoded image, turned as its EXIF entry says.

    16-bit greys are scaled to 8 bits; a palette is looked up; where transparency is not asked
    for, the image is laid over white. Raises `ImageError`.
    """
    with _reading(), Image.open(io.BytesIO(data)) as opened:
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
    """Height, width and own channels (1, 3 or 4) of an image file, from its header alone.

    Raises `ImageError`.
    """
    with _reading(), Image.open(path) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION) in _SWAPPED:
            width, height = height, width
        return height, width, _own_channels(image)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("it is no image in a known format") from None
    except Exception as error:
        # Pillow's decoders raise OSError, SyntaxError, struct.error, and more on broken bytes.
        reason = " ".join(str(error).split()) or type(error).__name__
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
