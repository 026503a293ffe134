"""What a search in the race leaves: its evaluations with their times, as one small JSON file."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from search.cores import cores
from search.files import write
from search.pareto import front


@dataclass(frozen=True)
class Job:
    """What every search is given: overrides of the command, seconds, and costs to be judged at."""

    name: str
    overrides: tuple[str, ...]
    limit: float
    levels: tuple[int, ...]


JOBS = {
    "digits": Job("digits", ("data=digits",), 240, (20_000, 50_000, 100_000, 200_000)),
    "fashion": Job(
        "fashion",
        ("data=fashion_mnist", "data.train='train[:12000]'", "epochs=3"),
        1200,
        (750_000, 1_000_000, 1_500_000, 2_000_000),
    ),
    # Networks a quarter as large, so that all searches train dozens of them in minutes.
    "fashion-small": Job(
        "fashion-small",
        (
            "data=fashion_mnist",
            "data.train='train[:12000]'",
            "data.validation='train[57000:]'",
            "space=question",
            "budget=500k",
            "epochs=1",
            "train.batch=64",
            "train.learning_rate=0.02",
            "train.warmup=0.5",
        ),
        200,
        (100_000, 200_000, 350_000, 500_000),
    ),
}


@dataclass(frozen=True)
class Evaluated:
    """A network's result: known so many seconds after the command was typed."""

    seconds: float
    id: str
    multiplies: int
    accuracy: float


@dataclass(frozen=True)
class Run:
    """A search of one seed.

    `low`, `high`: the space's cheapest network and the budget; `began`: seconds before the first
    evaluation could start; `archs`: JSON of each network that ever was on the front, by id.
    """

    search: str
    seed: int
    low: int
    high: int
    chance: float
    limit: float
    began: float
    workers: int
    evaluated: tuple[Evaluated, ...]
    archs: dict[str, str] = field(repr=False)
    machine: dict[str, str] = field(default_factory=dict)

    def front(self, seconds: float) -> list[Evaluated]:
        """Return the front by the search's own figures at a time, cheapest first."""
        known = [one for one in self.evaluated if one.seconds <= min(seconds, self.limit)]
        return [known[i] for i in front([(one.multiplies, one.accuracy) for one in known])]


def on_some_front(evaluated: Sequence[Evaluated]) -> set[str]:
    """Return the ids of the networks that were on the front at some time."""
    found: set[str] = set()
    known: list[Evaluated] = []
    for one in evaluated:
        known.append(one)
        known = [known[i] for i in front([(k.multiplies, k.accuracy) for k in known])]
        found |= {k.id for k in known}
    return found


def save(run: Run, path: Path) -> None:
    """Write a run, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, json.dumps(asdict(run), indent=1))


def load(path: Path) -> Run:
    """Read what `save` wrote."""
    data = json.loads(path.read_text())
    data["evaluated"] = tuple(Evaluated(**one) for one in data["evaluated"])
    return Run(**data)


def machine() -> dict[str, str]:
    """Return what the figures belong to: processor, cores, versions, load."""
    found = {"python": platform.python_version(), "cores": str(cores())}
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    found["processor"] = names[0] if names else platform.processor()
    for name in ("jax", "torch", "optuna", "botorch", "google-vizier"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    found["commit"] = told.stdout.strip()
    found["load"] = f"{os.getloadavg()[0]:.1f}"
    return found
