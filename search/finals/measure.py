"""What one reading of a test part tells, from logits and labels: pure functions of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Bins of equal width, as in Guo et al. 2017 (arXiv:1706.04599), section 2.
BINS = 15


@dataclass(frozen=True, eq=False)
class Reading:
    """The figures of one trained network on a part.

    `accuracy`, `balanced_accuracy` (mean over the classes that occur), `nll` (mean negative
    log-likelihood, natural logarithm), `ece` (expected calibration error); `confusion`
    [classes, classes] counts images by true and predicted class; `bins` [BINS, 3] holds for each
    bin of confidence the number of images, the sum of confidences and the number of hits.
    """

    accuracy: float
    balanced_accuracy: float
    nll: float
    ece: float
    confusion: NDArray[np.int64]
    bins: NDArray[np.float64]


def read(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Reading:
    """Return the figures of logits [n, classes] against labels [n]."""
    scores = logits.astype(np.float64)
    scores -= scores.max(1, keepdims=True)
    log_probabilities = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    predicted = logits.argmax(1)
    classes = logits.shape[1]
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    bins = calibration_bins(np.exp(log_probabilities.max(1)), predicted == labels)
    return Reading(
        accuracy=float((predicted == labels).mean()),
        balanced_accuracy=fmean(rate for rate in recalls(confusion) if rate is not None),
        nll=float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        ece=calibration_error(bins),
        confusion=confusion,
        bins=bins,
    )


def calibration_bins(
    confidence: NDArray[np.float64], right: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the bins of `Reading`; bin m holds confidences in ((m − 1)/BINS, m/BINS]."""
    place = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    columns = (np.ones_like(confidence), confidence, right.astype(np.float64))
    return np.stack([np.bincount(place, column, BINS) for column in columns], 1)


def calibration_error(bins: NDArray[np.float64]) -> float:
    """Return the gap between confidence and accuracy, averaged over images."""
    return float(np.abs(bins[:, 1] - bins[:, 2]).sum() / bins[:, 0].sum())


def recalls(confusion: NDArray[np.int64]) -> list[float | None]:
    """Return the accuracy within each true class, None for one that does not occur."""
    totals = confusion.sum(1)
    return [
        float(hits / total) if total else None
        for hits, total in zip(confusion.diagonal(), totals, strict=True)
    ]


def summary(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return the figures over seeds as a record keeps them, as JSON.

    Means over seeds, and standard deviations (None for one seed); `confusion` and the bins are
    summed over seeds, `per_class` is read off the sum. Each bin: `images`, mean `confidence` and
    `accuracy`, None where it is empty.
    """
    accuracies = [one.accuracy for one in readings]
    confusion = np.sum([one.confusion for one in readings], 0)
    several = len(readings) > 1
    return {
        "accuracy": fmean(accuracies),
        "accuracy_std": stdev(accuracies) if several else None,
        "accuracies": accuracies,
        "balanced_accuracy": fmean(one.balanced_accuracy for one in readings),
        "balanced_accuracy_std": (
            stdev([one.balanced_accuracy for one in readings]) if several else None
        ),
        "nll": fmean(one.nll for one in readings),
        "ece": fmean(one.ece for one in readings),
        "ece_bins": [_bin(row) for row in np.sum([one.bins for one in readings], 0)],
        "per_class": recalls(confusion),
        "confusion": confusion.tolist(),
    }


def _bin(row: NDArray[np.float64]) -> dict[str, Any]:
    images, confidence, hits = row.tolist()
    return {
        "images": int(images),
        "confidence": confidence / images if images else None,
        "accuracy": hits / images if images else None,
    }
