"""The picture of a study: accuracy over multiplies, all trials and the front."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search.errors import shown
from search.networks.arch import FORMAT
from search.networks.blocks import BLOCKS
from search.pareto import Objective, Point, value_of
from search.report.axes import Form, drawing, logarithmic_multiplies, new_figure, saved
from search.report.notes import objective_of
from search.study.trials import FrontEntry, Trial
from search.units import counted, format_multiplies

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DARK, _LANDMARK = "#a5281b", "#1d5c63"


@dataclass(frozen=True)
class Plot:
    """What is drawn: (multiplies, value of the objective) of the trials and of the front.

    `spread` is the standard deviation over seeds, 0 where there is one seed.
    """

    trials: list[Point]  # [trials]
    front: list[Point]  # [members]
    labels: list[str]  # [members]
    spread: list[float] = field(default_factory=list)  # [members]


def plot(
    trials: Sequence[Trial],
    found: Sequence[FrontEntry],
    epochs: int,
    objective: Objective = "accuracy",
) -> Plot:
    """Collect what is drawn: the completed trials, and the front labelled with its blocks."""
    drawn = [
        (trial.multiplies, value_of(trial.result, objective))
        for trial in trials
        if trial.completed(epochs)
    ]
    return Plot(
        drawn,
        [(row.multiplies, row.ranked_by(objective)) for row in found],
        [short_mix(row.value) for row in found],
        [row.spread(objective) if row.seeds > 1 else 0.0 for row in found],
    )


def short_mix(value: str) -> str:
    """Count the blocks of an Arch by their initials: `2c 1i` for two conv and one inverted.

    `value` is the canonical JSON of the trial; the text is empty for anything but an Arch.
    """
    data = json.loads(value)
    own = isinstance(data, Mapping) and data.get("format") == FORMAT
    blocks = data["blocks"] if own else []
    counts = [(op, sum(block["op"] == op for block in blocks)) for op in BLOCKS]
    return " ".join(f"{count}{BLOCKS[op].initial}" for op, count in counts if count)


def draw(content: Mapping[str, Any], drawn: Plot, form: Form = "png") -> bytes:
    """Return the picture as a file of that form, `content` being what `front.json` says."""
    with drawing():
        return saved(_figure(content, drawn), form)


def _figure(content: Mapping[str, Any], drawn: Plot) -> "Figure":
    from matplotlib.ticker import PercentFormatter

    figure = new_figure(8, 5)
    axes = figure.add_subplot()
    logarithmic_multiplies(axes)
    unseen = bool(content.get("unseen"))
    if drawn.trials:
        xs, ys = zip(*drawn.trials, strict=True)
        # Told apart in grey as well: hollow and light, full and dark.
        label = "trials" + ", on the validation part" * unseen
        axes.scatter(xs, ys, s=16, facecolors="none", edgecolors="#7d98b0", label=label)
    if drawn.front:
        xs, ys = zip(*sorted(drawn.front), strict=True)
        ends = [*xs, max(xs[-1], content["facts"]["high"])], [*ys, ys[-1]]
        axes.step(*ends, where="post", color=_DARK, linewidth=1.6)
        axes.scatter(xs, ys, s=36, color=_DARK, label=_front_label(content), zorder=3)
    if any(drawn.spread):
        xs, ys = zip(*drawn.front, strict=True)
        axes.errorbar(
            xs,
            ys,
            drawn.spread,
            fmt="none",
            ecolor=_DARK,
            capsize=3,
            linewidth=1.2,
            label="± standard deviation over seeds",
        )
    landmarks = _draw_landmarks(axes, content)
    for (x, y), label in _labels_without_overlap(drawn):
        axes.annotate(
            label,
            (x, y),
            # Above and left of a member, where no trial can be: it would dominate the member.
            xytext=(-5, 4),
            textcoords="offset points",
            horizontalalignment="right",
            fontsize=8.5,
        )
    axes.margins(x=0.07, y=0.09)
    high = content["facts"]["high"]
    axes.axvline(high, color="#555555", linestyle="--", linewidth=1.2)
    axes.annotate(
        f"budget {format_multiplies(high)}",
        (high, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(-4, 0),
        textcoords="offset points",
        rotation=90,
        horizontalalignment="right",
        verticalalignment="bottom",
        fontsize=8.5,
        color="#555555",
    )
    axes.set_xlabel("multiplies for one image" + _legend(drawn))
    objective = objective_of(content).replace("_", " ")
    axes.set_ylabel(objective if unseen else f"validation {objective}")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(alpha=0.25)
    axes.set_title(
        f"{shown(content['study'], 80)}: {counted(content['trials'], 'trial')}",
        fontsize=10,
        loc="left",
    )
    if drawn.trials or drawn.front or landmarks:
        figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return figure


def _draw_landmarks(axes: "Axes", content: Mapping[str, Any]) -> int:
    """Draw the known networks of `content` with their names; return how many there are."""
    key = objective_of(content)
    known = [one for one in content.get("landmarks", []) if one.get(key) is not None]
    if not known:
        return 0
    xs, ys = [one["multiplies"] for one in known], [one[key] for one in known]
    where = ", on the validation part" if content.get("unseen") else ""
    axes.scatter(
        xs,
        ys,
        s=42,
        marker="^",
        facecolors="white",
        edgecolors=_LANDMARK,
        linewidths=1.3,
        label="known networks" + where,
        zorder=3,
    )
    for one, x, y in zip(known, xs, ys, strict=True):
        axes.annotate(
            shown(one["name"], 30),
            (x, y),
            # Below, where the front's labels never are.
            xytext=(0, -6),
            textcoords="offset points",
            horizontalalignment="center",
            verticalalignment="top",
            fontsize=8,
            color=_LANDMARK,
        )
    return len(known)


def _front_label(content: Mapping[str, Any]) -> str:
    unseen = content.get("unseen")
    return f"front, confirmed on {unseen:,} other images" if unseen else "front"


def _labels_without_overlap(drawn: Plot) -> list[tuple[Point, str]]:
    """Return the labels of the front that can be written without covering one another."""
    kept: list[tuple[Point, str]] = []
    if not drawn.front:
        return kept
    heights = [accuracy for _, accuracy in [*drawn.trials, *drawn.front]]
    height = max(heights) - min(heights) or 1.0
    for point, label in sorted(zip(drawn.front, drawn.labels, strict=True), reverse=True):
        if label and all(
            other[0] > point[0] * 1.3 or other[1] - point[1] > height / 22 for other, _ in kept
        ):
            kept.append((point, label))
    return kept


def _legend(drawn: Plot) -> str:
    used = {part[-1] for label in drawn.labels for part in label.split()}
    words = [f"{kind.initial} {op}" for op, kind in BLOCKS.items() if kind.initial in used]
    return f"\nblocks: {', '.join(words)}" if words else ""
