"""What a short training says about a long one, by how its weights are evaluated.

    python tests/benchmarks/short.py --networks 100 --lengths 1 3 9 data=digits
    python tests/benchmarks/short.py --networks 100 --lengths 1 2 4 data=fashion_mnist \\
        "data.train='train[:12000]'" "data.validation='train[57000:]'" space=question budget=500k \\
        train=few train.batch=64 train.learning_rate=0.02 train.warmup=0.5 train.label_smoothing=0

The overrides are those of `convbudget run`. Networks at even levels of log-cost are trained as far
as the greatest length. On the way each is evaluated at every length in several ways: after a branch
on which the rate decays (`train.finish=decay`), by the weights of the stable phase as they stand
and with statistics of BatchNorm taken again, and by their average (`train.finish=average`).
Printed: mean accuracy, and the rank correlation with the decayed accuracy at the greatest length of
another seed of the network, so that no noise of training is shared. `--keep FILE` goes on where it
was stopped.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from scipy.stats import spearmanr

from search.cli.hydra import compose
from search.config.train import FINISHES
from search.engine.batches import feed_of
from search.engine.fitted import Diverged
from search.engine.programs.compile import settled
from search.engine.programs.per_step import PerStepProgram
from search.engine.schedule import Schedule, order
from search.engine.scores import scores
from search.engine.state import State, fresh
from search.engine.trainer import Trainer
from search.networks.arch import Arch, Input
from search.networks.layers import layers_of
from search.runner.images import open_images
from search.spaces.budget_table import tabulate
from search.spaces.stages import build

Found = dict[str, float]
"""Accuracy by `length way`."""

WAYS = ("decayed", "trunk", "trunk, again", "average, again")


@dataclass(frozen=True, eq=False)
class Bench:
    """A trainer for either end of a training, their data, and the lengths to evaluate at."""

    trainer: Trainer
    decaying: Trainer
    training: Any
    validation: Any
    counts: tuple[int, int]
    lengths: tuple[int, ...]

    @property
    def schedule(self) -> Schedule:
        """That of trainings which decay; its stable phase is the other's."""
        return self.decaying.schedule

    def measure(self, arch: Arch, seed: int) -> Found:
        """Return the accuracies of one training."""
        trainer, size = self.trainer, self.trainer.recipe.batch
        sides = (self.training.length(size), self.validation.length(size))
        form = PerStepProgram(layers_of(arch), trainer.recipe, trainer.image, sides)
        form.ready(trainer.programs)
        state = form.to_device([fresh(arch, trainer.recipe, seed)], trainer.device)
        found: Found = {}
        for epoch in range(max(self.lengths)):
            for length in self.lengths:
                if self.schedule.decay_start(length) // self.schedule.steps == epoch:
                    branch = self._decayed(form, state, length, seed)
                    found[f"{length} decayed"] = self._accuracy(form, branch)
            for step, batch in self._batches(seed, epoch):
                state = self._step(form, state, batch, seed, step, 10**6)
            if epoch + 1 in self.lengths:
                found |= self._evaluated(form, state, epoch + 1)
        return found

    def goal(self, arch: Arch, seed: int) -> float:
        """Return the accuracy after a decay at the greatest length."""
        try:
            return self.decaying.fit(arch, max(self.lengths), seed).scores.accuracy
        except Diverged:
            return 0.0

    def _evaluated(self, form: PerStepProgram, state: State, length: int) -> Found:
        """Return the accuracies at a length but that of the branch."""
        sampled = self.trainer.sampled
        average = form.averaged(state, self.training, sampled)
        # What `averaged` takes for the average of the weights.
        as_average = {
            path: own._replace(average=state.parameters[path])
            for path, own in state.opt_state.items()
        }
        trunk = form.averaged(state._replace(opt_state=as_average), self.training, sampled)
        ways = {"trunk": state, "trunk, again": trunk, "average, again": average}
        return {f"{length} {name}": self._accuracy(form, one) for name, one in ways.items()}

    def _batches(self, seed: int, epoch: int, first: int = 0) -> Iterable[tuple[int, Any]]:
        """The epoch's steps from `first`, by their number in the training, with their batches."""
        chosen = order(self.counts[0], self.trainer.recipe.batch, seed, epoch)[first:]
        number = epoch * self.schedule.steps + first
        return enumerate(self.training.batches(chosen), number)

    def _step(
        self, form: PerStepProgram, state: State, batch: Any, seed: int, step: int, epochs: int
    ) -> State:
        rate = np.float32(self.schedule.rate(step, epochs))
        state, _ = form.step(state, batch, np.uint32(seed), np.uint32(step), rate)
        return state

    def _decayed(self, form: PerStepProgram, state: State, length: int, seed: int) -> State:
        """Go on from the start of an epoch to the decay's start, and decay."""
        steps = self.schedule.steps
        for epoch in range(self.schedule.decay_start(length) // steps, length):
            for step, batch in self._batches(seed, epoch):
                state = self._step(form, state, batch, seed, step, length)
        return state

    def _accuracy(self, form: PerStepProgram, state: State) -> float:
        placed = jax.device_put(state, self.trainer.device)
        (totals,) = form.totals(placed, self.validation, self.counts[1])
        return scores(totals).accuracy


def opened(overrides: list[str], networks: int, lengths: list[int]) -> tuple[Bench, list[Arch]]:
    """Return the bench of a command's data and recipe, and networks of its space and budget."""
    config = compose(overrides)
    data = open_images(config, Console(stderr=True))
    chain = build(config.space, Input(*data.shape), len(data.classes))
    table = tabulate(chain, config.interval[1])
    rng = np.random.default_rng(1)
    encodings = table.sample_level(rng, networks, *config.interval)
    # In no order, so that those trained when it is stopped are of all costs.
    archs = [chain.value(encodings[i]) for i in rng.permutation(len(encodings))]
    device = jax.local_devices()[0]
    averaging, decaying = (
        Trainer(data, replace(config.train, finish=finish), device) for finish in FINISHES[::-1]
    )
    parts = [feed_of(part, device, None) for part in (data.train, data.validation)]
    counts = len(data.train), len(data.validation)
    return Bench(averaging, decaying, *parts, counts, tuple(lengths)), archs


def report(rows: list[tuple[Found, float]], lengths: list[int]) -> None:
    """Print the table of accuracies and correlations, with an interval of the latter."""
    goals = np.array([goal for _, goal in rows])
    print(f"{len(rows)} networks: mean accuracy, rank correlation with the goal ± standard error")
    print(f"{'way':18s}", *(f"{length:>2} epochs          " for length in lengths))
    for way in WAYS:
        cells = []
        for length in lengths:
            values = np.array([found[f"{length} {way}"] for found, _ in rows])
            rank, error = correlation(values, goals)
            cells.append(f"{values.mean():.4f} {rank:5.2f} ± {error:.2f}")
        print(f"{way:18s}", "  ".join(cells))
    print("\nless the decayed one, paired: accuracy, rank correlation, 95 % intervals")
    for way in WAYS[1:]:
        cells = []
        for length in lengths:
            values = np.array([found[f"{length} {way}"] for found, _ in rows])
            base = np.array([found[f"{length} decayed"] for found, _ in rows])
            gain, (low, high) = (values - base).mean(), paired(values, base, goals)
            half = 1.96 * (values - base).std(ddof=1) / np.sqrt(len(rows))
            cells.append(f"{gain:+.4f} ± {half:.4f} [{low:+.2f}, {high:+.2f}]")
        print(f"{way:18s}", "  ".join(cells))


def correlation(values: np.ndarray, goals: np.ndarray) -> tuple[float, float]:
    """Return Spearman's correlation and its standard error, by the bootstrap over networks."""
    drawn = resampled(len(goals))
    ranks = [spearmanr(values[i], goals[i])[0] for i in drawn]
    return float(spearmanr(values, goals)[0]), float(np.nanstd(ranks))


def paired(values: np.ndarray, base: np.ndarray, goals: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the difference of two correlations with the goals."""
    gains = [
        spearmanr(values[i], goals[i])[0] - spearmanr(base[i], goals[i])[0]
        for i in resampled(len(goals))
    ]
    low, high = np.nanpercentile(gains, [2.5, 97.5])
    return float(low), float(high)


def resampled(count: int) -> np.ndarray:
    """Return indices of 1,000 draws with replacement."""
    return np.random.default_rng(0).integers(count, size=(1000, count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("override", nargs="*")
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 3, 9])
    parser.add_argument("--keep", type=Path, help="a line of JSON for each network so far")
    given = parser.parse_intermixed_args()
    rows: list[tuple[Found, float]] = []
    if given.keep and given.keep.exists():
        rows = [tuple(json.loads(line)) for line in given.keep.read_text().splitlines()]
    bench, archs = opened(given.override, given.networks, given.lengths)
    for arch in archs[len(rows) :]:
        with settled():
            rows.append((bench.measure(arch, 0), bench.goal(arch, 1)))
        if given.keep:
            with given.keep.open("a") as file:
                print(json.dumps(rows[-1]), file=file)
    report(rows, given.lengths)


if __name__ == "__main__":
    main()
