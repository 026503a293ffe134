"""A comparison as text: rows of cells, which the terminal and the page both lay out."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from search.compare.measuring import Comparison, Figures, Pair
from search.compare.statistics import Estimate
from search.quantities import format_multiplies

Rows = list[tuple[str, ...]]


def group_rows(comparison: Comparison) -> Rows:
    """Return the head and a row for each group: sizes, areas, what a search took."""
    head = (
        *("group", "seeds", "trials", "area at equal compute", "area at the end"),
        *("compute", "seconds"),
    )
    return [head, *(_group(one) for one in comparison.groups)]


def accuracy_rows(comparison: Comparison) -> Rows:
    """Return the head and a row for each group: the best accuracy within each cost."""
    head = ("group", *(f"≤ {format_multiplies(level)}" for level in comparison.levels))
    rows = [
        (one.label, *("–" if cell is None else interval(cell) for cell in one.accuracy_at))
        for one in comparison.groups
    ]
    return [head, *rows]


def pair_rows(comparison: Comparison) -> Rows:
    """Return the head and a row for each two groups: area won, and models at equal multiplies."""
    head = (
        *("groups", "area, second − first", "models", "between"),
        *("accuracy, second − first", "KS", "p"),
    )
    return [head, *(_pair(one) for one in comparison.pairs)]


def explanation(comparison: Comparison) -> list[str]:
    """Say what the figures mean, a paragraph each; then what to beware of."""
    within = comparison.reference
    equal = format_multiplies(round(comparison.equal))
    lines = [
        "Area: hypervolume of the front on log10(multiplies) from"
        f" {format_multiplies(within.low)} to {format_multiplies(within.high)} and accuracy from"
        f" {within.chance:.3g} to 1, as a share of all of it; in brackets 95 % bootstrap intervals"
        " over seeds.",
        "Compute: 3 × multiplies × epochs, summed over all trainings, for one training image;"
        f" equal compute is {equal}, which every study reached. Seconds are those of training and"
        " compilation, summed.",
    ]
    if comparison.pairs:
        lines.append(
            "KS: distance of the accuracies' distributions at matched multiplies, every stratum of"
            " cost weighing the same in both groups; p by permutation within strata."
        )
    return [*lines, *comparison.notes]


def interval(value: Estimate, signed: bool = False) -> str:
    """Write `0.912 [0.905, 0.918]`, or the mean alone where there is no interval."""
    form = "+.4f" if signed else ".4f"
    if value.low is None or value.high is None:
        return f"{value.mean:{form}}"
    return f"{value.mean:{form}} [{value.low:{form}}, {value.high:{form}}]"


def show(console: Console, comparison: Comparison) -> None:
    """Print all of it."""
    kind = "confirmed with fresh seeds" if comparison.confirmed else "the search's own"
    for title, rows in (
        ("Fronts", group_rows(comparison)),
        (f"Best accuracy within a cost, {kind}", accuracy_rows(comparison)),
        ("Two by two", pair_rows(comparison) if comparison.pairs else []),
    ):
        if rows:
            console.print(title, style="bold", highlight=False)
            console.print(_table(rows), highlight=False)
    for line in explanation(comparison):
        console.print(line, highlight=False, markup=False)


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if index == 0 else "right", no_wrap=False)
    for row in rows[1:]:
        # Labels hold brackets, which would pass for markup.
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    return table


def _group(one: Figures) -> tuple[str, ...]:
    return (
        one.label,
        str(len(one.seeds)),
        f"{one.trials:g}",
        interval(one.area),
        interval(one.area_end),
        format_multiplies(round(one.spent)),
        f"{one.seconds:.0f}",
    )


def _pair(one: Pair) -> tuple[str, ...]:
    names = f"{one.first} → {one.second}"
    gap = interval(one.difference, signed=True)
    found = one.matched
    if found is None:
        return (names, gap, "no shared cost", "", "", "", "")
    return (
        names,
        gap,
        f"{found.first} and {found.second}",
        f"{format_multiplies(found.low)} and {format_multiplies(found.high)}",
        f"{found.gain:+.4f}",
        f"{found.distance:.3f}",
        f"{found.p:.3f}",
    )
