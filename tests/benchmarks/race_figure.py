"""The race's table, as markdown, and its figure: area over wall time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.files import write
from search.units import format_multiplies

# Colours that people who see few colours can tell apart (Okabe and Ito, 2008).
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999", "#000000")


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
    """Draw the mean area over wall time, its 95 % interval shaded."""
    import io

    from matplotlib.figure import Figure

    figure = Figure((7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, row) in enumerate(summary["searches"].items()):
        means = [one["mean"] for one in row["areas"]]
        colour, style = _COLOURS[place % len(_COLOURS)], "-" if name.startswith("ours") else "--"
        label = f"{name} ({len(row['seeds'])} seeds)"
        axes.plot(summary["times"], means, style, color=colour, marker=".", label=label)
        if row["areas"][0]["low"] is not None:
            low, high = ([one[end] for one in row["areas"]] for end in ("low", "high"))
            axes.fill_between(summary["times"], low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlabel("seconds since the command was typed")
    axes.set_ylabel("area of the front, test accuracy of retrained networks")
    axes.set_title(title)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=150)
    write(path, drawn.getvalue())
