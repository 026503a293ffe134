"""Soft labels from a teacher (Hinton et al. 2015, arXiv:1503.02531)."""

import hashlib
from dataclasses import dataclass

import jax
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray


@dataclass(frozen=True)
class Distillation:
    """How much a teacher counts: (1 − weight) · hard loss + weight · temperature² · soft loss.

    The soft loss is the cross-entropy against the teacher's probabilities, both sides' logits
    divided by the temperature; its square keeps the size of the gradients (section 2 of the paper).
    """

    temperature: float
    weight: float


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """A teacher's `probabilities` [images, classes] of the training images, at the temperature."""

    probabilities: NDArray[np.float32]
    distillation: Distillation

    @classmethod
    def of(cls, logits: NDArray[np.float32], distillation: Distillation) -> "SoftLabels":
        """Return the soft labels of a teacher's logits [images, classes]."""
        return cls(np.asarray(jax.nn.softmax(logits / distillation.temperature)), distillation)

    @property
    def fingerprint(self) -> str:
        """The hexadecimal SHA-256 of all that it says."""
        digest = hashlib.sha256(repr(self.distillation).encode())
        digest.update(np.ascontiguousarray(self.probabilities).data)
        return digest.hexdigest()

    def beside(self, labels: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return one-hot labels and the soft ones, [images, 2, classes]."""
        hard = np.eye(self.probabilities.shape[1], dtype=np.float32)[labels]
        return np.stack([hard, self.probabilities], 1)


def distilled(logits: Array, targets: Array, distillation: Distillation) -> Array:
    """Return the loss of each image, [n], for targets [n, 2, classes] as `beside` makes them."""
    temperature, weight = distillation.temperature, distillation.weight
    hard = optax.softmax_cross_entropy(logits, targets[:, 0])
    soft = optax.softmax_cross_entropy(logits / temperature, targets[:, 1])
    losses: Array = (1 - weight) * hard + weight * temperature**2 * soft
    return losses
