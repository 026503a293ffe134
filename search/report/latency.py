"""Measured latencies as a table, and in one sentence by how much multiplies mislead about them."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import correlation
from typing import Any

from search.report.terminal import Rows
from search.study.latency import Latency, columns, parts_of
from search.units import format_multiplies

TITLE = "Median latency (quartiles) in milliseconds a call, ×64 with 64 images:"
# Quartiles further apart than this share of the median are worth a warning.
LARGE_SPREAD = 0.2
# A correlation of fewer networks says nothing.
_FEWEST = 3


def rows(found: Sequence[Latency]) -> Rows:
    """Return the head and a row for each network and runtime: medians in ms with quartiles."""
    batches = list(dict.fromkeys(one.batch for one in found))
    by_place = {(one.arch_id, one.runtime, one.batch): one for one in found}
    table: Rows = [("arch", "multiplies", "runtime", *(f"ms ×{batch}" for batch in batches))]
    for arch_id, multiplies, runtime in dict.fromkeys(
        (one.arch_id, one.multiplies, one.runtime) for one in found
    ):
        cells = [_cell(by_place.get((arch_id, runtime, batch))) for batch in batches]
        table.append((arch_id, format_multiplies(multiplies), runtime, *cells))
    return table


def _cell(one: Latency | None) -> str:
    if one is None:
        return ""
    median, lower, upper = map(milliseconds, (one.median, one.lower, one.upper))
    return f"{median} ({lower}–{upper})"


def milliseconds(value: float) -> str:
    """Write three digits, and never finer than a tenth of a microsecond."""
    return f"{value:.0f}" if value >= 100 else f"{round(value, 4):.3g}"


def spread_note(found: Sequence[Latency]) -> str:
    """Say that measurements vary too much to be trusted; empty where they do not."""
    wide = [one for one in found if one.spread > LARGE_SPREAD]
    if not wide:
        return ""
    return (
        f"{len(wide)} of {len(found)} measurements have quartiles more than {LARGE_SPREAD:.0%} of"
        " the median apart: something else used the machine; measure again when it is idle."
    )


def correlation_notes(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say for each runtime and batch how well multiplies rank the networks by latency.

    `found` as `Latency.as_json` gives them.
    """
    multiplies = {one["arch_id"]: one["multiplies"] for one in found}
    notes = []
    for name, medians in columns(found).items():
        runtime, platform, batch = parts_of(name)
        pairs = [(multiplies[key], value) for key, value in medians.items()]
        rho = spearman(pairs)
        if rho is None:
            continue
        wrong = sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in combinations(pairs, 2))
        every = len(pairs) * (len(pairs) - 1) // 2
        notes.append(
            f"Multiplies and latency ({runtime}, {platform}, batch {batch}) of {len(pairs)}"
            f" networks have Spearman's rank correlation {rho:.2f}: in {wrong} of {every} pairs the"
            " network with more multiplies is the faster one."
        )
    return notes


def spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Spearman's rank correlation; None for fewer than three pairs or equal values alone."""
    if len(pairs) < _FEWEST:
        return None
    first, second = (ranks(values) for values in zip(*pairs, strict=True))
    if len(set(first)) == 1 or len(set(second)) == 1:
        return None
    return correlation(first, second)


def ranks(values: Sequence[float]) -> list[float]:
    """Return the ranks from 1; equal values share the mean of theirs."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]
