"""Ordinary least squares with intervals that hold where the spread is unequal."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, shapiro, t

Floats = NDArray[np.float64]
_LEVEL = 0.95
_POWER = 0.8
# Share of the response below which a number is a rounding error.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Term:
    """One coefficient with its 95 % interval and p-value.

    `detectable`: the smallest true value that a two-sided test at 5 % finds in 80 % of samples;
    `inflation`: by how much its variance grows through the other terms, 1 where they are unrelated.
    """

    name: str
    value: float
    low: float
    high: float
    p: float
    detectable: float
    inflation: float


@dataclass(frozen=True)
class Fit:
    """A linear model of `n` rows.

    `spread_p`: p-value of equal spread (Breusch and Pagan 1979, in Koenker's form); `normal_p`: of
    normal residuals (Shapiro and Wilk 1965); `fitted`, `residuals`: [n].
    """

    n: int
    terms: list[Term]
    r_squared: float
    spread_p: float
    normal_p: float
    fitted: list[float]
    residuals: list[float]

    def term(self, name: str) -> Term:
        """Return the term of that name."""
        return next(one for one in self.terms if one.name == name)


def fit(response: Floats, columns: Mapping[str, Floats]) -> Fit | None:
    """Fit `response` [n] by a constant and `columns`, each [n].

    Standard errors are HC3 (MacKinnon and White 1985), whose tests keep their level in samples of
    50 and fewer (Long and Ervin 2000). None where the terms cannot be told apart or fewer than
    three rows are left over for the spread.
    """
    names = ["constant", *columns]
    design = np.column_stack([np.ones(len(response)), *columns.values()])
    rows, width = design.shape
    # Columns of equal length, so that a term's unit decides nothing about the rank.
    scale = np.sqrt((design**2).mean(axis=0))
    if rows < width + 3 or not scale.all():
        return None
    scaled = design / scale
    if np.linalg.matrix_rank(scaled, tol=1e-7 * rows) < width:
        return None
    inverse = np.linalg.inv(scaled.T @ scaled)
    values = inverse @ (scaled.T @ response)
    fitted = scaled @ values
    residuals = response - fitted
    # Equal responses are no difference of 1e-17 with an interval that excludes 0.
    rounding = _ROUNDING * float(np.abs(response).max())
    values, residuals = (np.where(abs(x) > rounding, x, 0.0) for x in (values, residuals))
    leverage = np.einsum("ij,jk,ik->i", scaled, inverse, scaled)
    # A row that alone decides a term fits exactly: 0 / 0 says nothing of the spread.
    free = leverage < 1 - 1e-9
    weight = np.zeros(rows)
    weight[free] = (residuals[free] / (1 - leverage[free])) ** 2
    covariance = inverse @ (scaled.T * weight @ scaled) @ inverse
    values, errors = values / scale, np.sqrt(np.diag(covariance)) / scale
    freedom = rows - width
    reach = float(t.ppf((1 + _LEVEL) / 2, freedom))
    power = reach + float(t.ppf(_POWER, freedom))
    total = float(((response - response.mean()) ** 2).sum())
    inflations = _inflation(design)
    terms = [
        Term(
            name,
            float(value),
            float(value - reach * error),
            float(value + reach * error),
            float(2 * t.sf(abs(value) / error, freedom)) if error > 0 else float(value == 0),
            float(power * error),
            inflation,
        )
        for name, value, error, inflation in zip(names, values, errors, inflations, strict=True)
    ]
    return Fit(
        rows,
        terms,
        1 - float((residuals**2).sum()) / total if total > 0 else 0.0,
        _equal_spread(scaled, residuals),
        float(shapiro(residuals).pvalue) if np.ptp(residuals) > 0 else 1.0,
        fitted.tolist(),
        residuals.tolist(),
    )


def _inflation(design: Floats) -> list[float]:
    """Return the variance inflation factor of each term; 1 for the constant."""
    if design.shape[1] < 3:
        return [1.0] * design.shape[1]
    correlations = np.corrcoef(design[:, 1:], rowvar=False)
    return [1.0, *np.diag(np.linalg.pinv(correlations)).tolist()]


def _equal_spread(design: Floats, residuals: Floats) -> float:
    squares = residuals**2
    total = float(((squares - squares.mean()) ** 2).sum())
    if total <= 0 or design.shape[1] < 2:
        return 1.0
    explained = design @ np.linalg.lstsq(design, squares, rcond=None)[0]
    share = 1 - float(((squares - explained) ** 2).sum()) / total
    return float(chi2.sf(len(squares) * share, design.shape[1] - 1))


def holm(p_values: list[float]) -> list[float]:
    """Return p-values adjusted for all of them together (Holm 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
