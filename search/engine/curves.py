"""Learning curves while a training runs: sums of each epoch, to go on from in the middle of one."""

import math

import numpy as np
from numpy.typing import NDArray

from search.jobs import Curve

Rows = NDArray[np.float64]
"""A row for each epoch begun [epochs, 8]: see `COLUMNS`."""
COLUMNS = ("epoch", "steps", "loss", "accuracy", "rate", "seconds", "validation", "correct")
"""Sums over the `steps` made, but for the epoch's number, from 1, and the last two, which are the
validation part's loss and accuracy at the epoch's end, NaN where not measured."""


def no_rows() -> Rows:
    """Return the rows of a training before its first step."""
    return np.zeros((0, len(COLUMNS)))


def with_steps(
    rows: Rows,
    epoch: int,
    measured: NDArray[np.float32],
    rates: NDArray[np.float32],
    seconds: float,
) -> Rows:
    """Return the rows after more steps of `epoch`.

    `measured`: loss and accuracy of each step's batch [steps, 2]; `rates`: learning rates [steps].
    """
    loss, accuracy = measured.astype(np.float64).sum(0)
    sums = np.array([len(rates), loss, accuracy, rates.astype(np.float64).sum(), seconds])
    if len(rows) and rows[-1, 0] == epoch:
        after = rows.copy()
        after[-1, 1:6] += sums
        return after
    return np.concatenate([rows, [[epoch, *sums, math.nan, math.nan]]])


def with_validation(rows: Rows, loss: float, accuracy: float) -> Rows:
    """Return the rows with what the validation part gave at the end of the last epoch."""
    after = rows.copy()
    after[-1, 6:] = loss, accuracy
    return after


def curve_of(rows: Rows) -> Curve | None:
    """Return the curve, None before the first step."""
    if not len(rows):
        return None
    epochs, steps = rows[:, 0].astype(int), rows[:, 1]
    loss, accuracy, rate = (rows[:, column] / steps for column in (2, 3, 4))
    columns = (loss, accuracy, rows[:, 6], rows[:, 7], rate, rows[:, 5])
    return Curve(tuple(epochs.tolist()), *(tuple(column.tolist()) for column in columns))
