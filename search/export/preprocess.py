"""From images as people have them to the input of a network."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.errors import UserError, shown
from search.networks.arch import Input

_PIXELS = "give uint8 with pixels from 0 to 255, or floats from 0 to 1"


@dataclass(frozen=True)
class Preprocess:
    """Normalisation of images of one shape; call it to get what `Model.module` takes.

    `mean` and `std` hold one number for each channel, of pixels in [0, 1]. Images must have the
    network's height and width already: cutting and resizing are up to the user.
    """

    input: Input
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return normalised images, float32 [n, height, width, channels]; n is 1 for one image.

        Raises `UserError` for images of another shape, type or range.
        """
        return self.normalised(self.batch(images)[0])

    def batch(self, images: ArrayLike) -> tuple[NDArray[Any], bool]:
        """Return checked images as [n, height, width, channels], and whether it was one image.

        They are uint8, or float32 in [0, 1]. Grey images may leave out the channel. Raises
        `UserError` as above.
        """
        array = _array(images)
        batch, single = self._shaped(array)
        return _checked_pixels(batch), single

    def normalised(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return what `batch` returned, normalised."""
        mean, std = (np.asarray(values, np.float32) for values in (self.mean, self.std))
        pixels = batch.astype(np.float32)
        if batch.dtype == np.uint8:
            pixels /= 255
        result: NDArray[np.float32] = (pixels - mean) / std
        return result

    def _shaped(self, array: NDArray[Any]) -> tuple[NDArray[Any], bool]:
        shape = (self.input.height, self.input.width, self.input.channels)
        # One reading of the shape for each way to write images; two fit where sides are 1.
        readings = {"one": array.shape == shape, "many": array.shape[1:] == shape}
        if self.input.channels == 1:
            readings["one grey"] = array.shape == shape[:2]
            readings["many grey"] = array.shape[1:] == shape[:2]
        found = [name for name, fits in readings.items() if fits]
        sizes = ", ".join(map(str, shape))
        if len(found) > 1:
            raise UserError(
                f"images of shape {list(array.shape)} can be one image or several; give"
                f" [n, {sizes}]"
            )
        if not found:
            raise UserError(
                f"images have shape {shown(list(array.shape))}; give [n, {sizes}], or one image"
                f" [{sizes}]"
            )
        (name,) = found
        single = name.startswith("one")
        return array.reshape(-1 if array.size else len(array), *shape), single


def _array(images: ArrayLike) -> NDArray[Any]:
    if isinstance(images, jax.core.Tracer):
        raise UserError(
            "images are being traced by JAX; inside jit, grad or export call model.module with"
            " normalised images, see model.preprocess"
        )
    try:
        return np.asarray(images)
    # Lists of unequal lengths.
    except (ValueError, TypeError):
        raise UserError(f"images={shown(images)} are no array; {_PIXELS}") from None


def _checked_pixels(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype == np.uint8:
        return array
    # JAX's test also knows bfloat16 and its like.
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise UserError(f"images are {array.dtype}; {_PIXELS}")
    pixels = array.astype(np.float32)
    if pixels.size:
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= 0 and high <= 1):
            # NaN makes both of them NaN.
            raise UserError(f"images are floats from {low:g} to {high:g}; {_PIXELS}")
    return pixels
