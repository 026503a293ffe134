"""A Gaussian process over option lists, whose scales follow the evidence as results come in.

The covariance is a sum: linear in the decisions and in the counts of options (a Bayesian ridge
regression), smooth in log-cost, and alike for lists that share decisions, which is where decisions
act together. Gaussian processes for such spaces: arXiv:1910.11858, arXiv:2006.07556.
"""

import numpy as np

from search.strategies.bank import Likeness
from search.strategies.features import Matrix

# Logarithms of the scales: linear, counts, cost, alike, its reach, noise, and the cost's reach.
_TYPICAL = np.log([1.0, 0.3, 1.0, 0.5, 0.5, 0.02, 0.3])
# Steps in search of better scales: floor and ceiling for each result, and work in rows.
_FEWEST, _MOST, _WORK = 1, 15, 400
_TINY = 1e-8


class Process:
    """Predicts a quantity of one result from those of others; deterministic with its generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._scales = _TYPICAL.copy()

    def learn(self, likeness: Likeness, targets: Matrix) -> None:
        """Try a few other scales and keep those that explain `targets` [n] better."""
        n = len(targets)
        if n < 4:
            return
        values, _, _ = _standard(targets)
        best = _surprise(likeness, values, self._scales)
        for _ in range(int(np.clip(_WORK // n, _FEWEST, _MOST))):
            size = 0.6 if self._rng.random() < 0.5 else 0.2
            step = self._rng.normal(size=len(_TYPICAL)) * (self._rng.random(len(_TYPICAL)) < 0.4)
            trial = self._scales + size * step
            surprise = _surprise(likeness, values, trial)
            if surprise < best:
                best, self._scales = surprise, trial

    def predict(
        self, known: Likeness, across: Likeness, own: Matrix, targets: Matrix
    ) -> tuple[Matrix, Matrix]:
        """Return mean and standard deviation [m] of new lists.

        `known` [n, n] compares the lists with `targets` [n], `across` [m, n] the new ones with
        those; `own` [3, m] holds the new lists' products with themselves, see `Likeness.own`.
        """
        values, middle, spread = _standard(targets)
        covariance = _covariance(known, self._scales)
        covariance[np.diag_indices(len(values))] += np.exp(self._scales[5]) + _TINY
        between = _covariance(across, self._scales)
        solved = np.linalg.solve(covariance, np.column_stack([values, between.T]))
        mean = between @ solved[:, 0]
        linear, counts, cost, alike = np.exp(self._scales[:4])
        prior = linear * own[0] + counts * own[1] + cost + alike + 0.3 * own[2] + 1.0
        variance = prior - np.einsum("mn,nm->m", between, solved[:, 1:])
        deviation = np.sqrt(np.maximum(variance, _TINY))
        return mean * spread + middle, deviation * spread


def _covariance(likeness: Likeness, scales: Matrix) -> Matrix:
    linear, counts, cost, alike, reach, _, width = np.exp(scales)
    smooth = np.exp(likeness.apart * (-0.125 / width**2))
    found: Matrix = linear * likeness.linear
    found += counts * likeness.counts
    # The same bell at half the width: its fourth power.
    found += cost * np.square(np.square(smooth))
    found += alike * np.exp(likeness.unlike * (-1 / reach)) * smooth
    found += 0.3 * likeness.cost
    found += 1.0
    return found


def _surprise(likeness: Likeness, values: Matrix, scales: Matrix) -> float:
    """Negative logarithm of the evidence and of the scales' own likelihood."""
    n = len(values)
    # With the values as one more row the last row of the root is the root's solution for them.
    bordered = np.empty((n + 1, n + 1))
    bordered[:n, :n] = _covariance(likeness, scales)
    bordered[np.arange(n), np.arange(n)] += np.exp(scales[5]) + _TINY
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
