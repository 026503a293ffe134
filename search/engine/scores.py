"""What an evaluation gives: means over images and over classes."""

from dataclasses import dataclass

import numpy as np

from search.engine.forward import Totals


@dataclass(frozen=True)
class Scores:
    """An exact evaluation: `accuracy` over images, `balanced` the mean over classes, `loss`."""

    accuracy: float
    balanced: float
    loss: float


def scores(totals: Totals) -> Scores:
    """Convert sums over images to means."""
    loss, images, hits = (np.asarray(part, np.float64) for part in totals)
    present = images > 0
    return Scores(
        accuracy=float(hits.sum() / images.sum()),
        balanced=float((hits[present] / images[present]).mean()),
        loss=float(loss / images.sum()),
    )
