"""What replacing every block by another kind costs a network: twins of one shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from search.compare.statistics import estimate
from search.question.regression import Term, fit
from search.question.trainings import FAMILIES, Training

# Sizes into which the networks are sorted: equal numbers in each.
_SIZES = 4


@dataclass(frozen=True)
class Loss:
    """Accuracy of the replaced network minus that of its original, mean over networks, in points.

    `from_multiplies`, `to_multiplies`: of the originals; `ratio`: the twin's multiplies over the
    original's, geometric mean; `params_ratio` likewise; `low`, `high`: 95 % interval over networks,
    None for a single one; `seeds`: trainings behind each network's figure.
    """

    first: str
    second: str
    epochs: int
    from_multiplies: int
    to_multiplies: int
    n: int
    seeds: int
    points: float
    low: float | None
    high: float | None
    ratio: float
    params_ratio: float


@dataclass(frozen=True)
class Twins:
    """All twins of one length: the mean loss, by size, and its slope in points a doubling."""

    whole: Loss
    by_size: list[Loss]
    slope: Term | None
    pairs: list[tuple[int, float]]  # [networks]: multiplies of the original, points


@dataclass(frozen=True)
class _Pair:
    original: Training
    twin: Training
    points: float
    seeds: int


def twins(trainings: Sequence[Training], epochs: int) -> Twins | None:
    """Pair networks of one shape, with the seeds that both have; None where there are none.

    The original is the one whose kind comes first among the families.
    """
    found = _pairs(trainings, epochs)
    if not found:
        return None
    sizes = [part.tolist() for part in np.array_split(np.arange(len(found)), _SIZES)]
    slope = fit(
        np.array([one.points for one in found]),
        {"doubling": np.log2([one.original.multiplies for one in found])},
    )
    return Twins(
        _loss(found),
        [_loss([found[index] for index in part]) for part in sizes if part],
        None if slope is None else slope.term("doubling"),
        [(one.original.multiplies, one.points) for one in found],
    )


def _pairs(trainings: Sequence[Training], epochs: int) -> list[_Pair]:
    """Return the pairs by rising multiplies of the original."""
    shapes: dict[tuple[str, str], dict[str, dict[int, Training]]] = {}
    for one in trainings:
        if one.design == "twins" and one.epochs == epochs and one.status == "ok":
            kinds = shapes.setdefault((one.study, one.shape), {})
            kinds.setdefault(one.family, {})[one.seed] = one
    found = []
    for kinds in shapes.values():
        if len(kinds) != 2:
            continue
        names = sorted(kinds, key=FAMILIES.index)
        originals, replaced = (kinds[name] for name in names)
        seeds = sorted(originals.keys() & replaced.keys())
        if seeds:
            points = fmean(100 * (replaced[s].accuracy - originals[s].accuracy) for s in seeds)
            found.append(_Pair(originals[seeds[0]], replaced[seeds[0]], points, len(seeds)))
    return sorted(found, key=lambda one: (one.original.multiplies, one.original.arch_id))


def _loss(pairs: Sequence[_Pair]) -> Loss:
    mean = estimate([one.points for one in pairs])
    original = [one.original for one in pairs]
    twin = [one.twin for one in pairs]
    return Loss(
        original[0].family,
        twin[0].family,
        original[0].epochs,
        original[0].multiplies,
        original[-1].multiplies,
        len(pairs),
        min(one.seeds for one in pairs),
        mean.mean,
        mean.low,
        mean.high,
        _ratio([b.multiplies / a.multiplies for a, b in zip(original, twin, strict=True)]),
        _ratio([b.params / a.params for a, b in zip(original, twin, strict=True)]),
    )


def _ratio(ratios: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(ratios))))
