"""A few training images of each class as small PNGs, which a study keeps for its page."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.data.dataset import Dataset

# Images of a class side by side; further classes are left out. Pixels of an image's longer side.
_IMAGES = 8
_CLASSES = 20
_SIDE = 40
# Pixels between two images.
_GAP = 1


def contact_sheet(dataset: Dataset) -> dict[str, Any]:
    """Return `{"classes": [{"name", "count", "images", "png"}, …]}`, each PNG in base64.

    They are the first training images of each class, scaled down where they are large.
    """
    labels, counts = dataset.train.labels, dataset.class_counts
    rows = []
    for label, name in enumerate(dataset.classes[:_CLASSES]):
        places = np.flatnonzero(labels == label)[:_IMAGES]
        if len(places):
            images = [np.asarray(dataset.train.images[int(place)]) for place in places]
            png = base64.b64encode(_strip(images)).decode()
            rows.append({"name": name, "count": counts[label], "images": len(images), "png": png})
    return {"classes": rows}


def _strip(images: list[NDArray[np.uint8]]) -> bytes:
    """Return images [height, width, channels] side by side as one PNG."""
    from PIL import Image

    height, width, channels = images[0].shape
    # What is neither grey, RGB nor RGBA is shown by its first channel.
    kept = channels if channels in (3, 4) else 1
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    across = (size[0] + _GAP) * len(images) - _GAP
    mode, grey = {1: "L", 3: "RGB", 4: "RGBA"}[kept], (128,) * kept
    strip = Image.new(mode, (across, size[1]), grey if kept > 1 else grey[0])
    for place, image in enumerate(images):
        pixels = image[:, :, :kept]
        drawn = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if kept == 1 else pixels))
        strip.paste(drawn if scale == 1 else drawn.resize(size), (place * (size[0] + _GAP), 0))
    target = io.BytesIO()
    strip.save(target, "PNG", optimize=True)
    return target.getvalue()
