"""A comparison as four drawings: area over compute and over time, fronts, distributions."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from search.compare.figures import Comparison, Figures, Line
from search.compare.statistics import weights
from search.compare.table import letters
from search.units import format_multiplies

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def draw(comparison: Comparison) -> str:
    """Return the drawings as one SVG element."""
    from matplotlib import rc_context

    # Text stays text, and the same figures give the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "convbudget", "font.size": 10}):
        target = io.StringIO()
        figure(comparison).savefig(target, format="svg", metadata={"Date": None})
    text = target.getvalue()
    return text[text.index("<svg") :]


def figure(comparison: Comparison) -> "Figure":
    """Return the drawings as a figure that any of matplotlib's formats can save."""
    # Figure alone: pyplot would look for a display and keep every figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(11, 8.5), layout="constrained")
    FigureCanvasAgg(drawn)
    panels: Any = drawn.subplots(2, 2)
    over_compute, over_time, fronts, models = panels.flat
    groups = comparison.groups
    _curves(over_compute, groups, [one.over_compute for one in groups])
    over_compute.set_xlabel("training compute, multiplies per training image")
    _curves(over_time, groups, [one.over_seconds for one in groups])
    over_time.set_xlabel("seconds of training")
    _fronts(fronts, comparison)
    _distributions(models, groups)
    handles, _ = over_compute.get_legend_handles_labels()
    labels = [f"{short}  {label}" for label, short in letters(comparison).items()]
    drawn.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return drawn


def _colour(index: int) -> str:
    return _COLOURS[index % len(_COLOURS)]


def _curves(axes: "Axes", groups: Sequence[Figures], lines: Sequence[Line]) -> None:
    for index, (one, line) in enumerate(zip(groups, lines, strict=True)):
        colour = _colour(index)
        axes.step(line.spent, line.area, where="post", color=colour, label=one.label)
        if line.low is not None and line.high is not None:
            axes.fill_between(
                line.spent, line.low, line.high, step="post", color=colour, alpha=0.18, linewidth=0
            )
    if all(line.spent[0] > 0 for line in lines):
        axes.set_xscale("log")
        _counts(axes)
    axes.set_ylabel("area of the front")
    axes.set_title("Area with 95 % intervals over seeds", fontsize=10)
    axes.grid(alpha=0.25)


def _fronts(axes: "Axes", comparison: Comparison) -> None:
    for index, one in enumerate(comparison.groups):
        for points in one.fronts:
            costs, accuracies = zip(*sorted(points), strict=True)
            axes.step(costs, accuracies, where="post", color=_colour(index), alpha=0.8, linewidth=1)
            axes.scatter(costs, accuracies, color=_colour(index), s=12)
    # A front holds on to the right of its last point: the budget is where it ends.
    axes.set_xlim(comparison.reference.low * 0.9, comparison.reference.high * 1.1)
    axes.set_xscale("log")
    _counts(axes)
    axes.set_xlabel("multiplies for one image")
    axes.set_ylabel("validation accuracy")
    kind = "means over fresh seeds" if comparison.confirmed else "the search's own figures"
    axes.set_title(f"Fronts, one a seed ({kind})", fontsize=10)
    axes.grid(alpha=0.25)


def _distributions(axes: "Axes", groups: Sequence[Figures]) -> None:
    """Draw the share of models up to an accuracy, weighted to one distribution of cost."""
    costs = [np.array([cost for cost, _ in one.models], np.float64) for one in groups]
    weighed = weights(costs)
    axes.set_title("Models trained, at matched multiplies", fontsize=10)
    axes.set_xlabel("validation accuracy")
    axes.set_ylabel("share of models")
    axes.grid(alpha=0.25)
    if weighed is None:
        axes.text(0.5, 0.5, "no shared cost", transform=axes.transAxes, ha="center")
        return
    for index, (one, weight) in enumerate(zip(groups, weighed[0], strict=True)):
        accuracy = np.array([value for _, value in one.models])
        order = np.argsort(accuracy)
        axes.step(accuracy[order], np.cumsum(weight[order]), where="post", color=_colour(index))


def _counts(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: format_multiplies(round(x))))
    axes.xaxis.set_minor_formatter(NullFormatter())
