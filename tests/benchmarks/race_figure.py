"""The race's table, as markdown, and its figure: area over wall time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.files import write
from search.units import format_multiplies

# Colours that people who see few colours can tell apart (Okabe and Ito, 2008).
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999", "#000000")

_LABELS = {
    "ours": "convbudget, its first run",
    "ours-warm": "convbudget, later runs",
    "ours-best": "convbudget, aim=best",
    "ours-front": "convbudget, aim=front",
    "ours-front-warm": "the same, later runs",
    "ours-halving": "convbudget, halving",
    "ours-average": "convbudget, averaged",
    "tpe": "Optuna TPE",
    "tpe-best": "Optuna TPE on accuracy",
    "nsgaii": "Optuna NSGA-II",
    "botorch": "BoTorch, feasible set given",
    "botorch-best": "BoTorch on accuracy",
    "vizier": "Vizier GP-UCB-PE",
}
# The end of the axis: what is missing to an area of 1.
_LEAST = 0.015


def number(value: Mapping[str, Any], digits: int = 4) -> str:
    """Return a mean with half of its interval."""
    if value["low"] is None:
        return f"{value['mean']:.{digits}f}"
    return f"{value['mean']:.{digits}f} ± {(value['high'] - value['low']) / 2:.{digits}f}"


def first(moments: list[float | None]) -> str:
    """Return the mean of the seconds to a mark, over the seeds that reached it."""
    known = [one for one in moments if one is not None]
    if not known:
        return "never"
    said = f"{sum(known) / len(known):.0f} s"
    return said if len(known) == len(moments) else f"{said} ({len(known)} of {len(moments)})"


def table(summary: Mapping[str, Any]) -> str:
    """Return one row a search: means over seeds ± half of Student's 95 % interval."""
    searches, goals = summary["searches"], list(summary["marks"])
    levels = list(next(iter(searches.values()))["within"]) if searches else []
    costs = [format_multiplies(int(level)) for level in levels]
    head = ["search", "networks", "area", f"above {costs[0]}" if costs else "above"]
    head += [f"best within {cost}" for cost in costs]
    head += [f"to the area of {name}" for name in goals] + ["area less than ours"]
    rows = [head, ["---"] * len(head)]
    for name, row in searches.items():
        more = row["ours_more"]
        rows.append(
            [
                name,
                number(row["evaluations"], 0),
                number(row["areas"][-1]),
                number(row["area_above"]),
                *(number(row["within"][level]) for level in levels),
                *(first(row["reached"][goal]) for goal in goals),
                "" if more is None else number(more),
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def draw(summary: Mapping[str, Any], title: str, path: Path) -> None:
    """Draw the mean area over wall time, its 95 % interval shaded.

    What is missing to an area of 1 stands on a logarithmic scale: the good fronts differ in that.
    """
    import io

    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    figure = Figure((7.6, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, row) in enumerate(summary["searches"].items()):
        means = [1 - one["mean"] for one in row["areas"]]
        colour, style = _COLOURS[place % len(_COLOURS)], "-" if name.startswith("ours") else "--"
        wide = 2.2 if name.startswith("ours") else 1.2
        label = f"{_LABELS.get(name, name)} ({len(row['seeds'])} seeds)"
        axes.plot(
            summary["times"], means, style, color=colour, marker=".", linewidth=wide, label=label
        )
        if row["areas"][0]["low"] is not None:
            ends = ([1 - one[end] for one in row["areas"]] for end in ("low", "high"))
            below, above = ([min(max(one, _LEAST), 1) for one in end] for end in ends)
            axes.fill_between(summary["times"], below, above, color=colour, alpha=0.12, linewidth=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([n * 10**k for k in range(5) for n in (1, 2, 5)]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(summary["times"][0] * 0.95, summary["times"][-1] * 1.05)
    axes.set_xlabel("seconds since the command was typed")
    axes.set_yscale("log")
    axes.set_ylim(1, _LEAST)
    axes.yaxis.set_major_locator(FixedLocator([1, 0.5, 0.2, 0.1, 0.05, 0.03, 0.02]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{1 - y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("area of the front, by test accuracy")
    axes.set_title(title, fontsize=10, loc="left")
    axes.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside lower center", ncols=3, frameon=False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=150)
    write(path, drawn.getvalue())
