"""Tables of trained or made-up networks, to score strategies by: encodings, costs, accuracies."""

import itertools
import json
import lzma
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from search.jobs import Job, Option, Options, Result
from search.pareto import hypervolume
from search.spaces.budget_table import BudgetTable, tabulate


@dataclass(frozen=True)
class ListedChain:
    """A chain of the encodings of a table: what was decided is the state, the price comes last."""

    costs: dict[Options, int]

    @cached_property
    def _next(self) -> dict[Options, list[Option]]:
        found: dict[Options, dict[Option, None]] = {}
        for options in self.costs:
            for i, option in enumerate(options):
                found.setdefault(options[:i], {})[option] = None
        return {state: list(options) for state, options in found.items()}

    def start(self) -> Options:
        return ()

    def options(self, _position: int, state: Options) -> Sequence[Option]:
        return self._next.get(state, [])

    def step(self, _position: int, state: Options, option: Option) -> tuple[Hashable, int]:
        return (*state, option), 0

    def finish(self, state: Options) -> int:
        return self.costs[state]

    def value(self, options: Options) -> Any:
        return list(options)


@dataclass(frozen=True)
class Table:
    """`accuracies[list]` is [rungs][seeds], the last rung the full `epochs[-1]`.

    A strategy is told one seed's accuracy; it is judged by the mean over the seeds.
    """

    name: str
    costs: dict[Options, int]
    accuracies: dict[Options, Sequence[Sequence[float]]]
    epochs: tuple[int, ...] = (1,)
    chance: float = 0.1
    budget_share: float = 1.0

    @cached_property
    def high(self) -> int:
        """The budget: so large that `budget_share` of the encodings fit."""
        return int(np.quantile(list(self.costs.values()), self.budget_share, method="lower"))

    @cached_property
    def low(self) -> int:
        """The cheapest encoding."""
        return min(self.costs.values())

    @cached_property
    def budget_table(self) -> BudgetTable:
        """The chain, tabulated for the budget."""
        return tabulate(ListedChain(self.costs), self.high)

    @cached_property
    def means(self) -> dict[Options, float]:
        """Mean accuracy of each encoding at full length."""
        return {o: float(np.mean(rungs[-1])) for o, rungs in self.accuracies.items()}

    @cached_property
    def best(self) -> float:
        """Hypervolume of the best front there is."""
        return self.volume([o for o, cost in self.costs.items() if cost <= self.high])

    @cached_property
    def highest(self) -> float:
        """The highest mean accuracy within the budget."""
        return self.best_of([o for o, cost in self.costs.items() if cost <= self.high])

    def best_of(self, encodings: Sequence[Options]) -> float:
        """The highest mean accuracy of `encodings`; that of guessing where there are none."""
        return max((self.means[o] for o in encodings), default=self.chance)

    def volume(self, encodings: Sequence[Options]) -> float:
        """Hypervolume of the mean accuracies of `encodings`."""
        points = [(self.costs[o], self.means[o]) for o in encodings]
        return hypervolume(points, low=self.low, high=self.high, chance=self.chance)

    def result(self, job: Job, column: int) -> Result:
        """What training would have given, with the seed number `column`."""
        rung = self.epochs.index(job.epochs)
        return Result(self.accuracies[job.options][rung][column])


def made_up(
    name: str, seed: int, *, stages: int = 3, noise: float = 0.004, budget_share: float = 1.0
) -> Table:
    """Return a table whose accuracies saturate in cost, with effects of pairs of decisions.

    The log-error falls with log-cost and is shifted by each decision and by pairs of them; each
    seed adds normal noise, larger where the error is.
    """
    rng = np.random.default_rng(seed)
    ops = ("conv", "separable", "inverted", "basic")
    block = list(itertools.product(ops, ("k3", "k5"), ("w8", "w16", "w32")))
    encodings = [
        tuple(itertools.chain(*stages)) for stages in itertools.product(block, repeat=stages)
    ]
    costs = [_cost(options) for options in encodings]
    effect = _effects(encodings, rng)
    share = np.log(costs)
    share = (share - share.min()) / np.ptp(share)
    error = np.minimum(0.06 + 0.6 * np.exp(-(0.4 + 2.2 * share + 0.42 * effect)), 0.9)
    return _table(name, encodings, costs, error, rng, noise, budget_share)


def integers(name: str, seed: int, *, noise: float = 0.004, budget_share: float = 1.0) -> Table:
    """Return a table of widths and depths as integers, most of whose effect is in their size."""
    rng = np.random.default_rng(seed)
    widths, depths = (4, 8, 12, 16, 24, 32), (1, 2, 3, 4)
    encodings, costs, quality = [], [], []
    for w, d in itertools.product(
        itertools.product(widths, repeat=3), itertools.product(depths, repeat=3)
    ):
        encodings.append(tuple(itertools.chain(*zip(w, d, strict=True))))
        inner = [w[i] ** 2 * d[i] * 64 // 2**i for i in range(3)]
        costs.append(sum(inner) + 64 * w[0] * w[1] + 32 * w[1] * w[2] + 512)
        gains = np.dot([0.5, 0.35, 0.6], np.log(w)) + np.dot([0.4, 0.5, 0.2], np.log(d))
        quality.append(gains - 0.15 * abs(np.log(w[1] / w[0]) - 0.5))
    quality = np.array(quality) - min(quality)
    error = 0.55 * np.exp(-0.75 * quality) + 0.05
    return _table(name, encodings, costs, error, rng, noise, budget_share)


def read(path: Path, *, budget_share: float = 1.0) -> Table:
    """Return the table that `make_table.py` wrote."""
    data = json.loads(lzma.decompress(path.read_bytes()))
    rows = [(tuple(row["options"]), row["cost"], row["accuracy"]) for row in data["rows"]]
    return Table(
        data["name"],
        {options: cost for options, cost, _ in rows},
        {options: accuracy for options, _, accuracy in rows},
        tuple(data["epochs"]),
        data["chance"],
        budget_share,
    )


def _cost(options: Options) -> int:
    """Multiplies of stages on maps of 32, 16, 8 … pixels."""
    total, channels = 3 * 9 * 8 * 1024, 8
    for stage in range(len(options) // 3):
        op, kernel, width = (str(option) for option in options[3 * stage : 3 * stage + 3])
        area, taps, out = (32 >> stage) ** 2, int(kernel[1:]) ** 2, int(width[1:]) * (stage + 1)
        match op:
            case "conv":
                each = taps * channels * out
            case "separable":
                each = taps * channels + channels * out
            case "inverted":
                each = 3 * (channels**2 + taps * channels + channels * out)
            case _:
                each = taps * (channels * out + out * out)
        total, channels = total + area * each, out
    return total


def _effects(encodings: list[tuple[str, ...]], rng: np.random.Generator) -> np.ndarray:
    """Return the sum of effects of decisions and of pairs of near ones, with mean 0 and std 1."""
    size: dict[tuple[Any, ...], float] = {}

    def effect(scale: float, *key: Any) -> float:
        return size.setdefault(key, scale * float(rng.normal()))

    found = [
        sum(effect(0.25, i, o) for i, o in enumerate(options))
        + sum(
            effect(0.12, i, j, options[i], options[j])
            for i in range(len(options))
            for j in range(i + 1, min(i + 4, len(options)))
        )
        for options in encodings
    ]
    values = np.array(found)
    return (values - values.mean()) / values.std()


def _table(
    name: str,
    encodings: list[Any],
    costs: list[int],
    error: np.ndarray,
    rng: np.random.Generator,
    noise: float,
    budget_share: float,
) -> Table:
    """Add noise of three seeds, and two shorter rungs that know less and are noisier."""
    spread = noise * np.sqrt(error / 0.1)
    rungs = []
    for handicap in (0.5, 0.2, 0.0):
        slow = handicap * (1 + 0.3 * rng.normal(size=len(error)))
        mean = 1 - error - (error**0.5) * slow * 0.5
        rungs.append(mean[:, None] + spread[:, None] * rng.normal(size=(len(error), 3)))
    accuracy = np.clip(np.stack(rungs, axis=1), 0.0, 1.0)
    return Table(
        name,
        dict(zip(encodings, costs, strict=True)),
        {options: rows.tolist() for options, rows in zip(encodings, accuracy, strict=True)},
        (1, 3, 9),
        0.1,
        budget_share,
    )
