"""A comparison as text: rows of cells, which the terminal and the page both lay out."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from search.compare.figures import Comparison, Figures, Pair
from search.compare.statistics import Estimate
from search.units import format_multiplies

Rows = list[tuple[str, ...]]


def letters(comparison: Comparison) -> dict[str, str]:
    """Return a short name for each group's label: A, B, …, for tables are narrow."""
    return {one.label: _letter(index) for index, one in enumerate(comparison.groups)}


def group_rows(comparison: Comparison) -> Rows:
    """Return the head and a row for each group: sizes, areas, what a search took."""
    head = (
        *("", "seeds", "trials", "area at equal compute", "area at the end"),
        *("compute", "seconds"),
    )
    short = letters(comparison)
    return [head, *(_group(one, short) for one in comparison.groups)]


def accuracy_rows(comparison: Comparison) -> Rows:
    """Return the head and a row for each cost: the best accuracy within it in each group."""
    short = letters(comparison)
    head = ("multiplies", *(short[one.label] for one in comparison.groups))
    rows: Rows = [head]
    for index, level in enumerate(comparison.levels):
        cells = [one.accuracy_at[index] for one in comparison.groups]
        shown = ("–" if cell is None else interval(cell) for cell in cells)
        rows.append((f"≤ {format_multiplies(level)}", *shown))
    return rows


def pair_rows(comparison: Comparison) -> Rows:
    """Return the head and a row for each two groups: area won, and models at equal multiplies."""
    head = ("", "area won", "models", "from", "to", "accuracy won", "KS", "p")
    short = letters(comparison)
    return [head, *(_pair(one, short) for one in comparison.pairs)]


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
            "A → B: what B has more than A, in area at equal compute"
            + (", seed by seed," if all(one.paired for one in comparison.pairs) else "")
            + " and in mean accuracy over all models trained from so many multiplies to so many."
            " KS: distance of their accuracies' distributions at matched multiplies: every stratum"
            " of cost weighs the same in both; p: how often chance gives as much."
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
    for label, letter in letters(comparison).items():
        console.print(f"{letter}  {label}", highlight=False, markup=False)
    kind = "confirmed with fresh seeds" if comparison.confirmed else "the search's own"
    for title, rows in (
        ("Fronts", group_rows(comparison)),
        (f"Best accuracy within a cost, {kind}", accuracy_rows(comparison)),
        ("Two by two", pair_rows(comparison) if comparison.pairs else []),
    ):
        if rows:
            console.print(f"\n{title}", style="bold", highlight=False)
            console.print(_table(rows), highlight=False)
    for line in explanation(comparison):
        console.print(line, highlight=False, markup=False)


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if index == 0 else "right")
    for row in rows[1:]:
        # Intervals stand in brackets, which would pass for markup.
        table.add_row(*map(escape, row))
    return table


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"G{index + 1}"


def _group(one: Figures, short: Mapping[str, str]) -> tuple[str, ...]:
    return (
        short[one.label],
        str(len(one.seeds)),
        f"{one.trials:g}",
        interval(one.area),
        interval(one.area_end),
        format_multiplies(round(one.spent)),
        f"{one.seconds:.0f}",
    )


def _pair(one: Pair, short: Mapping[str, str]) -> tuple[str, ...]:
    names = f"{short[one.first]} → {short[one.second]}"
    gap = interval(one.difference, signed=True)
    found = one.matched
    if found is None:
        return (names, gap, "no shared cost", "", "", "", "", "")
    return (
        names,
        gap,
        f"{found.first} and {found.second}",
        format_multiplies(found.low),
        format_multiplies(found.high),
        # Nothing is no loss: -0.00001 would be shown with a minus.
        f"{round(found.gain, 4) + 0.0:+.4f}",
        f"{found.distance:.3f}",
        f"{found.p:.3f}",
    )
