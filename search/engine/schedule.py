"""The learning rate and the order of batches, as pure functions of step, epoch and seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schedule:
    """Warm-up and constant rate for any length, then a linear decay that depends on the length.

    `steps`: in an epoch. The stable phase warms up over `warmup` epochs, then holds `peak`. A job
    of E epochs leaves it for its last `decay`·E epochs, in which the rate falls linearly to zero:
    so a longer job goes on from the shorter one's start of its decay (arXiv:2405.18392).
    """

    steps: int
    peak: float
    warmup: float
    decay: float

    def total(self, epochs: int) -> int:
        """Return the steps of a whole job."""
        return self.steps * epochs

    def decay_start(self, epochs: int) -> int:
        """Return the steps before the decay: an integer, so that no length rounds apart."""
        return self.total(epochs) - round(self.total(epochs) * self.decay)

    def rate(self, step: int, epochs: int) -> float:
        """Return the learning rate of a step, counted from 0, in a job of so many epochs."""
        warm = self.warmup * self.steps
        rate = self.peak * (min(1.0, (step + 1) / warm) if warm > 0 else 1.0)
        start, end = self.decay_start(epochs), self.total(epochs)
        return rate if step < start else rate * (end - step) / (end - start + 1)


def order(count: int, batch: int, seed: int, epoch: int) -> NDArray[np.int32]:
    """Return the indices [steps, batch] of an epoch's batches; left-over images vary by epoch."""
    key = np.array([seed % 2**64, epoch], np.uint64)
    shuffled = np.random.Generator(np.random.Philox(key=key)).permutation(count)
    steps = max(1, count // batch)
    return shuffled[: steps * batch].reshape(steps, batch).astype(np.int32)
