"""The picture of a study: accuracy over multiplies, every trial, and the front above them."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.networks.blocks import BLOCKS
from search.study.trials import FrontEntry, Trial
from search.units import format_multiplies

Point = tuple[int, float]


@dataclass(frozen=True)
class Plot:
    """What is drawn: (multiplies, accuracy) of all trials and of the front, and its labels.

    `spread` is the standard deviation over seeds of each of the front, 0 where there is one seed.
    """

    trials: list[Point]
    front: list[Point]
    labels: list[str]
    spread: list[float] = field(default_factory=list)


def plot(trials: Sequence[Trial], found: Sequence[FrontEntry], epochs: int) -> Plot:
    """Collect what is drawn: full-length successes alone, and the front with its blocks."""
    drawn = [
        (trial.multiplies, trial.result.accuracy)
        for trial in trials
        if trial.result.status == "ok" and trial.job.epochs == epochs
    ]
    return Plot(
        drawn,
        [(row.multiplies, row.accuracy) for row in found],
        [short_mix(r.value) for r in found],
        [row.accuracy_std if row.seeds > 1 else 0.0 for row in found],
    )


def short_mix(value: str) -> str:
    """Write the blocks of an Arch in initials, `2c 1i` for two conv and one inverted; else nothing.

    `value` is the canonical JSON of the trial.
    """
    data = json.loads(value)
    blocks = data.get("blocks", []) if isinstance(data, Mapping) else []
    counts = [(op, sum(block["op"] == op for block in blocks)) for op in BLOCKS]
    return " ".join(f"{count}{BLOCKS[op].initial}" for op, count in counts if count)


def draw(content: Mapping[str, Any], drawn: Plot) -> bytes:
    """Return the picture as PNG, `content` being what `front.json` says."""
    # Figure alone: pyplot would look for a display and keep every figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

    figure = Figure(figsize=(8, 5), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    if drawn.trials:
        xs, ys = zip(*drawn.trials, strict=True)
        axes.scatter(xs, ys, s=14, color="#9db4c8", label="trials")
    if drawn.front:
        xs, ys = zip(*sorted(drawn.front), strict=True)
        axes.step(xs, ys, where="post", color="#c0392b", linewidth=1.2, alpha=0.7)
        axes.scatter(xs, ys, s=34, color="#c0392b", label="front", zorder=3)
    if any(drawn.spread):
        xs, ys = zip(*drawn.front, strict=True)
        axes.errorbar(xs, ys, drawn.spread, fmt="none", ecolor="#c0392b", capsize=3, linewidth=1)
    for (x, y), label in _spread(drawn):
        axes.annotate(
            label,
            (x, y),
            xytext=(6, -12),
            textcoords="offset points",
            fontsize=8,
            color="#7b241c",
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.75, "linewidth": 0},
        )
    info = content["facts"]
    axes.axvline(info["high"], color="#555555", linestyle=":", linewidth=1)
    axes.set_xlabel("multiplies for one image" + _legend(drawn))
    axes.set_ylabel("validation accuracy")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: format_multiplies(round(x))))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(alpha=0.25)
    axes.set_title(f"{content['study']}: {content['trials']} trials", fontsize=10)
    if drawn.trials or drawn.front:
        axes.legend(loc="lower right", edgecolor="none", framealpha=1)
    target = io.BytesIO()
    # No date inside: the same study gives the same bytes.
    figure.savefig(target, format="png", metadata={"Software": None})
    return target.getvalue()


def _spread(drawn: Plot) -> list[tuple[Point, str]]:
    """Choose the labels to write, so that neighbours on a crowded front don't overprint."""
    kept: list[tuple[Point, str]] = []
    if not drawn.front:
        return kept
    heights = [accuracy for _, accuracy in [*drawn.trials, *drawn.front]]
    height = max(heights) - min(heights) or 1.0
    for point, label in sorted(zip(drawn.front, drawn.labels, strict=True), reverse=True):
        if label and all(
            other[0] > point[0] * 1.25 or other[1] - point[1] > height / 20 for other, _ in kept
        ):
            kept.append((point, label))
    return kept


def _legend(drawn: Plot) -> str:
    used = {part[-1] for label in drawn.labels for part in label.split()}
    words = [f"{kind.initial} {op}" for op, kind in BLOCKS.items() if kind.initial in used]
    return f"\nblocks: {', '.join(words)}" if words else ""
