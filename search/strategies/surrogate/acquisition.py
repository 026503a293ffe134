"""How much a result is expected to add to the area under the front."""

import numpy as np

from search.strategies.surrogate.encoding import Matrix

# Gauss-Hermite: exact for what a polynomial of degree 13 says about a normal variable.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
# The front is taken to go on a little beyond the most expensive list, which could gain nothing
# otherwise.
_BEYOND = 0.01
# Errors never count as smaller than this, or one perfect result would dwarf all differences.
_LEAST_ERROR = 0.02


def negative_log_error(accuracy: Matrix) -> Matrix:
    """Return minus the logarithm of the error: there, decisions add up."""
    return -np.log(np.maximum(0.0, 1.0 - accuracy) + _LEAST_ERROR)


def from_negative_log_error(value: Matrix) -> Matrix:
    """Undo `negative_log_error`."""
    return 1.0 + _LEAST_ERROR - np.exp(-value)


def quadrature_points(mean: Matrix, deviation: Matrix) -> Matrix:
    """Return what a normal variable may be: `mean` and `deviation` [m] at seven nodes [7, m]."""
    found: Matrix = mean + _NODES[:, None] * deviation
    return found


def hypervolume_improvement(
    front_cost: Matrix, front_accuracy: Matrix, cost: Matrix, accuracy: Matrix, *, chance: float
) -> Matrix:
    """Return what each candidate's area adds to the front's [m].

    The front [k] by rising cost; costs are shares of the log-interval.
    """
    height, width = _steps(front_cost, front_accuracy, cost, chance)
    found: Matrix = (width * np.maximum(0.0, accuracy[:, None] - height)).sum(axis=1)
    return found


def expected_hypervolume_improvement(
    front_cost: Matrix,
    front_accuracy: Matrix,
    cost: Matrix,
    mean: Matrix,
    deviation: Matrix,
    *,
    chance: float,
) -> Matrix:
    """Return the expectation of `gain` for accuracies that are not known yet [m].

    On the scale of `negative_log_error` they are normal, with `mean` and `deviation` [m].
    """
    height, width = _steps(front_cost, front_accuracy, cost, chance)
    found = np.zeros(len(cost))
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        accuracy = from_negative_log_error(mean + node * deviation)
        found += weight * (width * np.maximum(0.0, accuracy[:, None] - height)).sum(axis=1)
    return found


def _steps(
    front_cost: Matrix, front_accuracy: Matrix, cost: Matrix, chance: float
) -> tuple[Matrix, Matrix]:
    """Return the front's heights [k + 1] and how far each reaches beyond `cost` [m, k + 1]."""
    left = np.concatenate([[min(0.0, *front_cost, 0.0)], front_cost])
    right = np.concatenate([front_cost, [1.0 + _BEYOND]])
    height = np.concatenate([[chance], np.maximum(front_accuracy, chance)])
    return height, np.maximum(0.0, right - np.maximum(left, cost[:, None]))


def reservation_value(gains: Matrix, step: Matrix, rest: Matrix) -> Matrix:
    """Return the gain for each unit of training that going on step by step promises [m].

    `gains` [7, m]: expected gains, as the model would see them after each outcome of the next
    `step` [m]; `rest` [m]: the training from there to the full length, which is only spent where
    it is reservation value it (the reservation value of Weitzman, Econometrica 47, 1979).
    """
    order = np.argsort(-gains, axis=0)
    reached = np.cumsum(_WEIGHTS[order], axis=0)
    gained = np.cumsum(_WEIGHTS[order] * np.take_along_axis(gains, order, axis=0), axis=0)
    found: Matrix = (gained / (step + rest * reached)).max(axis=0)
    return found
