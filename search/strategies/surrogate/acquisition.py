"""Expected hypervolume improvement, and what it is worth for each unit of training.

Two objectives: cost is known, accuracy is predicted. Costs are shares of the budget's log-interval;
the area is measured from `chance`, the accuracy of guessing.
"""

import numpy as np

from search.strategies.surrogate.arrays import FloatArray

# Gauss-Hermite quadrature of a normal variable: exact for polynomials of degree up to 13.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
# The reference point lies a little beyond the budget, or the most expensive encoding could never
# improve the area.
_BEYOND = 0.01
# Added to every error, or one perfect result would dwarf all differences.
_ERROR_OFFSET = 0.02


def negative_log_error(accuracy: FloatArray) -> FloatArray:
    """Return -log(1 - accuracy + 0.02): the model's scale, on which effects of decisions add up."""
    return -np.log(np.maximum(0.0, 1.0 - accuracy) + _ERROR_OFFSET)


def from_negative_log_error(value: FloatArray) -> FloatArray:
    """Return the accuracy of a negative log-error."""
    return 1.0 + _ERROR_OFFSET - np.exp(-value)


def quadrature_points(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Return the seven quadrature points [7, m] of normal variables with `mean` [m]."""
    found: FloatArray = mean + _NODES[:, None] * deviation
    return found


def hypervolume_improvement(
    front_cost: FloatArray,  # [k] ascending
    front_accuracy: FloatArray,  # [k]
    cost: FloatArray,  # [m]
    accuracy: FloatArray,  # [m]
    *,
    chance: float,
) -> FloatArray:
    """Return the area [m] that each point alone would add to the front's."""
    height, width = _staircase(front_cost, front_accuracy, cost, chance)
    found: FloatArray = (width * np.maximum(0.0, accuracy[:, None] - height)).sum(axis=1)
    return found


def expected_hypervolume_improvement(
    front_cost: FloatArray,  # [k] ascending
    front_accuracy: FloatArray,  # [k]
    cost: FloatArray,  # [m]
    mean: FloatArray,  # [m] of the negative log-error
    deviation: FloatArray,  # [m]
    *,
    chance: float,
) -> FloatArray:
    """Return the expected `hypervolume_improvement` [m] of a normal negative log-error.

    (Emmerich, Deutz and Klinkenberg, CEC 2011, with the transform to accuracies by quadrature.)
    """
    height, width = _staircase(front_cost, front_accuracy, cost, chance)
    found = np.zeros(len(cost))
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        accuracy = from_negative_log_error(mean + node * deviation)
        found += weight * (width * np.maximum(0.0, accuracy[:, None] - height)).sum(axis=1)
    return found


def _staircase(
    front_cost: FloatArray, front_accuracy: FloatArray, cost: FloatArray, chance: float
) -> tuple[FloatArray, FloatArray]:
    """Return the front's heights [k + 1] and the width of each step beyond `cost` [m, k + 1]."""
    left = np.concatenate([[min(0.0, *front_cost, 0.0)], front_cost])
    right = np.concatenate([front_cost, [1.0 + _BEYOND]])
    height = np.concatenate([[chance], np.maximum(front_accuracy, chance)])
    return height, np.maximum(0.0, right - np.maximum(left, cost[:, None]))


def reservation_value(
    improvement: FloatArray,  # [7, m] expected, after each outcome of the next step
    step: FloatArray,  # [m] training of the next step, as a share of the full length
    rest: FloatArray,  # [m] training from there to the full length
) -> FloatArray:
    """Return the improvement per unit of training [m] under the best rule for stopping.

    `rest` is only spent after those outcomes of the step for which it pays: Pandora's rule
    (Weitzman, Econometrica 47, 1979).
    """
    order = np.argsort(-improvement, axis=0)
    probability = np.cumsum(_WEIGHTS[order], axis=0)
    gained = _WEIGHTS[order] * np.take_along_axis(improvement, order, axis=0)
    found: FloatArray = (np.cumsum(gained, axis=0) / (step + rest * probability)).max(axis=0)
    return found
