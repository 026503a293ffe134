"""What the model predicts for encodings, and what evaluating each is worth."""

from dataclasses import dataclass, replace

import numpy as np

from search.strategies.surrogate.acquisition import (
    expected_hypervolume_improvement,
    quadrature_points,
    reservation_value,
)
from search.strategies.surrogate.arrays import FloatArray, IndexArray


@dataclass(frozen=True)
class Posterior:
    """The front and what the model predicts for m encodings; costs are shares, see `Features`."""

    front_cost: FloatArray  # [k] ascending
    front_accuracy: FloatArray  # [k]
    cost: FloatArray  # [m]
    mean: FloatArray  # [m] negative log-error at full length
    deviation: FloatArray  # [m]

    def select(self, rows: IndexArray) -> "Posterior":
        """Return the posterior of some of the encodings."""
        selected = (self.cost[rows], self.mean[rows], self.deviation[rows])
        return Posterior(self.front_cost, self.front_accuracy, *selected)

    def of_the_best(self) -> "Posterior":
        """Return the posterior without costs: its area grows by better accuracies alone.

        Its expected hypervolume improvement is the expected improvement of the best accuracy
        (Mockus, 1975).
        """
        best = self.front_accuracy[-1:]
        return replace(
            self,
            front_cost=np.zeros(len(best)),
            front_accuracy=best,
            cost=np.zeros(len(self.cost)),
        )

    def expected_improvement(self, chance: float) -> FloatArray:
        """Return the expected hypervolume improvement of each encoding [m]."""
        return expected_hypervolume_improvement(
            self.front_cost,
            self.front_accuracy,
            self.cost,
            self.mean,
            self.deviation,
            chance=chance,
        )

    def reservation_value(
        self, noise_variance: FloatArray, step: FloatArray, rest: FloatArray, chance: float
    ) -> FloatArray:
        """Return each encoding's improvement per unit of training [m], see `reservation_value`.

        `noise_variance` [m]: of the next step's result as an observation of the full-length one.
        """
        variance = np.square(self.deviation)
        # Share of the variance that the next step's result resolves.
        resolved = np.where(rest > 0, variance / (variance + noise_variance), 1.0)
        remaining = self.deviation * np.sqrt(1.0 - resolved)
        means = quadrature_points(self.mean, self.deviation * np.sqrt(resolved))
        improvement = [
            replace(self, mean=mean, deviation=remaining).expected_improvement(chance)
            for mean in means
        ]
        return reservation_value(np.stack(improvement), step, rest)
