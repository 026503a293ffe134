"""What explains a difference at equal multiplies: depth, width, kind of block, or its place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.question.differences import Networks, accuracies, bands, costs, within
from search.question.regression import Fit, Floats, Term, fit
from search.question.trainings import MIXED, Training

# Accuracies are kept this far from 0 and 1, where the logit has no value.
_EDGE = 1e-4
# Coarsened strata (Iacus, King and Porro 2012): networks of up to 5, up to 8, and more blocks, of
# widths within a factor of two.
_DEPTHS = (5, 8)


@dataclass(frozen=True)
class Model:
    """A linear model of the logit of accuracy; `about` says what it holds equal."""

    name: str
    about: str
    epochs: int
    fit: Fit


@dataclass(frozen=True)
class MatchedOn:
    """Accuracy of the second family minus the first's within strata, in points.

    `on`: what the strata hold equal; `n_first`, `n_second`: networks in strata that hold both;
    `strata` of these; `ratio`: multiplies of the second over those of the first there, geometric
    means with the strata's weights. The interval and `detectable` are None where too few are left.
    """

    first: str
    second: str
    epochs: int
    on: str
    n_first: int
    n_second: int
    strata: int
    points: float | None
    low: float | None
    high: float | None
    p: float | None
    detectable: float | None
    ratio: float | None


@dataclass(frozen=True)
class Place:
    """Where standard blocks sit in mixed networks, in points of accuracy at equal cost and share.

    `place`: of moving all of them from the first positions to the last, a change of 2 by
    `Training.place`; `share`: of all multiplies in standard blocks in place of none.
    """

    epochs: int
    n: int
    place: Term
    share: Term


def logit(values: Floats) -> Floats:
    """Return log(a / (1 - a)) of accuracies, which are first clipped to [0.0001, 0.9999]."""
    clipped = np.clip(values, _EDGE, 1 - _EDGE)
    return np.log(clipped / (1 - clipped))


def models(networks: Networks, low: int, high: int, epochs: int) -> list[Model]:
    """Return models of logit accuracy: families at equal cost, then at equal depth and width too.

    The first family stands for 0. `standard` is the share of multiplies in standard convolutions.
    """
    names = list(networks)
    rows = [one for own in networks.values() for one in within(own, low, high, last=True)]
    cost = costs(rows) - np.log2(low * high) / 2
    base = {"log2 multiplies": cost, "log2 multiplies, squared": cost**2}
    families = {name: _is(rows, name) for name in names[1:]}
    shape = {
        "log2 depth": np.log2([one.depth for one in rows]),
        "mean log2 width": np.array([one.width for one in rows]),
    }
    crossed = {f"{name} × log2 multiplies": column * cost for name, column in families.items()}
    standard = np.array([one.standard for one in rows])
    share = {"standard": standard}
    offered = (
        ("families", "at equal multiplies", base | families),
        (
            "families and slopes",
            "at equal multiplies, each family its slope",
            base | families | crossed,
        ),
        ("families and shape", "at equal multiplies, depth and width", base | shape | families),
        ("share", "at equal multiplies", base | share),
        (
            "share and slope",
            "at equal multiplies, its effect changing with them",
            base | share | {"standard × log2 multiplies": standard * cost},
        ),
        ("share and shape", "at equal multiplies, depth and width", base | shape | share),
    )
    response = logit(accuracies(rows))
    fitted = ((name, about, fit(response, columns)) for name, about, columns in offered)
    return [Model(name, about, epochs, one) for name, about, one in fitted if one is not None]


def matched_on(networks: Networks, low: int, high: int, first: str) -> list[MatchedOn]:
    """Compare every family with `first` at equal cost, at equal shape, and at both.

    At equal depth and width alone nothing is done with the multiplies that a cheap block saves.
    """
    edges = [edge for _, edge in bands(low, high)][:-1]
    inside = {name: within(own, low, high, last=True) for name, own in networks.items()}

    def cost(one: Training) -> tuple[int, ...]:
        return (int(np.searchsorted(edges, one.multiplies, side="right")),)

    def shape(one: Training) -> tuple[int, ...]:
        return int(np.searchsorted(_DEPTHS, one.depth)), int(np.floor(one.width))

    ways = (
        ("multiplies", lambda one: cost(one)),
        ("depth and width", lambda one: shape(one)),
        ("multiplies, depth and width", lambda one: cost(one) + shape(one)),
    )
    return [
        _stratified(
            inside[first],
            inside[second],
            on,
            [*map(key, inside[first])],
            [*map(key, inside[second])],
        )
        for second in inside
        if second != first and inside[first] and inside[second]
        for on, key in ways
    ]


def place_of_standard(networks: Networks, low: int, high: int, epochs: int) -> Place | None:
    """Return whether standard blocks do better early or late among mixed networks."""
    rows = [
        one
        for one in within(networks.get(MIXED, ()), low, high, last=True)
        if not np.isnan(one.place)
    ]
    if not rows:
        return None
    cost = costs(rows) - np.log2(low * high) / 2
    found = fit(
        100 * accuracies(rows),
        {
            "cost": cost,
            "cost²": cost**2,
            "share": np.array([one.standard for one in rows]),
            # From -1 to 1: half of it, so that the term is the way from one end to the other.
            "place": np.array([one.place for one in rows]) / 2,
        },
    )
    if found is None:
        return None
    return Place(epochs, len(rows), found.term("place"), found.term("share"))


def _is(rows: Sequence[Training], family: str) -> Floats:
    return np.array([float(one.family == family) for one in rows])


def _stratified(
    first: Sequence[Training],
    second: Sequence[Training],
    on: str,
    keys_first: Sequence[tuple[int, ...]],
    keys_second: Sequence[tuple[int, ...]],
) -> MatchedOn:
    """Regress accuracy on the side with a level for each stratum that holds both sides."""
    shared = sorted({*keys_first} & {*keys_second})
    a = [one for one, key in zip(first, keys_first, strict=True) if key in shared]
    b = [one for one, key in zip(second, keys_second, strict=True) if key in shared]
    about = first[0].family, second[0].family, first[0].epochs, on, len(a), len(b), len(shared)
    keys = [key for key in (*keys_first, *keys_second) if key in shared]
    levels = {str(key): np.array([float(one == key) for one in keys]) for key in shared[1:]}
    side = {"side": np.repeat([0.0, 1.0], [len(a), len(b)])}
    found = (
        fit(100 * np.concatenate([accuracies(a), accuracies(b)]), side | levels) if shared else None
    )
    if found is None:
        return MatchedOn(*about, None, None, None, None, None, None)
    cost = fit(np.concatenate([costs(a), costs(b)]), side | levels)
    term = found.term("side")
    ratio = None if cost is None else float(2 ** cost.term("side").value)
    return MatchedOn(*about, term.value, term.low, term.high, term.p, term.detectable, ratio)
