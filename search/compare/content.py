"""All that `compare.html` shows, computed before anything is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.compare.figures import Comparison, Line
from search.compare.groups import without_common_key
from search.compare.table import cautions, definitions, tables
from search.errors import shown
from search.pareto import Objective, Point
from search.report.matching import Distribution, distribution, weights
from search.report.page import TablePage

# Characters of the page's title, and of a group's name.
_TITLE = 120
_NAME = 100


@dataclass(frozen=True)
class GroupPage:
    """One group as the page draws it.

    `distribution` is of its models, weighted so that all groups have one distribution of cost; None
    where no cost is shared.
    """

    name: str
    label: str
    studies: list[str]
    over_compute: Line
    over_seconds: Line
    fronts: list[list[Point]]  # [studies][members], cheapest first
    distribution: Distribution | None


@dataclass(frozen=True)
class ComparePage:
    """The content of `compare.html`; `low`, `high` is the range of cost in which areas count."""

    title: str
    objective: Objective
    confirmed: bool
    low: int
    high: int
    groups: list[GroupPage]
    tables: list[TablePage]
    definitions: list[str]
    cautions: list[str]


def compare_page(comparison: Comparison) -> ComparePage:
    """Return the content of the page of a comparison."""
    names = page_names([one.label for one in comparison.groups])
    short = {one.label: name for one, name in zip(comparison.groups, names, strict=True)}
    title = " against ".join(names) if len(names) < 4 else f"{len(names)} groups"
    if names != [one.label for one in comparison.groups]:
        title = f"{comparison.groups[0].label.partition('=')[0]}: {title}"
    return ComparePage(
        title=shown(title, _TITLE),
        objective=comparison.objective,
        confirmed=comparison.confirmed,
        low=comparison.reference.low,
        high=comparison.reference.high,
        groups=[
            GroupPage(
                name,
                shown(one.label, 1000),
                [shown(study, 200) for study in one.studies],
                one.over_compute,
                one.over_seconds,
                [sorted(points) for points in one.fronts],
                spread,
            )
            for one, name, spread in zip(
                comparison.groups, names, _distributions(comparison), strict=True
            )
        ],
        tables=[TablePage(title, rows) for title, rows in tables(comparison, short)],
        definitions=definitions(comparison),
        cautions=cautions(comparison),
    )


def page_names(labels: Sequence[str]) -> list[str]:
    """Return the names of groups: their labels, without the key where all set the same one."""
    short = zip(without_common_key(labels), labels, strict=True)
    labels = [value or text for value, text in short]
    names = [shown(text, _NAME) for text in labels]
    # Long labels may be alike but for their middle, which is left out.
    return names if len(set(names)) == len(names) else [shown(text, 1000) for text in labels]


def _distributions(comparison: Comparison) -> list[Distribution | None]:
    models = [np.array(one.models, np.float64).reshape(-1, 2) for one in comparison.groups]
    weighted = weights([each[:, 0] for each in models])
    if weighted is None:
        return [None for _ in models]
    return [
        distribution(each[:, 1], weight) for each, weight in zip(models, weighted[0], strict=True)
    ]
