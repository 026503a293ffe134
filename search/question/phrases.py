"""Figures of the answer as clauses of a sentence."""

import math

from search.question.crossing import Crossing, Curve
from search.question.differences import Difference
from search.question.regression import Term
from search.units import format_multiplies


def points(value: float, low: float | None, high: float | None) -> str:
    """Return a difference in points of accuracy with its interval: `+1.2 [0.3, 2.1]`."""
    if low is None or high is None:
        return f"{value:+.2f}"
    return f"{value:+.2f} [{low:.2f}, {high:.2f}]"


def with_spread(value: float, std: float) -> str:
    """Return an accuracy with its standard deviation over seeds, if known: `0.9569 ± 0.0248`.

    A dash where there is no accuracy.
    """
    if math.isnan(value):
        return "–"
    return f"{value:.4f}" if math.isnan(std) else f"{value:.4f} ± {std:.4f}"


def times(log2: Term) -> str:
    """Write how many times as much the second has, from its log2: `1.74 [1.63, 1.86]`."""
    return f"{2**log2.value:.2f} [{2**log2.low:.2f}, {2**log2.high:.2f}]"


def said(one: Difference) -> str:
    """Return a difference as a clause: effect first, what could have been found where none was."""
    figure = points(one.points, one.low, one.high)
    n = f"n = {one.n_first} and {one.n_second}"
    if one.found:
        ahead, behind = (one.second, one.first) if one.points > 0 else (one.first, one.second)
        chance = one.better if one.points > 0 else 1 - one.better
        return (
            f"{ahead} is ahead of {behind} by {points_of(one)} points of accuracy, and a random one"
            f" of it is better in {100 * chance:.0f} % of pairs ({n})"
        )
    # An interval of one comparison may leave out 0 where the whole family of them is not enough.
    among = f" among {one.comparisons} comparisons" if one.comparisons > 1 else ""
    return (
        f"no difference found between {one.first} and {one.second}{among} at {n}: {figure} points,"
        f" where {one.detectable:.1f} is the smallest that 80 % of samples would show"
    )


def points_of(one: Difference) -> str:
    """Return the size of a difference with its interval, as a positive number."""
    if one.points > 0:
        return f"{one.points:.2f} [{one.low:.2f}, {one.high:.2f}]"
    return f"{-one.points:.2f} [{-one.high:.2f}, {-one.low:.2f}]"


def between(low: float, high: float) -> str:
    """Return a range of multiplies."""
    if low == high:
        return f"{format_multiplies(round(low))} multiplies"
    return f"{format_multiplies(round(low))} to {format_multiplies(round(high))} multiplies"


def crossing(one: Curve) -> str:
    """Return where two families cross, as a clause, or who is ahead where they do not."""
    if one.crosses:
        return " and ".join(_crossing(c) for c in one.crossings) or "they cross"
    if not one.regions:
        return "the band holds 0 throughout, so no crossing is shown"
    where = " and ".join(
        f"{one.second if region.sign > 0 else one.first} is ahead from"
        f" {between(region.from_multiplies, region.to_multiplies)}"
        for region in one.regions
    )
    return f"{where}, and no crossing is shown"


def _crossing(one: Crossing) -> str:
    if one.low is None or one.high is None:
        return f"the curves cross near {format_multiplies(one.at)}, without an interval"
    return (
        f"the curves cross at {format_multiplies(one.at)}, between {format_multiplies(one.low)} and"
        f" {format_multiplies(one.high)}"
    )
