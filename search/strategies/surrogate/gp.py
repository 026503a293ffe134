"""A Gaussian process over encodings; its hyperparameters are refitted as results come in.

The covariance is a sum: linear in the decisions and in the counts of options (a Bayesian ridge
regression), smooth in log-cost, and alike for encodings that share decisions or take options about
as often, which is where decisions act together. Gaussian processes for such spaces:
arXiv:1910.11858, arXiv:2006.07556.

Results of shorter trainings differ from those at full length by noise of their own and by a
process of the same form; how large both are together is told with the results.
"""

import numpy as np
from scipy.linalg import solve_triangular

from search.strategies.surrogate.encoding import Matrix
from search.strategies.surrogate.kernel_cache import PairwiseTerms

# Logarithms of the scales: linear, counts, cost, alike, its reach, noise, the cost's reach, alike
# in counts, and its reach; of shorter trainings the share of the covariance that is their own, and
# their noise, both in units of the noise that is told.
_TYPICAL = np.log([0.1, 0.1, 1.0, 1.0, 0.25, 0.02, 0.3, 1.0, 0.8, 0.1, 0.6])
_FULL_LENGTH = 9
# Steps in search of better scales: floor and ceiling at each search, and work in rows.
_FEWEST, _MOST, _WORK = 1, 15, 300
# Beyond so many results not each is followed by a search: one is left out for every few more.
_MANY, _PAUSE = 64, 16
_TINY = 1e-6


class GaussianProcess:
    """Predicts a quantity of one result from those of others; deterministic with its generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._scales = _TYPICAL.copy()
        self._waited = 0

    def due(self, results: int) -> bool:
        """Say whether to `fit` again after one more result; with many, not each is worth it."""
        self._waited += 1
        if results < 4 or self._waited <= max(0, results - _MANY) // _PAUSE:
            return False
        self._waited = 0
        return True

    def fit(self, pairwise: PairwiseTerms, targets: Matrix, noise: Matrix) -> None:
        """Try a few other scales and keep those that explain `targets` [n] better.

        `noise` [n] says how far each result may lie from that at full length, which has 0.
        """
        n = len(targets)
        values, _, spread = _standard(targets)
        short = noise / spread
        best = _negative_log_marginal_likelihood(pairwise, values, short, self._scales)
        free = len(_TYPICAL) if short.any() else _FULL_LENGTH
        for _ in range(int(np.clip(_WORK // n, _FEWEST, _MOST))):
            size = 0.6 if self._rng.random() < 0.5 else 0.2
            step = self._rng.normal(size=free) * (self._rng.random(free) < 0.4)
            trial = self._scales.copy()
            trial[:free] += size * step
            surprise = _negative_log_marginal_likelihood(pairwise, values, short, trial)
            if surprise < best:
                best, self._scales = surprise, trial

    def predict(
        self,
        known: PairwiseTerms,
        across: PairwiseTerms,
        own: Matrix,
        targets: Matrix,
        noise: Matrix,
    ) -> tuple[Matrix, Matrix]:
        """Return mean and standard deviation [m] of new encodings at full length.

        `known` [n, n] compares the encodings with `targets` and `noise` [n] (see `learn`), `across`
        [m, n] the new ones with those; `own` [3, m]: the new encodings' own, see
        `PairwiseTerms.own`.
        """
        values, middle, spread = _standard(targets)
        between = _covariance(across, self._scales)
        root = _cholesky(_noisy(known, noise / spread, self._scales))
        aims = np.column_stack([values, between.T])
        solved = solve_triangular(root, aims, lower=True, overwrite_b=True, check_finite=False)
        mean = solved[:, 0] @ solved[:, 1:]
        variance = self._prior(own) - np.einsum("nm,nm->m", solved[:, 1:], solved[:, 1:])
        deviation = np.sqrt(np.maximum(variance, _TINY))
        return mean * spread + middle, deviation * spread

    def fidelity_noise(self, own: Matrix, targets: Matrix, noise: Matrix) -> Matrix:
        """Return the variance [m] of what results with such `noise` [m] would say."""
        always, share, more = np.exp(self._scales[[5, 9, 10]])
        spread = _standard(targets)[2]
        found: Matrix = np.square(noise) * (share * self._prior(own) + more)
        found += always * spread**2
        return found

    def _prior(self, own: Matrix) -> Matrix:
        linear, counts, cost, alike, even = np.exp(self._scales[[0, 1, 2, 3, 7]])
        smooth = cost + alike + even + 1.0
        found: Matrix = linear * own[0] + counts * own[1] + 0.3 * own[2] + smooth
        return found


def _covariance(pairwise: PairwiseTerms, scales: Matrix) -> Matrix:
    linear, counts, cost, alike, reach, _, width, even, bend = np.exp(
        scales[:_FULL_LENGTH]
    ).tolist()
    smooth = np.exp(pairwise.log_cost_distance * (-0.125 / width**2))
    found = linear * pairwise.linear
    found += counts * pairwise.counts
    # The same bell at half the width: its fourth power.
    found += cost * np.square(np.square(smooth))
    shared = alike * np.exp(pairwise.decision_distance * (-1 / reach))
    shared += even * np.exp(pairwise.count_distance * (-0.5 / bend**2))
    found += shared * smooth
    found += 0.3 * pairwise.cost
    found += 1.0
    whole: Matrix = found.astype(np.float64)
    return whole


def _noisy(pairwise: PairwiseTerms, short: Matrix, scales: Matrix) -> Matrix:
    """Return the covariance of results, which are noisy, and more so the shorter."""
    found = _covariance(pairwise, scales)
    noise, share, more = np.exp(scales[[5, 9, 10]])
    rows = np.arange(len(found))
    if short.any():
        found *= 1.0 + share * np.outer(short, short)
        found[rows, rows] += more * np.square(short)
    found[rows, rows] += noise + _TINY
    return found


def _cholesky(covariance: Matrix) -> Matrix:
    """Return the lower Cholesky root; pairwise of unequal lengths may need a little more noise."""
    for more in (0.0, 1e-4, 1e-2):
        covariance[np.diag_indices(len(covariance))] += more
        try:
            found: Matrix = np.asarray(np.linalg.cholesky(covariance))
        except np.linalg.LinAlgError:
            continue
        return found
    # Every encoding by itself.
    alone: Matrix = np.diag(np.sqrt(np.diag(covariance)))
    return alone


def _negative_log_marginal_likelihood(
    pairwise: PairwiseTerms, values: Matrix, short: Matrix, scales: Matrix
) -> float:
    """Negative logarithm of the training set and of the scales' own likelihood."""
    n = len(values)
    # With the values as one more row the last row of the root is the root's solution for them.
    bordered = np.empty((n + 1, n + 1))
    bordered[:n, :n] = _noisy(pairwise, short, scales)
    bordered[n, :n] = values
    bordered[n, n] = values @ values / np.exp(scales[5]) + 1.0
    try:
        root = np.linalg.cholesky(bordered)
    except np.linalg.LinAlgError:
        return np.inf
    explained = float(np.square(root[n, :n]).sum())
    unlikely = 0.5 * np.square(scales - _TYPICAL).sum()
    return float(0.5 * explained + np.log(np.diag(root)[:n]).sum() + unlikely)


def _standard(targets: Matrix) -> tuple[Matrix, float, float]:
    middle, spread = float(np.sort(targets)[len(targets) // 2]), float(np.std(targets))
    spread = spread if spread > _TINY else 1.0
    return (targets - middle) / spread, middle, spread
