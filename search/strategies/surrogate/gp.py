"""A Gaussian process over encodings at two kinds of fidelity: full-length and shorter trainings.

The kernel is a sum (d_·: distances, w: `cost_lengthscale`, RBF_ℓ(d) = exp(-d² / 2ℓ²)):

- linear in the decisions and in the counts of options: a Bayesian ridge regression,
- RBF_w of the log-cost: accuracy rises smoothly with it,
- an exponential of the share of decisions that differ, plus an RBF of the counts, both times
  RBF_2w of the log-cost: decisions that interact.

Such kernels for architectures: arXiv:1910.11858, arXiv:2006.07556. A shorter training observes the
full-length result plus a discrepancy that is a process with the same kernel (Kennedy and O'Hagan,
Biometrika 87, 2000) and noise of its own; the training set says how large both are together.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from search.strategies.history import generator_state, restore_generator
from search.strategies.surrogate.arrays import FloatArray
from search.strategies.surrogate.kernel_cache import PairwiseTerms

# Random-search steps in each fit: fewest, most, and steps times results.
_FEWEST, _MOST, _WORK = 1, 15, 300
# Beyond so many results not every one is followed by a fit: one more is skipped for each `_PAUSE`.
_MANY, _PAUSE = 64, 16
# Prior variances of the constant mean and of the slope of log-cost, which are not fitted.
_CONSTANT_VARIANCE, _SLOPE_VARIANCE = 1.0, 0.3
_TINY = 1e-6


@dataclass(frozen=True)
class Hyperparameters:
    """Of the kernel and the noise, for standardised targets; all positive.

    They are fitted as logarithms, with independent normal priors of unit variance around those of
    `PRIOR_MEDIAN`. The order of the fields is the order of the vector.
    """

    linear_variance: float
    count_variance: float
    cost_variance: float
    decision_variance: float
    decision_lengthscale: float  # of the share of decisions that differ
    noise_variance: float
    cost_lengthscale: float  # of the log-cost, in shares of the budget's log-interval
    count_rbf_variance: float
    count_lengthscale: float
    # Of a shorter training, in units of its `fidelity_noise` squared:
    discrepancy_variance: float  # as a share of the prior variance
    fidelity_noise_variance: float

    @classmethod
    def from_log(cls, logs: FloatArray) -> "Hyperparameters":
        """Return those whose logarithms are `logs` [11]."""
        return cls(*np.exp(logs).tolist())

    def to_log(self) -> FloatArray:
        """Return their logarithms [11]."""
        return np.log(astuple(self))


PRIOR_MEDIAN = Hyperparameters(
    linear_variance=0.1,
    count_variance=0.1,
    cost_variance=1.0,
    decision_variance=1.0,
    decision_lengthscale=0.25,
    noise_variance=0.02,
    cost_lengthscale=0.3,
    count_rbf_variance=1.0,
    count_lengthscale=0.8,
    discrepancy_variance=0.1,
    fidelity_noise_variance=0.6,
)
_PRIOR_MEAN = PRIOR_MEDIAN.to_log()
# The last two only matter where there are shorter trainings.
_FULL_LENGTH_ONLY = 9


class GaussianProcess:
    """Predicts negative log-errors of encodings; deterministic given its generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._logs = _PRIOR_MEAN.copy()
        self._skipped = 0

    def snapshot(self) -> dict[str, Any]:
        """Return the hyperparameters as logarithms, and what decides on the next fit."""
        return {
            "logs": self._logs.tolist(),
            "skipped": self._skipped,
            "rng": generator_state(self._rng),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` returned."""
        self._logs = np.array(state["logs"], np.float64)
        self._skipped = int(state["skipped"])
        restore_generator(self._rng, state["rng"])

    def due(self, results: int) -> bool:
        """Return whether to `fit` again after one more result; with many results, not each is."""
        self._skipped += 1
        if results < 4 or self._skipped <= max(0, results - _MANY) // _PAUSE:
            return False
        self._skipped = 0
        return True

    def fit(self, train: PairwiseTerms, targets: FloatArray, fidelity_noise: FloatArray) -> None:
        """Improve the hyperparameters by a few steps of random search on the log posterior.

        `train` [n, n] compares the encodings of `targets` [n]; `fidelity_noise` [n] is the standard
        deviation of each target around the full-length result, 0 at full length.
        """
        standardised, _, scale = _standardise(targets)
        relative_noise = fidelity_noise / scale
        best = _negative_log_posterior(train, standardised, relative_noise, self._logs)
        free = len(_PRIOR_MEAN) if relative_noise.any() else _FULL_LENGTH_ONLY
        for _ in range(int(np.clip(_WORK // len(targets), _FEWEST, _MOST))):
            size = 0.6 if self._rng.random() < 0.5 else 0.2
            step = self._rng.normal(size=free) * (self._rng.random(free) < 0.4)
            logs = self._logs.copy()
            logs[:free] += size * step
            value = _negative_log_posterior(train, standardised, relative_noise, logs)
            if value < best:
                best, self._logs = value, logs

    def predict(
        self,
        train: PairwiseTerms,
        cross: PairwiseTerms,
        diagonal: FloatArray,
        targets: FloatArray,
        fidelity_noise: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the posterior mean and standard deviation [m] at full length.

        `train` [n, n], `targets` [n], `fidelity_noise` [n]: see `fit`; `cross` [m, n] compares the
        new encodings with those; `diagonal` [3, m]: see `PairwiseTerms.diagonal`.
        """
        hyper = Hyperparameters.from_log(self._logs)
        standardised, centre, scale = _standardise(targets)
        between = _kernel(cross, hyper)
        factor = _cholesky(_train_covariance(train, fidelity_noise / scale, hyper))
        right = np.column_stack([standardised, between.T])
        solved = solve_triangular(factor, right, lower=True, overwrite_b=True, check_finite=False)
        mean = solved[:, 0] @ solved[:, 1:]
        variance = _prior_variance(diagonal, hyper)
        variance = variance - np.einsum("nm,nm->m", solved[:, 1:], solved[:, 1:])
        deviation = np.sqrt(np.maximum(variance, _TINY))
        return mean * scale + centre, deviation * scale

    def observation_variance(
        self, diagonal: FloatArray, targets: FloatArray, fidelity_noise: FloatArray
    ) -> FloatArray:
        """Return the noise variance [m] of observations with `fidelity_noise` [m].

        `diagonal` [3, m]: see `PairwiseTerms.diagonal`; `targets` [n] give the scale.
        """
        hyper = Hyperparameters.from_log(self._logs)
        scale = _standardise(targets)[2]
        discrepancy = hyper.discrepancy_variance * _prior_variance(diagonal, hyper)
        found: FloatArray = np.square(fidelity_noise) * (
            discrepancy + hyper.fidelity_noise_variance
        )
        found += hyper.noise_variance * scale**2
        return found


def _kernel(terms: PairwiseTerms, hyper: Hyperparameters) -> FloatArray:
    """Return the prior covariance at full length [n, m]."""
    # RBF of twice the length scale; its fourth power is that of the length scale itself.
    wide = np.exp(terms.cost_distance * (-0.125 / hyper.cost_lengthscale**2))
    found = hyper.linear_variance * terms.linear_product
    found += hyper.count_variance * terms.count_product
    found += hyper.cost_variance * np.square(np.square(wide))
    interaction = hyper.decision_variance * np.exp(
        terms.decision_distance * (-1 / hyper.decision_lengthscale)
    )
    interaction += hyper.count_rbf_variance * np.exp(
        terms.count_distance * (-0.5 / hyper.count_lengthscale**2)
    )
    found += interaction * wide
    found += _SLOPE_VARIANCE * terms.cost_product
    found += _CONSTANT_VARIANCE
    covariance: FloatArray = found.astype(np.float64)
    return covariance


def _prior_variance(diagonal: FloatArray, hyper: Hyperparameters) -> FloatArray:
    """Return the diagonal of `_kernel` [m], from that of its products [3, m]."""
    linear, count, cost = diagonal
    stationary = (
        hyper.cost_variance
        + hyper.decision_variance
        + hyper.count_rbf_variance
        + _CONSTANT_VARIANCE
    )
    found: FloatArray = (
        hyper.linear_variance * linear
        + hyper.count_variance * count
        + _SLOPE_VARIANCE * cost
        + stationary
    )
    return found


def _train_covariance(
    train: PairwiseTerms, relative_noise: FloatArray, hyper: Hyperparameters
) -> FloatArray:
    """Return the covariance of noisy observations [n, n]; `relative_noise` [n] is standardised."""
    found = _kernel(train, hyper)
    rows = np.arange(len(found))
    if relative_noise.any():
        found *= 1.0 + hyper.discrepancy_variance * np.outer(relative_noise, relative_noise)
        found[rows, rows] += hyper.fidelity_noise_variance * np.square(relative_noise)
    found[rows, rows] += hyper.noise_variance + _TINY
    return found


def _cholesky(covariance: FloatArray) -> FloatArray:
    """Return the lower Cholesky factor [n, n].

    The share of differing decisions is not a positive definite distance between encodings of
    unequal length, so that the covariance may need some jitter.
    """
    for jitter in (0.0, 1e-4, 1e-2):
        covariance[np.diag_indices(len(covariance))] += jitter
        try:
            found: FloatArray = np.asarray(np.linalg.cholesky(covariance))
        except np.linalg.LinAlgError:
            continue
        return found
    # As a last resort, without correlations.
    uncorrelated: FloatArray = np.diag(np.sqrt(np.diag(covariance)))
    return uncorrelated


def _negative_log_posterior(
    train: PairwiseTerms, standardised: FloatArray, relative_noise: FloatArray, logs: FloatArray
) -> float:
    """Return the negative log marginal likelihood minus the log prior, up to a constant."""
    n = len(standardised)
    hyper = Hyperparameters.from_log(logs)
    # With the targets y as one more row, the last row of the factor is L⁻¹ y, without a solver.
    bordered = np.empty((n + 1, n + 1))
    bordered[:n, :n] = _train_covariance(train, relative_noise, hyper)
    bordered[n, :n] = standardised
    # Anything above yᵀ K⁻¹ y keeps the bordered matrix positive definite.
    bordered[n, n] = standardised @ standardised / hyper.noise_variance + 1.0
    try:
        factor = np.linalg.cholesky(bordered)
    except np.linalg.LinAlgError:
        return np.inf
    fit = 0.5 * float(np.square(factor[n, :n]).sum())
    prior = 0.5 * np.square(logs - _PRIOR_MEAN).sum()
    return float(fit + np.log(np.diag(factor)[:n]).sum() + prior)


def _standardise(targets: FloatArray) -> tuple[FloatArray, float, float]:
    """Return standardised targets [n], their centre (an upper median) and their scale."""
    centre, scale = float(np.sort(targets)[len(targets) // 2]), float(np.std(targets))
    scale = scale if scale > _TINY else 1.0
    return (targets - centre) / scale, centre, scale
