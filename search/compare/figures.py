"""All results of a comparison, computed once; table, page and JSON only show them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from search.compare.compute import (
    Curve,
    Floats,
    Measurement,
    Reference,
    best_within,
    compute,
    curve,
    reference,
    seconds,
)
from search.compare.groups import Group, group
from search.compare.notes import notes
from search.compare.populations import Matched, Population, matched
from search.compare.statistics import Estimate, difference, estimate, interval
from search.compare.studies import Entry
from search.pareto import Objective, Point, value_of
from search.report.notes import classes_unequal
from search.study.trials import Trial

FORMAT = "convbudget-compare/1"
# Points of a curve, evenly spaced in the logarithm of what was spent.
_GRID = 80
# Number of cost levels where none are given.
_LEVELS = 5


@dataclass(frozen=True)
class Line:
    """A curve's mean over seeds with its pointwise 95 % interval, None for one seed."""

    spent: list[float]  # [points]
    area: list[float]  # [points]
    low: list[float] | None  # [points]
    high: list[float] | None  # [points]


@dataclass(frozen=True)
class Figures:
    """The results of one group.

    `spent`: compute of a whole search (multiplies per training image), `seconds` and `trials`
    likewise, each the mean over seeds; `area` at the compute that every study reached; `area_end`
    at the end of each search, of its confirmed front where all studies have one; `accuracy_at`:
    the best value of the objective within each level of cost, None where a seed has no network
    that cheap; `balanced_at`: the balanced accuracy of those networks, None where classes are of
    equal size; `models`: (multiplies, value) of every architecture that a study trained; `fronts`:
    likewise of each study's front.
    """

    label: str
    studies: list[str]
    seeds: list[int]
    trials: float
    spent: float
    seconds: float
    area: Estimate
    area_end: Estimate
    accuracy_at: list[Estimate | None]  # [levels]
    balanced_at: list[Estimate | None] | None  # [levels]
    over_compute: Line
    over_seconds: Line
    models: list[Point]
    fronts: list[list[Point]]


@dataclass(frozen=True)
class Pair:
    """Two groups; all differences are the second minus the first.

    `paired`: both have the same seeds, so differences were taken seed by seed; `difference`: of the
    areas at equal compute; `accuracy_won`: of the best values within each level of cost, None where
    a seed has no network that cheap; `matched`: their models at equal multiplies.
    """

    first: str
    second: str
    paired: bool
    difference: Estimate
    accuracy_won: list[Estimate | None]  # [levels]
    matched: Matched | None


@dataclass(frozen=True)
class Comparison:
    """The results of a comparison.

    `objective`: what is compared; `equal`: the compute that every study reached; `confirmed`: the
    values at the `levels` and the areas at the end are means over fresh seeds (curves and models
    are always the search's); `unseen`: on so many images that the search never saw, 0 for none.
    """

    objective: Objective
    reference: Reference
    equal: float
    levels: list[int]
    confirmed: bool
    unseen: int
    groups: list[Figures]
    pairs: list[Pair]
    notes: list[str]


def measure(
    entries: Sequence[Entry], levels: Sequence[int] | None = None, seed: int = 0
) -> Comparison:
    """Compare studies that passed `studies.check`; `seed` is that of the random permutations."""
    within = reference(entries)
    groups = group(entries)
    objectives = {entry.objective for entry in entries}
    objective = objectives.pop() if len(objectives) == 1 else "accuracy"
    confirmed = all(entry.confirmed for entry in entries)
    chosen = sorted(set(levels)) if levels else _levels(within)
    curves = [[curve(entry, within, compute, objective) for entry in g.entries] for g in groups]
    equal = min(one.end for several in curves for one in several)
    rng = np.random.default_rng(seed)
    networks = [[_measurements(e, confirmed, objective) for e in g.entries] for g in groups]
    best = [[[best_within(own, c) for own in several] for c in chosen] for several in networks]
    balanced = classes_unequal(
        entries[0].info.data,
        ((trial.result.accuracy, _balanced(trial)) for e in entries for trial in e.finished()),
    )
    figures = [
        _figures(members, several, within, equal, found, balanced, objective, confirmed)
        for members, several, found in zip(groups, curves, best, strict=True)
    ]
    sides = [
        _Side(
            members,
            np.array([one.at(np.array([equal]))[0] for one in several]),
            [_known([one and one.value for one in at_level]) for at_level in found],
            population(members.entries, objective),
        )
        for members, several, found in zip(groups, curves, best, strict=True)
    ]
    pairs = [_pair(first, second, rng) for first, second in combinations(sides, 2)]
    unseen = min(entry.info.unseen for entry in entries) if confirmed else 0
    told = notes(groups, confirmed, [one.matched for one in pairs], unseen)
    return Comparison(objective, within, equal, chosen, confirmed, unseen, figures, pairs, told)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return all results as plain JSON values."""
    return {"format": FORMAT, **asdict(comparison)}


def _figures(
    members: Group,
    curves: Sequence[Curve],
    within: Reference,
    equal: float,
    best: Sequence[Sequence[Measurement | None]],
    balanced: bool,
    objective: Objective,
    confirmed: bool,
) -> Figures:
    entries = members.entries
    fronts = [
        [(row.multiplies, row.ranked_by(objective)) for row in entry.front] for entry in entries
    ]
    timed = [curve(entry, within, seconds, objective) for entry in entries]
    models = population(entries, objective)
    return Figures(
        label=members.label,
        studies=[entry.name for entry in entries],
        seeds=list(members.seeds),
        trials=float(np.mean([len(entry.trials) for entry in entries])),
        spent=float(np.mean([one.end for one in curves])),
        seconds=float(np.mean([one.end for one in timed])),
        area=estimate([one.at(np.array([equal]))[0] for one in curves]),
        area_end=estimate(
            [within.area(front) for front in fronts]
            if confirmed
            else [one.area[-1] for one in curves]
        ),
        accuracy_at=[_estimate([one and one.value for one in found]) for found in best],
        balanced_at=[_estimate([one and one.balanced for one in found]) for found in best]
        if balanced
        else None,
        over_compute=_line(curves),
        over_seconds=_line(timed),
        models=list(zip(map(int, models.multiplies), map(float, models.accuracy), strict=True)),
        fronts=fronts,
    )


def population(entries: Sequence[Entry], objective: Objective = "accuracy") -> Population:
    """Return every architecture that a study trained in full, once for each study.

    Several trainings of one architecture in one study are one model with their mean, because they
    are not independent draws; results taken over from another trial are left out.
    """
    rows: list[tuple[int, float, int]] = []
    for study, entry in enumerate(entries):
        found: dict[str, tuple[int, list[float]]] = {}
        for trial in entry.finished():
            value = value_of(trial.result, objective)
            if trial.same_as is None and not math.isnan(value):
                found.setdefault(trial.arch_id, (trial.multiplies, []))[1].append(value)
        rows += [(cost, float(np.mean(values)), study) for cost, values in found.values()]
    table = np.array(rows, np.float64).reshape(-1, 3)
    return Population(table[:, 0], table[:, 1], table[:, 2].astype(np.int64), len(entries))


def _measurements(entry: Entry, confirmed: bool, objective: Objective) -> list[Measurement]:
    if confirmed:
        return [
            Measurement(row.multiplies, row.ranked_by(objective), row.balanced_accuracy)
            for row in entry.front
        ]
    return [
        Measurement(trial.multiplies, value_of(trial.result, objective), _balanced(trial))
        for trial in entry.finished()
    ]


def _balanced(trial: Trial) -> float:
    return value_of(trial.result, "balanced_accuracy")


def _known(values: Sequence[float | None]) -> list[float] | None:
    """Return one value for each seed, None where a seed has none."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    return known if len(known) == len(values) else None


def _estimate(values: Sequence[float | None]) -> Estimate | None:
    known = _known(values)
    return None if known is None else estimate(known)


def _line(curves: Sequence[Curve]) -> Line:
    """Average curves from where all have begun to where the first one ends."""
    begin = max(float(one.spent[0]) for one in curves)
    end = max(begin, min(one.end for one in curves))
    # Zero has no logarithm: a user's chain may price encodings at 0, a trial may take 0 seconds.
    grid: Floats = np.geomspace(begin, end, _GRID) if 0 < begin < end else np.array([begin, end])
    # Exact ends: rounding must not leave out the last trial.
    grid[0], grid[-1] = begin, end
    areas = np.array([one.at(grid) for one in curves])
    low, high = interval(areas)
    return Line(
        grid.tolist(),
        areas.mean(axis=0).tolist(),
        None if low is None else low.tolist(),
        None if high is None else high.tolist(),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """What a pair needs of one group: for each seed, or for each model."""

    group: Group
    areas: Floats  # [seeds], at equal compute
    best: list[list[float] | None]  # [levels][seeds]
    models: Population


def _pair(first: _Side, second: _Side, rng: np.random.Generator) -> Pair:
    groups = (first.group, second.group)
    paired = first.group.seeds == second.group.seeds
    # A strategy that learns chooses models by earlier results, so they are not independent draws.
    independent = all(entry.independent for g in groups for entry in g.entries)
    return Pair(
        first.group.label,
        second.group.label,
        paired,
        difference(first.areas, second.areas, paired=paired),
        [
            None if a is None or b is None else difference(a, b, paired=paired)
            for a, b in zip(first.best, second.best, strict=True)
        ],
        matched(first.models, second.models, paired=paired, independent=independent, rng=rng),
    )


def _levels(within: Reference) -> list[int]:
    """Choose round levels, 1, 2 or 5 times a power of ten, below the budget, and the budget."""
    top = int(math.log10(within.high)) + 1
    series = [digit * 10**power for power in range(top + 1) for digit in (1, 2, 5)]
    inside = [level for level in series if 1.5 * within.low <= level < within.high]
    return [*inside[-(_LEVELS - 1) :], within.high]
