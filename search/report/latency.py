"""Measured latencies as a table, and in one sentence by how much multiplies mislead about them."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import correlation
from typing import Any

from search.report.terminal import Rows
from search.study.latency import Latency, columns
from search.units import format_multiplies

# Quartiles further apart than this share of the median are worth a warning.
LARGE_SPREAD = 0.2
# A correlation of fewer networks says nothing.
_FEWEST = 3


def rows(found: Sequence[Latency]) -> Rows:
    """Return the head and a row for each measurement, as measured."""
    head = ("arch", "multiplies", "runtime", "batch", "median", "quartiles", "an image", "calls")
    return [
        head,
        *(
            (
                one.arch_id,
                format_multiplies(one.multiplies),
                one.runtime,
                str(one.batch),
                f"{one.median:.3g} ms",
                f"{one.lower:.3g} – {one.upper:.3g}",
                f"{1000 * one.median / one.batch:.3g} µs",
                str(one.calls),
            )
            for one in found
        ),
    ]


def spread_note(found: Sequence[Latency]) -> str:
    """Say that measurements vary too much to be trusted; empty where they do not."""
    wide = [one for one in found if one.spread > LARGE_SPREAD]
    if not wide:
        return ""
    return (
        f"{len(wide)} of {len(found)} measurements have quartiles more than {LARGE_SPREAD:.0%} of"
        " the median apart: something else used the machine; measure again when it is idle."
    )


def correlation_notes(
    multiplies: Mapping[str, int], found: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Say for each runtime and batch how well multiplies rank the networks by latency.

    `multiplies` by network; `found` as `Latency.as_json` gives them.
    """
    notes = []
    for name, medians in columns(found).items():
        _, runtime, platform, batch, _ = name.split("_")
        pairs = [(multiplies[key], value) for key, value in medians.items() if key in multiplies]
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
