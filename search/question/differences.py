"""Differences of accuracy between families at equal multiplies, in bands of cost and over all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from search.compare.populations import Matched, Population, matched
from search.question.regression import Floats, fit, holm
from search.question.trainings import FAMILIES, Training

# Bands of cost, evenly wide in log-multiplies.
BANDS = 5
# The fewest networks of a family in a band whose difference is estimated.
FEWEST = 4
_SEED = 0
_ALPHA = 0.05

Networks = Mapping[str, Sequence[Training]]


@dataclass(frozen=True)
class Difference:
    """Accuracy of the second family minus that of the first at equal multiplies, in points.

    `low`, `high`: its 95 % interval; `better`: chance that a random network of the second is more
    accurate than one of the first, ties counting half; `delta`: Cliff's, 2 `better` - 1; `p`: of no
    difference, `adjusted`: by Holm over `comparisons`; `detectable`: the smallest true difference
    that would be found in 80 % of samples; `from_multiplies`, `to_multiplies`: where.
    """

    first: str
    second: str
    epochs: int
    from_multiplies: int
    to_multiplies: int
    n_first: int
    n_second: int
    points: float
    low: float
    high: float
    better: float
    delta: float
    p: float
    adjusted: float
    comparisons: int
    detectable: float

    @property
    def found(self) -> bool:
        """Whether there is a difference after the adjustment."""
        return self.adjusted < _ALPHA


@dataclass(frozen=True)
class Distance:
    """The Kolmogorov-Smirnov distance of two families at matched multiplies; see `Matched`."""

    first: str
    second: str
    epochs: int
    matched: Matched
    adjusted: float | None


@dataclass(frozen=True)
class Outside:
    """Networks of a family where some other family has none: counted, never compared."""

    family: str
    side: str
    n: int
    from_multiplies: int
    to_multiplies: int
    accuracy: float


def by_family(trainings: Sequence[Training], epochs: int) -> dict[str, list[Training]]:
    """Return the successful trainings of populations at one length, in the order of families."""
    found: dict[str, list[Training]] = {}
    for one in trainings:
        if one.design == "population" and one.epochs == epochs and one.status == "ok":
            found.setdefault(one.family, []).append(one)
    return {family: found[family] for family in FAMILIES if family in found}


def shared_range(networks: Networks) -> tuple[int, int] | None:
    """Return the range of multiplies that every family reaches; None where there is none."""
    low = max(min(one.multiplies for one in own) for own in networks.values())
    high = min(max(one.multiplies for one in own) for own in networks.values())
    return (low, high) if low < high else None


def bands(low: int, high: int, count: int = BANDS) -> list[tuple[int, int]]:
    """Cut a range of multiplies into bands of equal ratio."""
    edges = [round(edge) for edge in np.geomspace(low, high, count + 1)]
    return list(pairwise(edges))


def within(own: Sequence[Training], low: int, high: int, *, last: bool) -> list[Training]:
    """Return the networks from `low` to `high` multiplies; the upper end belongs to the `last`."""
    return [
        one
        for one in own
        if low <= one.multiplies and (one.multiplies <= high if last else one.multiplies < high)
    ]


def costs(own: Sequence[Training]) -> Floats:
    """Return log2 of the multiplies, [networks]."""
    return np.log2([one.multiplies for one in own])


def difference(
    first: Sequence[Training],
    second: Sequence[Training],
    response: tuple[Floats, Floats] | None = None,
    *,
    degree: int = 1,
) -> Difference | None:
    """Return the difference of two families with the trend over cost taken out.

    The trend is one polynomial of `degree` in log-multiplies for both. `response`: what is compared
    in place of accuracy. None where a side has fewer than `FEWEST` networks.
    """
    if min(len(first), len(second)) < FEWEST:
        return None
    a, b = response or (accuracies(first), accuracies(second))
    values = np.concatenate([a, b])
    cost = np.concatenate([costs(first), costs(second)])
    side = np.repeat([0.0, 1.0], [len(first), len(second)])
    centred = cost - cost.mean()
    trend = {f"cost^{power}": centred**power for power in range(1, degree + 1)}
    found = fit(values, {"side": side, **trend})
    if found is None:
        return None
    term = found.term("side")
    level = values - sum(found.term(name).value * column for name, column in trend.items())
    better = _better(level[: len(first)], level[len(first) :])
    every = [one.multiplies for one in (*first, *second)]
    return Difference(
        first[0].family,
        second[0].family,
        first[0].epochs,
        min(every),
        max(every),
        len(first),
        len(second),
        100 * term.value,
        100 * term.low,
        100 * term.high,
        better,
        2 * better - 1,
        term.p,
        term.p,
        1,
        100 * term.detectable,
    )


def accuracies(own: Sequence[Training]) -> Floats:
    """Return the accuracies, [networks]."""
    return np.array([one.accuracy for one in own])


def by_band(networks: Networks, edges: Sequence[tuple[int, int]]) -> list[Difference]:
    """Return the difference of every pair of families in every band that holds enough of both."""
    found = []
    for first, second in combinations(networks, 2):
        for place, (low, high) in enumerate(edges):
            last = place == len(edges) - 1
            sides = [within(networks[name], low, high, last=last) for name in (first, second)]
            one = difference(sides[0], sides[1])
            if one is not None:
                found.append(replace(one, from_multiplies=low, to_multiplies=high))
    return together(found)


def overall(networks: Networks, low: int, high: int) -> list[Difference]:
    """Return the difference of every pair over the whole shared range."""
    inside = {name: within(own, low, high, last=True) for name, own in networks.items()}
    pairs = combinations(inside, 2)
    every = [difference(inside[first], inside[second], degree=2) for first, second in pairs]
    return together([one for one in every if one is not None])


def together(found: Sequence[Difference]) -> list[Difference]:
    """Adjust the p-values of differences for looking at all of them."""
    adjusted = holm([one.p for one in found])
    return [
        replace(one, adjusted=p, comparisons=len(found))
        for one, p in zip(found, adjusted, strict=True)
    ]


def distances(networks: Networks, epochs: int) -> list[Distance]:
    """Return the Kolmogorov-Smirnov distance of every pair, models being independent draws."""
    found: list[tuple[str, str, Matched]] = []
    populations = {name: _population(own) for name, own in networks.items()}
    for first, second in combinations(networks, 2):
        (a, seeds_a), (b, seeds_b) = populations[first], populations[second]
        one = matched(
            a,
            b,
            paired=seeds_a == seeds_b,
            independent=True,
            rng=np.random.default_rng(_SEED),
        )
        if one is not None:
            found.append((first, second, one))
    known = [one.p for _, _, one in found if one.p is not None]
    adjusted = iter(holm(known))
    return [
        Distance(first, second, epochs, one, None if one.p is None else next(adjusted))
        for first, second, one in found
    ]


def outside(networks: Networks, low: int, high: int) -> list[Outside]:
    """Return for each family what it has below and above the range that all reach."""
    found = []
    for family, own in networks.items():
        for side, part in (
            ("below", [one for one in own if one.multiplies < low]),
            ("above", [one for one in own if one.multiplies > high]),
        ):
            if part:
                every = [one.multiplies for one in part]
                mean = float(accuracies(part).mean())
                found.append(Outside(family, side, len(part), min(every), max(every), mean))
    return found


def _population(own: Sequence[Training]) -> tuple[Population, tuple[int, ...]]:
    """Return the models of a family with the number of each one's seed, and the seeds."""
    seeds = tuple(sorted({one.seed for one in own}))
    return (
        Population(
            np.array([float(one.multiplies) for one in own]),
            accuracies(own),
            np.array([seeds.index(one.seed) for one in own], np.int64),
            len(seeds),
        ),
        seeds,
    )


def _better(first: Floats, second: Floats) -> float:
    signs = np.sign(second[:, None] - first[None, :])
    return float((1 + signs.mean()) / 2)


def changes(
    trainings: Sequence[Training], short: int, long: int, low: int, high: int
) -> list[Difference]:
    """Return how the difference of every pair changes from the short to the long training.

    Each network is its own comparison: what is compared is its gain in accuracy, at equal cost.
    """
    before = {
        (name, one.arch_id, one.seed): one.accuracy
        for name, own in by_family(trainings, short).items()
        for one in own
    }
    after = {
        name: [
            one
            for one in within(own, low, high, last=True)
            if (name, one.arch_id, one.seed) in before
        ]
        for name, own in by_family(trainings, long).items()
    }
    gains = {
        name: np.array([one.accuracy - before[name, one.arch_id, one.seed] for one in own])
        for name, own in after.items()
    }
    every = [
        difference(after[a], after[b], (gains[a], gains[b]), degree=2)
        for a, b in combinations(after, 2)
    ]
    return together([one for one in every if one is not None])
