"""Measured latencies as the page shows them: one series for each runtime, platform and batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.errors import shown
from search.report.latency import correlation_notes
from search.study.latency import Latency, from_json
from search.units import counted

# Characters of a device's kind.
_DEVICE = 60


@dataclass(frozen=True)
class LatencySeries:
    """Milliseconds of a call by id of the network: median, lower and upper quartile.

    `where`: the device and its threads; `note`: how well multiplies rank these networks, empty
    for fewer than three.
    """

    name: str
    where: str
    milliseconds: dict[str, tuple[float, float, float]]
    note: str


def latency_series(stored: Sequence[Mapping[str, Any]]) -> list[LatencySeries]:
    """Return the series of what was measured, smallest batch first; `stored` as in `front.json`."""
    found = [from_json(one, "latency") for one in stored]
    groups: dict[tuple[str, str, int], list[Latency]] = {}
    for one in sorted(found, key=lambda one: (one.runtime, one.platform, one.batch)):
        groups.setdefault((one.runtime, one.platform, one.batch), []).append(one)
    return [
        LatencySeries(
            f"{shown(runtime, _DEVICE)} on {shown(platform, _DEVICE)}, batch {batch}",
            "; ".join(dict.fromkeys(map(_where, group))),
            {one.arch_id: (one.median, one.lower, one.upper) for one in group},
            " ".join(correlation_notes([one.as_json() for one in group])),
        )
        for (runtime, platform, batch), group in groups.items()
    ]


def _where(one: Latency) -> str:
    return f"{shown(one.device, _DEVICE)}, {counted(one.threads, 'thread')}"
