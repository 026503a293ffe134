"""A comparison as four drawings: area over compute and over time, fronts, distributions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from search.compare.figures import Comparison, Line
from search.errors import shown
from search.report.axes import Form, drawing, logarithmic_multiplies, new_figure, saved
from search.report.matching import weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Characters of a label in the legend, of which two stand beside each other.
_LABEL = 70
# Okabe and Ito's colours, which the colour-blind can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def draw(comparison: Comparison, form: Form = "svg") -> bytes:
    """Return the drawings as a file of that form."""
    with drawing():
        return saved(_figure(comparison), form)


def _figure(comparison: Comparison) -> "Figure":
    drawn = new_figure(11, 8.5)
    panels: Any = drawn.subplots(2, 2)
    over_compute, over_time, fronts, models = panels.flat
    groups = comparison.groups
    handles = _curves(over_compute, [one.over_compute for one in groups])
    over_compute.set_xlabel("training compute, multiplies per training image")
    _curves(over_time, [one.over_seconds for one in groups])
    over_time.set_xlabel("seconds of training")
    _fronts(fronts, comparison)
    _distributions(models, comparison)
    labels = [shown(one.label, _LABEL) for one in groups]
    drawn.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return drawn


def _colour(index: int) -> str:
    return _COLOURS[index % len(_COLOURS)]


def _curves(axes: "Axes", lines: Sequence[Line]) -> list["Line2D"]:
    """Draw means and intervals; return a handle for each line."""
    handles = []
    for index, line in enumerate(lines):
        colour = _colour(index)
        handles += axes.step(line.spent, line.area, where="post", color=colour)
        if line.low is not None and line.high is not None:
            axes.fill_between(
                line.spent, line.low, line.high, step="post", color=colour, alpha=0.18, linewidth=0
            )
    if all(line.spent[0] >= 1 for line in lines):
        logarithmic_multiplies(axes)
    # With two seeds intervals are so wide that the means would be one flat line.
    low, high = min(min(one.area) for one in lines), max(max(one.area) for one in lines)
    margin = max(high - low, 0.01)
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, low - margin), min(top, high + margin))
    cut = bottom < low - margin or top > high + margin
    axes.set_ylabel("area of the front")
    axes.set_title(
        "Area with 95 % intervals over seeds" + (", which leave the frame" if cut else ""),
        fontsize=10,
    )
    axes.grid(alpha=0.25)
    return handles


def _fronts(axes: "Axes", comparison: Comparison) -> None:
    for index, one in enumerate(comparison.groups):
        for points in one.fronts:
            costs, accuracies = zip(*sorted(points), strict=True)
            axes.step(costs, accuracies, where="post", color=_colour(index), alpha=0.8, linewidth=1)
            axes.scatter(costs, accuracies, color=_colour(index), s=12)
    logarithmic_multiplies(axes)
    # The last step of a front ends at the budget.
    axes.set_xlim(max(comparison.reference.low, 1) * 0.9, comparison.reference.high * 1.1)
    axes.set_xlabel("multiplies for one image")
    axes.set_ylabel(_objective(comparison))
    kind = "means over fresh seeds" if comparison.confirmed else "the search's own results"
    axes.set_title(f"Fronts, one for each seed ({kind})", fontsize=10)
    axes.grid(alpha=0.25)


def _distributions(axes: "Axes", comparison: Comparison) -> None:
    """Draw the share of models up to an accuracy, weighted to one distribution of cost."""
    groups = comparison.groups
    costs = [np.array([cost for cost, _ in one.models], np.float64) for one in groups]
    weighed = weights(costs)
    axes.set_title("Models trained, at matched multiplies", fontsize=10)
    axes.set_xlabel(_objective(comparison))
    axes.set_ylabel("share of models")
    axes.grid(alpha=0.25)
    if weighed is None:
        axes.text(0.5, 0.5, "no shared cost", transform=axes.transAxes, ha="center")
        return
    for index, (one, weight) in enumerate(zip(groups, weighed[0], strict=True)):
        accuracy = np.array([value for _, value in one.models])
        order = np.argsort(accuracy)
        axes.step(accuracy[order], np.cumsum(weight[order]), where="post", color=_colour(index))


def _objective(comparison: Comparison) -> str:
    return f"validation {comparison.objective.replace('_', ' ')}"
