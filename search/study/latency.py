"""Measured latencies of a study's networks, kept as its records of kind `latency`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.study.checks import cells_of, identifier, integer, mapping, number, reading, string
from search.study.connection import NAME
from search.study.study import Study

KIND = "latency"


@dataclass(frozen=True)
class Latency:
    """How long one call of a network took, in milliseconds: median and quartiles of `calls`.

    `runtime`: what ran it (`jax`); `batch`: images a call; `platform`, `device`: cpu, gpu or tpu
    and its kind; `threads`: processor cores that it could use.
    """

    arch_id: str
    multiplies: int
    runtime: str
    batch: int
    platform: str
    device: str
    threads: int
    calls: int
    median: float
    lower: float
    upper: float

    @property
    def column(self) -> str:
        """Name of its column in `front.csv`."""
        return _column(self.runtime, self.platform, self.batch)

    @property
    def spread(self) -> float:
        """Distance between the quartiles as a share of the median."""
        return (self.upper - self.lower) / self.median if self.median else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return its fields."""
        return asdict(self)


def from_json(values: object, where: str) -> Latency:
    """Undo `as_json`; raises `Damaged` for a field that is missing or wrong."""
    given = mapping(values, where)
    cell = cells_of(given, where)

    return Latency(
        identifier(*cell("arch_id")),
        integer(*cell("multiplies")),
        string(*cell("runtime")),
        integer(*cell("batch"), 1),
        string(*cell("platform")),
        string(*cell("device")),
        integer(*cell("threads"), 1),
        integer(*cell("calls"), 1),
        *(number(*cell(key), 0) for key in ("median", "lower", "upper")),
    )


def record(study: Study, found: Iterable[Latency]) -> None:
    """Keep measurements, each in place of an earlier one of its network, runtime and batch."""
    for one in found:
        key = f"{one.arch_id}/{one.runtime}/{one.platform}/{one.batch}"
        study.record(KIND, key, one.as_json())


def latencies(study: Study) -> list[Latency]:
    """Return all that were measured; raises `UserError` where one is damaged."""
    fix = "measure again with convbudget latency"
    with reading(study.folder / NAME if study.folder else Path(NAME), fix):
        return [from_json(value, f"{KIND} {key:.60}") for key, value in study.records(KIND).items()]


def columns(found: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return for each column of the front's tables the medians by network, smallest batch first.

    `found` as `as_json` gives them.
    """
    ordered = sorted(found, key=lambda one: (one["runtime"], one["platform"], one["batch"]))
    result: dict[str, dict[str, float]] = {}
    for one in ordered:
        name = _column(one["runtime"], one["platform"], one["batch"])
        result.setdefault(name, {})[one["arch_id"]] = one["median"]
    return result


def _column(runtime: str, platform: str, batch: int) -> str:
    return f"latency_{runtime}_{platform}_{batch}_ms"


def parts_of(column: str) -> tuple[str, str, str]:
    """Return the runtime, the platform and the batch that `Latency.column` names."""
    runtime, platform, batch = (
        column.removeprefix("latency_").removesuffix("_ms").rsplit("_", maxsplit=2)
    )
    return runtime, platform, batch


def checked(values: Sequence[object], where: str) -> list[dict[str, Any]]:
    """Return measurements read from `front.json`; raises `Damaged` for one that is wrong."""
    return [from_json(one, f"{where}[{at}]").as_json() for at, one in enumerate(values)]
