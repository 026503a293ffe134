"""A comparison as text: rows of cells, which the terminal and the page both lay out."""

from collections.abc import Mapping

from rich.console import Console

from search.compare.figures import Comparison, Figures, Pair
from search.compare.groups import short_labels
from search.compare.statistics import Estimate
from search.errors import shown
from search.report.terminal import Rows, table
from search.units import format_multiplies

# Intervals narrower than this have no width but for rounding.
_WIDTH = 1e-9
# Characters of a label or a note, some lines of a terminal.
_LONGEST = 400


def names(comparison: Comparison) -> dict[str, str]:
    """Return the name of each group in the tables, by its label."""
    labels = [one.label for one in comparison.groups]
    return {label: shown(name) for label, name in zip(labels, short_labels(labels), strict=True)}


def tables(
    comparison: Comparison, short: Mapping[str, str] | None = None
) -> list[tuple[str, Rows]]:
    """Return the tables that have rows, each with its title.

    `short` maps the label of each group to its name there, by default as `names` does.
    """
    short = names(comparison) if short is None else short
    kind = "confirmed with fresh seeds" if comparison.confirmed else "the search's own"
    if comparison.unseen:
        kind += " on images that chose nothing"
    words = comparison.objective.replace("_", " ")
    found = [
        ("Fronts", _group_rows(comparison, short)),
        (f"Best {words} within a cost, {kind}", _value_rows(comparison, short)),
    ]
    if all(one.balanced_at is not None for one in comparison.groups):
        found.append(
            ("Balanced accuracy of the same networks", _value_rows(comparison, short, True))
        )
    if comparison.pairs:
        found.append(("Group against group", _pair_rows(comparison, short)))
        found.append((f"{words.capitalize()} won within a cost", _won_rows(comparison, short)))
    return found


def _group_rows(comparison: Comparison, short: Mapping[str, str]) -> Rows:
    """Return the head and a row for each group: sizes, areas, what a search took."""
    head = (
        *("", "seeds", "trials", "area at equal compute", _end(comparison)),
        *("compute", "seconds"),
    )
    return [head, *(_group(one, short[one.label]) for one in comparison.groups)]


def _end(comparison: Comparison) -> str:
    """Return the head of the areas at the end, which are not the search's once it is confirmed."""
    return "area at the end" + ", confirmed" * comparison.confirmed


def _value_rows(comparison: Comparison, short: Mapping[str, str], balanced: bool = False) -> Rows:
    """Return the head and a row for each level: the best network within it in each group."""
    rows: Rows = [("multiplies", *(short[one.label] for one in comparison.groups))]
    columns = [
        (one.balanced_at or []) if balanced else one.accuracy_at for one in comparison.groups
    ]
    for level, cells in zip(comparison.levels, zip(*columns, strict=True), strict=True):
        values = ("–" if cell is None else interval(cell) for cell in cells)
        rows.append((f"≤ {format_multiplies(level)}", *values))
    return rows


def _pair_rows(comparison: Comparison, short: Mapping[str, str]) -> Rows:
    """Return the head and a row for each two groups: area won, and models at equal multiplies."""
    head = ("", "area won", "models", "from", "to", "accuracy won", "KS", "p")
    return [
        head,
        *(_pair(one, f"{short[one.first]} → {short[one.second]}") for one in comparison.pairs),
    ]


def _won_rows(comparison: Comparison, short: Mapping[str, str]) -> Rows:
    """Return the head and a row for each two groups: what the second's best network has more."""
    rows: Rows = [("", *(f"≤ {format_multiplies(level)}" for level in comparison.levels))]
    for one in comparison.pairs:
        cells = ("–" if won is None else interval(won, signed=True) for won in one.accuracy_won)
        rows.append((f"{short[one.first]} → {short[one.second]}", *cells))
    return rows


def explanation(comparison: Comparison) -> list[str]:
    """Say what the figures mean, a paragraph each; then what to beware of."""
    return [*definitions(comparison), *cautions(comparison)]


def cautions(comparison: Comparison) -> list[str]:
    """Say what to beware of, most important first."""
    return [shown(note, _LONGEST) for note in comparison.notes]


def definitions(comparison: Comparison) -> list[str]:
    """Say what the figures mean, a paragraph each."""
    within = comparison.reference
    equal = format_multiplies(round(comparison.equal))
    lines = [
        "Area: hypervolume of the front on log10(multiplies) from"
        f" {format_multiplies(within.low)} to {format_multiplies(within.high)} and accuracy from"
        f" {within.chance:.3g} to 1, as a share of the whole.",
        "Compute: 3 × multiplies × epochs, summed over all trainings, for one training image;"
        f" equal compute is {equal}, which every study reached. Seconds are those of training and"
        " compilation, summed.",
    ]
    if comparison.confirmed:
        lines.append(
            "Area at the end: of the confirmed fronts. Area at equal compute, curves and models are"
            " of the search's own accuracies, for a search is confirmed only at its end."
        )
    if any(one.area.low is not None for one in comparison.groups):
        lines.append(
            "In brackets: 95 % intervals of the mean over seeds, by Student's t, not clipped to"
            " [0, 1]; (same): all seeds gave this figure, which does not make it certain."
        )
    if comparison.pairs:
        lines.append(
            "X → Y: what Y has more than X, in area at equal compute, in mean accuracy of the"
            " models trained from so many multiplies to so many, and in the best accuracy within a"
            " cost." + _pairing(comparison)
        )
        lines.append(
            "KS: largest distance between their distributions of accuracy, with models weighted so"
            " that both groups have the same distribution of multiplies (Radosavovic et al. 2019)."
            + _exchange(comparison)
        )
    return lines


def _pairing(comparison: Comparison) -> str:
    """Say how the intervals of differences were made, for all pairs or for some."""
    if not any(one.difference.low is not None for one in comparison.pairs):
        return ""
    paired = {one.paired for one in comparison.pairs}
    if paired == {True}:
        return " Differences are taken seed by seed."
    if paired == {False}:
        return " Intervals of differences are Welch's, because the seeds differ."
    return " Differences are taken seed by seed where seeds are the same, else Welch's interval."


def _exchange(comparison: Comparison) -> str:
    """Say what the permutations of the p-values exchanged."""
    exchanged = {
        one.matched.exchanged
        for one in comparison.pairs
        if one.matched is not None and one.matched.p is not None
    }
    ways = {
        "models": "models within each seed and range of multiplies",
        "studies": "whole studies, because models of one study are not independent draws,",
    }
    if not exchanged:
        return ""
    words = " or ".join(ways[way] for way in sorted(exchanged))
    return f" p: how often exchanging {words} gives at least that distance."


def interval(value: Estimate, signed: bool = False) -> str:
    """Write `0.9120 [0.9050, 0.9190]`, or the mean alone where there is no interval.

    Accuracies are multiples of one image, so seeds may agree exactly: that is `0.9120 (same)`,
    because an interval without width would claim too much.
    """
    form = "+.4f" if signed else ".4f"
    if value.low is None or value.high is None:
        return f"{value.mean:{form}}"
    if value.high - value.low < _WIDTH:
        return f"{value.mean:{form}} (same)"
    return f"{value.mean:{form}} [{value.low:{form}}, {value.high:{form}}]"


def show(console: Console, comparison: Comparison) -> None:
    """Print the groups, all tables and their explanation."""
    short = names(comparison)
    width = max(map(len, short.values()))
    for label, name in short.items():
        if name != label:
            line = f"{name:<{width}}  {shown(label, _LONGEST)}"
            console.print(line, highlight=False, markup=False)
    for title, rows in tables(comparison):
        console.print(f"\n{title}", style="bold", highlight=False, markup=False)
        console.print(table(rows), highlight=False)
    for line in explanation(comparison):
        console.print(line, highlight=False, markup=False)


def _group(one: Figures, name: str) -> tuple[str, ...]:
    return (
        name,
        str(len(one.seeds)),
        f"{one.trials:g}",
        interval(one.area),
        interval(one.area_end),
        format_multiplies(round(one.spent)),
        f"{one.seconds:.0f}",
    )


def _pair(one: Pair, name: str) -> tuple[str, ...]:
    gap = interval(one.difference, signed=True)
    found = one.matched
    if found is None:
        return (name, gap, "no shared cost", "", "", "", "", "")
    return (
        name,
        gap,
        f"{found.first} and {found.second}",
        format_multiplies(found.low),
        format_multiplies(found.high),
        # Adding 0.0 turns -0.0, which would be shown with a minus, into 0.0.
        f"{round(found.gain, 4) + 0.0:+.4f}",
        f"{found.distance:.3f}",
        "–" if found.p is None else f"{found.p:.3f}",
    )
