"""How the race is judged: front members retrained with fresh seeds, scored on the test part.

Which networks stand on a front, and at which cost, is by a search's own figures; how good they are
is by these. One trainer, in PyTorch, one training part and the same seeds for all.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from race_runs import Evaluated, Run

from search.compare.statistics import Estimate, difference, estimate
from search.config.run import RunConfig
from search.files import write
from search.pareto import hypervolume

# Of the judge's trainings, which no search uses.
FRESH = 1_000_000
# Searches whose area at the end is the mark to be reached.
MARKS = ("tpe", "nsgaii")
Accuracies = Mapping[str, float]
"""Mean test accuracy by a network's id."""


def times(limit: float) -> list[float]:
    """Return the seconds at which fronts are judged: twelve, evenly on a logarithmic scale."""
    return [float(one) for one in np.geomspace(limit / 24, limit, 12)]


def wanted(runs: Iterable[Run], limit: float) -> dict[str, str]:
    """Return the networks to be judged, JSON by id: those of the fronts at `times`."""
    found: dict[str, str] = {}
    for run in runs:
        for seconds in times(limit):
            found.update({one.id: run.archs[one.id] for one in run.front(seconds)})
    return found


def judge(texts: Mapping[str, str], config: RunConfig, seeds: int, folder: Path) -> None:
    """Train each network with fresh seeds, and keep its test accuracies in a file of its own."""
    left = {name: text for name, text in texts.items() if _missing(folder, name, seeds)}
    if not left:
        return
    from race_torch import TorchTrainer

    from search.data.open import open_dataset, open_test
    from search.networks.arch import from_json

    folder.mkdir(parents=True, exist_ok=True)
    data = open_dataset(config.data, seed=0)
    trainer = TorchTrainer(data, config.train, open_test(config.data))
    for number, (name, text) in enumerate(sorted(left.items())):
        arch = from_json(text, name)
        found = [trainer.train(arch, config.epochs, FRESH + seed).accuracy for seed in range(seeds)]
        # A training that diverged classifies as guessing does.
        found = [one if np.isfinite(one) else 1 / len(data.classes) for one in found]
        write(folder / f"{name}.json", json.dumps({"accuracies": found}))
        print(f"judged {number + 1} of {len(left)}: {name} {fmean(found):.4f}", flush=True)


def _missing(folder: Path, name: str, seeds: int) -> bool:
    path = folder / f"{name}.json"
    return not path.exists() or len(json.loads(path.read_text())["accuracies"]) < seeds


def judged(folder: Path, seeds: int) -> dict[str, float]:
    """Return the mean test accuracy over the first `seeds` trainings of each judged network."""
    return {
        path.stem: fmean(json.loads(path.read_text())["accuracies"][:seeds])
        for path in sorted(folder.glob("*.json"))
    }


def area(run: Run, seconds: float, accuracies: Accuracies, low: int | None = None) -> float:
    """Return the area of the front at a time, from `low` (the cheapest network) to the budget."""
    points = [(one.multiplies, accuracies[one.id]) for one in run.front(seconds)]
    low = run.low if low is None else low
    return hypervolume(points, low=low, high=run.high, chance=run.chance)


def within(front: Sequence[Evaluated], cost: int, accuracies: Accuracies, chance: float) -> float:
    """Return the accuracy of the network that a user would take within `cost`.

    That is the best by the search's own figures; guessing where it found none so cheap.
    """
    fit = [one for one in front if one.multiplies <= cost]
    return accuracies[fit[-1].id] if fit else chance


@dataclass(frozen=True, eq=False)
class Judged:
    """A search over its seeds.

    `areas` [seeds, times]; `above`: the area above the lowest level [seeds]; `within` [seeds,
    levels]; `evaluations` [seeds]; `seeds` in their order.
    """

    search: str
    seeds: tuple[int, ...]
    areas: NDArray[np.float64]
    above: NDArray[np.float64]
    within: NDArray[np.float64]
    evaluations: NDArray[np.float64]


def measure(runs: Sequence[Run], levels: Sequence[int], accuracies: Accuracies) -> list[Judged]:
    """Return each search's figures, in alphabetical order."""
    found = []
    for search in sorted({run.search for run in runs}):
        own = sorted((run for run in runs if run.search == search), key=lambda run: run.seed)
        ends = [run.front(run.limit) for run in own]
        found.append(
            Judged(
                search,
                tuple(run.seed for run in own),
                np.array([[area(r, t, accuracies) for t in times(r.limit)] for r in own]),
                np.array([area(run, run.limit, accuracies, levels[0]) for run in own]),
                np.array(
                    [
                        [within(end, cost, accuracies, run.chance) for cost in levels]
                        for run, end in zip(own, ends, strict=True)
                    ]
                ),
                np.array([sum(e.seconds <= run.limit for e in run.evaluated) for run in own]),
            )
        )
    return found


def reached(one: Judged, mark: float, moments: Sequence[float]) -> list[float | None]:
    """Return for each seed the first of `moments` with an area of `mark`, None if never."""

    def first(row: NDArray[np.float64]) -> float | None:
        return next((t for t, a in zip(moments, row, strict=True) if a >= mark), None)

    return [first(row) for row in one.areas]


def marks(found: Sequence[Judged]) -> dict[str, float]:
    """Return the areas to be reached: the mean at the end of each of `MARKS` that ran."""
    return {one.search: float(one.areas[:, -1].mean()) for one in found if one.search in MARKS}


def paired(first: Judged, second: Judged) -> Estimate | None:
    """Return how much more area `second` has at the end, over the seeds that both ran."""
    common = [seed for seed in first.seeds if seed in second.seeds]
    if not common:
        return None
    ends = [[one.areas[one.seeds.index(s), -1] for s in common] for one in (first, second)]
    return difference(*ends, paired=True)


def summarised(found: Sequence[Judged], levels: Sequence[int], limit: float) -> dict[str, object]:
    """Return all figures as JSON."""
    moments, ours = times(limit), next((one for one in found if one.search == "ours"), None)
    goals = marks(found)

    def said(values: NDArray[np.float64]) -> dict[str, object]:
        return vars(estimate(values))

    rows: dict[str, object] = {}
    for one in found:
        less = None if ours is None or one is ours else paired(one, ours)
        rows[one.search] = {
            "seeds": list(one.seeds),
            "evaluations": said(one.evaluations),
            "areas": [said(column) for column in one.areas.T],
            "area_above": said(one.above),
            "within": {
                str(level): said(column) for level, column in zip(levels, one.within.T, strict=True)
            },
            "reached": {name: reached(one, goal, moments) for name, goal in goals.items()},
            "ours_more": None if less is None else vars(less),
        }
    return {"times": moments, "limit": limit, "marks": goals, "searches": rows}
