"""Four figures for a paper, readable in grey: a marker and a dash for each family."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from search.question.answer import Answer, AtLength
from search.question.crossing import Curve
from search.question.differences import by_family
from search.question.page import band_points, residuals
from search.question.shapes import MatchedOn
from search.question.trainings import FAMILIES, Training
from search.report.axes import logarithmic_multiplies, new_figure
from search.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, from dark to light, so that they differ in grey as well.
_OKABE_ITO = ("#000000", "#0072B2", "#009E73", "#D55E00", "#56B4E9", "#CC79A7")
_COLOURS = dict(zip(FAMILIES, _OKABE_ITO, strict=False))
_MARKERS = dict(zip(FAMILIES, "osD^vP", strict=False))
_DASHES: Mapping[str, Any] = dict(
    zip(FAMILIES, ("-", "--", "-.", ":", (0, (1, 1)), (0, (6, 2))), strict=False)
)
# Bins of the running mean over cost.
_BINS = 8


def populations(found: Answer, trainings: Sequence[Training]) -> "Figure | None":
    """Draw accuracy over multiplies, one panel for each length of training."""
    if not found.lengths:
        return None
    figure = new_figure(4.4 * len(found.lengths), 4)
    panels: Any = figure.subplots(1, len(found.lengths), sharey=True, squeeze=False)
    for axes, one in zip(panels.flat, found.lengths, strict=True):
        for family, own in by_family(trainings, one.epochs).items():
            cost = np.array([each.multiplies for each in own])
            accuracy = np.array([100 * each.accuracy for each in own])
            colour = _COLOURS[family]
            axes.scatter(
                cost, accuracy, s=11, marker=_MARKERS[family], facecolors="none", edgecolors=colour,
                linewidths=0.7, alpha=0.65,
            )  # fmt: skip
            xs, ys = _means(cost, accuracy)
            axes.plot(
                xs, ys, color=colour, linestyle=_DASHES[family], linewidth=1.6,
                marker=_MARKERS[family], markersize=4.5, label=f"{family} (n = {len(own)})",
            )  # fmt: skip
        _cost(axes)
        axes.set_title(_epochs(one), fontsize=10, loc="left")
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    panels.flat[0].set_ylabel("validation accuracy, %")
    return figure


def differences(found: Answer, _trainings: Sequence[Training]) -> "Figure | None":
    """Draw each family's difference from the first one over cost."""
    by_second: dict[str, list[tuple[AtLength, Curve]]] = {}
    # A longer training may not have been made of enough networks yet.
    firsts = [curve.first for one in reversed(found.lengths) for curve in one.curves]
    for one in found.lengths:
        for curve in one.curves:
            if curve.first == firsts[0]:
                by_second.setdefault(curve.second, []).append((one, curve))
    if not by_second:
        return None
    columns = min(2, len(by_second))
    rows = -(-len(by_second) // columns)
    figure = new_figure(4.4 * columns, 3.1 * rows)
    panels: Any = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (second, curves) in zip(panels.flat, by_second.items(), strict=False):
        for index, (one, curve) in enumerate(curves):
            last = index == len(curves) - 1
            colour = _COLOURS[second] if last else "#777777"
            line = "-" if last else "--"
            axes.plot(curve.multiplies, curve.points, line, color=colour, label=_epochs(one))
            axes.fill_between(
                curve.multiplies, curve.band_low, curve.band_high, color=colour, alpha=0.15,
                linewidth=0,
            )  # fmt: skip
            if last:
                _bars(axes, band_points(one, curve), colour)
        axes.axhline(0, color="#000000", linewidth=0.8)
        _cost(axes)
        n = curves[-1][1]
        axes.set_title(
            f"{second} − {n.first}, n = {n.n_second} and {n.n_first}", fontsize=10, loc="left"
        )
    for axes in panels.flat[len(by_second) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel("points of accuracy")
    panels.flat[0].legend(fontsize=8, frameon=False)
    return figure


def explained(found: Answer, _trainings: Sequence[Training]) -> "Figure | None":
    """Draw the difference from the first family at equal cost, at equal shape, and at both."""
    long = found.longest
    known = [one for one in (long.matched if long else []) if one.points is not None]
    if long is None or not known:
        return None
    twins = found.twins[-1] if found.twins else None
    figure = new_figure(8.8 if twins else 6.4, 3.6)
    panels: Any = figure.subplots(1, 2 if twins else 1, squeeze=False)
    axes = panels.flat[0]
    _forest(axes, known)
    axes.set_title(f"Difference from {known[0].first}, {_epochs(long)}", fontsize=10, loc="left")
    if twins:
        right = panels.flat[1]
        xs, ys = zip(*twins.pairs, strict=True)
        right.scatter(xs, ys, s=14, facecolors="none", edgecolors="#777777")
        middle = [
            ((one.from_multiplies * one.to_multiplies) ** 0.5, one.points, one.low, one.high)
            for one in twins.by_size
            if one.low is not None and one.high is not None
        ]
        _bars(right, middle, _COLOURS[twins.whole.second])
        right.axhline(0, color="#000000", linewidth=0.8)
        _cost(right)
        right.set_xlabel("multiplies of the original")
        right.set_ylabel("points of accuracy")
        right.set_title(
            f"{twins.whole.first} → {twins.whole.second}, same shape", fontsize=10, loc="left"
        )
    return figure


def residual_plots(found: Answer, _trainings: Sequence[Training]) -> "Figure | None":
    """Draw the residuals of the linear model over its fit, and against normal quantiles."""
    points = residuals(found)
    if not points:
        return None
    from scipy.stats import probplot

    figure = new_figure(8.8, 3.6)
    panels: Any = figure.subplots(1, 2)
    fitted, rest = np.array(points).T
    left, right = panels
    left.scatter(fitted, rest, s=11, facecolors="none", edgecolors="#0072B2", linewidths=0.7)
    xs, ys = _means(fitted, rest, logarithmic=False)
    left.plot(xs, ys, color="#000000", linewidth=1.4, label="running mean")
    left.axhline(0, color="#777777", linewidth=0.8)
    left.set_xlabel("fitted logit of accuracy")
    left.set_ylabel("residual")
    left.set_title("Families, multiplies, depth and width", fontsize=10, loc="left")
    left.legend(fontsize=8, frameon=False)
    (quantiles, ordered), (slope, intercept, _) = probplot(rest)
    right.scatter(quantiles, ordered, s=11, facecolors="none", edgecolors="#0072B2", linewidths=0.7)
    right.plot(quantiles, slope * quantiles + intercept, color="#000000", linewidth=1)
    right.set_xlabel("normal quantile")
    right.set_ylabel("residual")
    right.set_title("Residuals against a normal distribution", fontsize=10, loc="left")
    for axes in panels:
        axes.grid(alpha=0.25)
    return figure


def _means(x: Any, y: Any, *, logarithmic: bool = True) -> tuple[list[float], list[float]]:
    """Return means of equally many points each, by rising x."""
    order = np.argsort(x)
    parts = np.array_split(order, min(_BINS, max(1, len(order) // 4)))
    place = [np.exp(np.log(x[p]).mean()) if logarithmic else x[p].mean() for p in parts]
    return [float(value) for value in place], [float(y[p].mean()) for p in parts]


def _bars(axes: "Axes", rows: Sequence[tuple[float, float, float, float]], colour: str) -> None:
    if rows:
        xs, middle, low, high = map(np.array, zip(*rows, strict=True))
        axes.errorbar(
            xs, middle, (middle - low, high - middle), fmt="o", color=colour, markersize=4,
            capsize=3, linewidth=1,
        )  # fmt: skip


def _forest(axes: "Axes", rows: Sequence[MatchedOn]) -> None:
    """Draw a row for each family and way of matching, grouped by family."""
    labels, place = [], 0.0
    ticks = []
    for index, one in enumerate(rows):
        if index and rows[index - 1].second != one.second:
            place += 0.6
        if one.points is not None and one.low is not None and one.high is not None:
            axes.errorbar(
                one.points, place, xerr=[[one.points - one.low], [one.high - one.points]],
                fmt=_MARKERS[one.second], color=_COLOURS[one.second], markersize=5, capsize=3,
                linewidth=1.2,
            )  # fmt: skip
        cost = "" if one.ratio is None else f", {100 * one.ratio:.0f} % of the cost"
        labels.append(f"{one.second}: equal {one.on}{cost * (one.on == 'depth and width')}")
        ticks.append(place)
        place += 1
    axes.set_yticks(ticks, labels, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="#000000", linewidth=0.8)
    axes.set_xlabel("points of accuracy, 95 % intervals")
    axes.grid(alpha=0.25, axis="x")


def _cost(axes: "Axes") -> None:
    logarithmic_multiplies(axes)
    axes.set_xlabel("multiplies for one image")
    axes.grid(alpha=0.25)


def _epochs(one: AtLength) -> str:
    return counted(one.epochs, "epoch")


FIGURES: Mapping[str, Callable[[Answer, Sequence[Training]], "Figure | None"]] = {
    "populations": populations,
    "differences": differences,
    "explained": explained,
    "residuals": residual_plots,
}
