"""All figures of a comparison, computed once; table, page and JSON only show them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from search.compare.compute import (
    Curve,
    Floats,
    Reference,
    best_within,
    compute,
    curve,
    reference,
    seconds,
)
from search.compare.groups import Group, group
from search.compare.statistics import Estimate, Matched, difference, estimate, interval, matched
from search.compare.studies import Entry
from search.pareto import Point
from search.study.computed import platforms

FORMAT = "convbudget-compare/1"
# Points of a curve, evenly over the logarithm of what was spent.
_GRID = 80
# Levels of cost that are chosen where none are given.
_LEVELS = 5


@dataclass(frozen=True)
class Line:
    """A curve's mean over seeds with its 95 % interval, None for one seed, at each of `spent`."""

    spent: list[float]
    area: list[float]
    low: list[float] | None
    high: list[float] | None


@dataclass(frozen=True)
class Figures:
    """What was measured of one group.

    `spent`: compute of a whole search (multiplies per training image), `seconds` and `trials`
    likewise, each the mean over seeds; `area` at the compute that every study reached; `area_end`
    at the end of each search; `accuracy_at` the best accuracy at each level of cost, None where a
    seed has nothing that cheap; `models` the (multiplies, accuracy) of every architecture trained,
    `fronts` those of the fronts, one a seed.
    """

    label: str
    studies: list[str]
    seeds: list[int]
    trials: float
    spent: float
    seconds: float
    area: Estimate
    area_end: Estimate
    accuracy_at: list[Estimate | None]
    over_compute: Line
    over_seconds: Line
    models: list[Point]
    fronts: list[list[Point]]


@dataclass(frozen=True)
class Pair:
    """Two groups: the second's area minus the first's at equal compute, and their models."""

    first: str
    second: str
    paired: bool
    difference: Estimate
    matched: Matched | None


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found; `equal` is the compute that every study reached.

    `confirmed` says that accuracies at levels are means over fresh seeds; curves and models are
    always the search's own.
    """

    reference: Reference
    equal: float
    levels: list[int]
    confirmed: bool
    groups: list[Figures]
    pairs: list[Pair]
    notes: list[str]


def measure(
    entries: Sequence[Entry], levels: Sequence[int] | None = None, seed: int = 0
) -> Comparison:
    """Compare studies that `reading.check` let through; `seed` is that of the resampling."""
    within = reference(entries)
    groups = group(entries)
    confirmed = all(entry.confirmed for entry in entries)
    chosen = sorted(set(levels)) if levels else _levels(within)
    curves = [[curve(entry, within, compute) for entry in g.entries] for g in groups]
    equal = min(one.end for several in curves for one in several)
    rng = np.random.default_rng(seed)
    figures = [
        _figures(g, several, within, equal, chosen, confirmed, rng)
        for g, several in zip(groups, curves, strict=True)
    ]
    reached = [np.array([one.at(np.array([equal]))[0] for one in several]) for several in curves]
    pairs = [
        _pair(groups[a], groups[b], reached[a], reached[b], (figures[a], figures[b]), rng)
        for a, b in combinations(range(len(groups)), 2)
    ]
    return Comparison(
        within, equal, chosen, confirmed, figures, pairs, _notes(groups, entries, confirmed)
    )


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return all figures as plain JSON values."""
    return {"format": FORMAT, **asdict(comparison)}


def _figures(
    members: Group,
    curves: Sequence[Curve],
    within: Reference,
    equal: float,
    levels: Sequence[int],
    confirmed: bool,
    rng: np.random.Generator,
) -> Figures:
    entries = members.entries
    fronts: list[list[Point]] = [[(m.multiplies, m.accuracy) for m in e.front] for e in entries]
    searched: list[list[Point]] = [
        [(t.multiplies, t.result.accuracy) for t in e.finished()] for e in entries
    ]
    timed = [curve(entry, within, seconds) for entry in entries]
    return Figures(
        label=members.label,
        studies=[entry.name for entry in entries],
        seeds=list(members.seeds),
        trials=float(np.mean([len(entry.trials) for entry in entries])),
        spent=float(np.mean([one.end for one in curves])),
        seconds=float(np.mean([one.end for one in timed])),
        area=estimate([one.at(np.array([equal]))[0] for one in curves], rng),
        area_end=estimate([one.area[-1] for one in curves], rng),
        accuracy_at=[_best(fronts if confirmed else searched, level, rng) for level in levels],
        over_compute=_line(curves, rng),
        over_seconds=_line(timed, rng),
        models=models(entries),
        fronts=fronts,
    )


def models(entries: Sequence[Entry]) -> list[Point]:
    """Return (multiplies, accuracy) of each architecture trained in full, once over all studies.

    Several trainings of one are one model, with their mean: they are not independent draws.
    """
    found: dict[str, tuple[int, list[float]]] = {}
    for entry in entries:
        for trial in entry.finished():
            if trial.same_as is None:
                _, accuracies = found.setdefault(trial.arch_id, (trial.multiplies, []))
                accuracies.append(trial.result.accuracy)
    return [(cost, float(np.mean(accuracies))) for cost, accuracies in found.values()]


def _best(
    points: Sequence[Sequence[Point]], level: int, rng: np.random.Generator
) -> Estimate | None:
    found = [best_within(own, level) for own in points]
    reached = [value for value in found if value is not None]
    return estimate(reached, rng) if len(reached) == len(found) else None


def _line(curves: Sequence[Curve], rng: np.random.Generator) -> Line:
    """Average curves from where all have begun to where the first of them ends."""
    begin = max(float(one.spent[0]) for one in curves)
    end = max(begin, min(one.end for one in curves))
    # Nothing spent has no logarithm: a user's chain may price lists at 0, a clock may stand.
    grid: Floats = np.geomspace(begin, end, _GRID) if 0 < begin < end else np.array([begin, end])
    # Exact ends: rounding must not fall short of the last trial.
    grid[0], grid[-1] = begin, end
    areas = np.array([one.at(grid) for one in curves])
    low, high = interval(areas, rng)
    return Line(
        grid.tolist(),
        areas.mean(axis=0).tolist(),
        None if low is None else low.tolist(),
        None if high is None else high.tolist(),
    )


def _pair(
    first: Group,
    second: Group,
    area_first: Floats,
    area_second: Floats,
    figures: tuple[Figures, Figures],
    rng: np.random.Generator,
) -> Pair:
    paired = first.seeds == second.seeds
    gap = difference(area_first, area_second, paired=paired, rng=rng)
    (costs_a, accuracies_a), (costs_b, accuracies_b) = (
        zip(*one.models, strict=True) for one in figures
    )
    found = matched((costs_a, accuracies_a), (costs_b, accuracies_b), rng)
    return Pair(first.label, second.label, paired, gap, found)


def _levels(within: Reference) -> list[int]:
    """Choose round levels, 1, 2 or 5 times a power of ten, below the budget, and the budget."""
    top = int(math.log10(within.high)) + 1
    series = [digit * 10**power for power in range(top + 1) for digit in (1, 2, 5)]
    inside = [level for level in series if 1.5 * within.low <= level < within.high]
    return [*inside[-(_LEVELS - 1) :], within.high]


def _notes(groups: Sequence[Group], entries: Sequence[Entry], confirmed: bool) -> list[str]:
    notes = []
    fewest = min(len(g.entries) for g in groups)
    if fewest < 2:
        lonely = ", ".join(g.label for g in groups if len(g.entries) < 2)
        notes.append(f"One seed alone has no interval ({lonely}): add seeds, as in -m seed=0,1,2.")
    elif fewest < 5:
        notes.append(
            f"With {fewest} seeds a bootstrap interval is too narrow: take it for the least spread."
        )
    if not confirmed:
        notes.append(
            "Accuracies are the search's own, the best of many and so too high;"
            " confirm.seeds=3 measures them again."
        )
    strategies = {str(_strategy(entry)) for entry in entries}
    if len(groups) > 1 and strategies != {"random"}:
        notes.append(
            "Models that a learning strategy chose are no random sample of their space: read KS as"
            " a distance between what was tried; strategy=random samples."
        )
    if len({len(g.entries) for g in groups}) > 1:
        notes.append("Groups have unequally many seeds.")
    mixed = platforms(trial for entry in entries for trial in entry.trials)
    if len(mixed) > 1:
        notes.append(
            f"Trials were computed on different platforms ({'; '.join(mixed)}): equal trainings"
            " differ a little there, and seconds cannot be compared."
        )
    return notes


def _strategy(entry: Entry) -> object:
    strategy = entry.settings.get("strategy")
    return strategy.get("name") if isinstance(strategy, dict) else strategy
