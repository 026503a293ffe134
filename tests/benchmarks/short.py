"""What a short training says about a long one, by how its weights are evaluated.

    python tests/benchmarks/short.py [--networks 40] [--seeds 2]

Networks of the table's space are trained for 9 epochs of the digits. On the way each is evaluated
after 1 and 3 epochs, and at the end, in several ways: on the stable phase as it stands, with a
moving average of its weights, with the statistics of BatchNorm taken again from the training part,
and after a branch on which the rate decays. Printed: mean accuracy, and the rank correlation with
the mean accuracy after 9 epochs of the same network's other seeds, so that no noise is shared.
"""

import argparse
from typing import Any

import jax
import numpy as np
from make_table import HELD_OUT, SPACE, TRAIN
from scipy.stats import spearmanr

import search.spaces.stages
from search.config.data import DataConfig
from search.data import open_dataset
from search.data.dataset import Dataset
from search.engine.batches import feed_of
from search.engine.programs.per_layer import PerLayerPrograms
from search.engine.schedule import order
from search.engine.scores import scores
from search.engine.state import State, fresh
from search.engine.trainer import Trainer
from search.networks.arch import Arch, Input
from search.networks.layers import layers_of
from search.spaces.budget_table import tabulate

LENGTHS = (1, 3, 9)
WAYS = (
    "stable_phase",
    "average",
    "stable_phase, again",
    "average, again",
    "decayed",
    "decayed, again",
)
# Share of the moving average of weights that each step keeps.
_KEPT = 0.95


class Bench:
    """One trainer, and its programs for one network at a time."""

    def __init__(self, dataset: Dataset) -> None:
        device = jax.local_devices()[0]
        self.trainer = Trainer(dataset, TRAIN, device)
        self.training = feed_of(dataset.train, device, 1e3)
        self.validation = feed_of(dataset.validation, device, 1e3)
        self.counts = len(dataset.train), len(dataset.validation)

    def measure(self, arch: Arch, seed: int) -> dict[tuple[int, str], float]:
        """Accuracy of one training by length and way."""
        trainer, schedule = self.trainer, self.trainer.schedule
        size = trainer.recipe.batch
        lengths = (self.training.length(size), self.validation.length(size))
        form = PerLayerPrograms(layers_of(arch), trainer.recipe, trainer.image, lengths)
        form.ready(trainer.programs)
        state = form.to_device([fresh(arch, trainer.recipe, seed)], trainer.device)
        average, found = state.parameters, {}
        for epoch in range(max(LENGTHS)):
            for length in LENGTHS:
                if schedule.decay_start(length) // schedule.steps == epoch:
                    found |= self._branch(form, state, length, seed)
            state, average = self._epoch(form, state, epoch, seed, average)
            if epoch + 1 in LENGTHS:
                ways = {"stable_phase": state, "average": state._replace(parameters=average)}
                for name, one in ways.items():
                    again = self._again(form, one)
                    found[epoch + 1, name] = self._accuracy(form, one)
                    found[epoch + 1, f"{name}, again"] = self._accuracy(form, again)
        return found

    def _epoch(self, form: Any, state: State, epoch: int, seed: int, average: Any) -> Any:
        """One epoch on the stable phase: the new state and moving average."""
        schedule = self.trainer.schedule
        chosen = order(self.counts[0], self.trainer.recipe.batch, seed, epoch)
        for k, batch in enumerate(self.training.batches(chosen)):
            step = epoch * schedule.steps + k
            rate = np.float32(schedule.rate(step, 10**6))
            state, _ = form.step(state, batch, np.uint32(seed), np.uint32(step), rate)
            # Early on all steps count alike, or the first weights would stay in for long.
            kept = min(_KEPT, step / (step + 1))
            average = jax.tree.map(
                lambda old, new, kept=kept: kept * np.asarray(old) + (1 - kept) * np.asarray(new),
                average,
                state.parameters,
            )
        return state, average

    def _branch(self, form: Any, state: State, length: int, seed: int) -> dict[Any, float]:
        """Go to the start of its decay and decay from there."""
        schedule = self.trainer.schedule
        for step in range(
            schedule.decay_start(length) // schedule.steps * schedule.steps, schedule.total(length)
        ):
            epoch, k = divmod(step, schedule.steps)
            chosen = order(self.counts[0], self.trainer.recipe.batch, seed, epoch)[k : k + 1]
            (batch,) = self.training.batches(chosen)
            rate = np.float32(schedule.rate(step, length))
            state, _ = form.step(state, batch, np.uint32(seed), np.uint32(step), rate)
        again = self._again(form, state)
        return {
            (length, "decayed"): self._accuracy(form, state),
            (length, "decayed, again"): self._accuracy(form, again),
        }

    def _accuracy(self, form: Any, state: State) -> float:
        placed = jax.device_put(state, self.trainer.device)
        (totals,) = form.totals(placed, self.validation, self.counts[1])
        return scores(totals).accuracy

    def _again(self, form: Any, state: State) -> State:
        """The state with statistics of BatchNorm over the whole training part."""
        recipe, layers = self.trainer.recipe, form.layers
        chosen = order(self.counts[0], recipe.batch, 0, 0)
        sums: dict[str, Any] = {}
        for batch in self.training.batches(chosen):
            images, labels, index = batch
            x, _ = form._program("plain", self.trainer.image, images.shape[0])(
                images, labels, index
            )
            values: list[Any] = []
            for layer in layers:
                source, add = form._inputs(layer, values, x)
                p, s = state.parameters[layer.path], state.statistics[layer.path]
                out, _, mean, variance, _ = form._program("forward", layer.shape)(
                    p, s, source, add, np.bool_(True)
                )
                values.append(out)
                sums.setdefault(layer.path, []).append((np.asarray(mean), np.asarray(variance)))
        found = {}
        for path, parts in sums.items():
            means, variances = (np.stack(part) for part in zip(*parts, strict=True))
            found[path] = {"mean": means.mean(0), "var": variances.mean(0) + means.var(0)}
        return state._replace(statistics=found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    chain = search.spaces.stages.build(SPACE, Input(8, 8, 1), 10)
    encodings = list(tabulate(chain).encodings())
    picks = np.random.default_rng(1).permutation(len(encodings))[: arguments.networks]
    bench = Bench(open_dataset(DataConfig(name="digits", validation_fraction=HELD_OUT), seed=0))
    seeds = range(arguments.seeds)
    rows = [[bench.measure(chain.value(encodings[i]), seed) for seed in seeds] for i in picks]
    goals = np.array([[row[seed][9, "decayed"] for seed in seeds] for row in rows])
    print(f"{len(picks)} networks, {arguments.seeds} seeds: mean accuracy, rank correlation")
    print("way            ", *(f"{length:2} epochs     " for length in LENGTHS))
    for way in WAYS:
        cells = []
        for length in LENGTHS:
            values = np.array([[row[seed][length, way] for seed in seeds] for row in rows])
            ranks = [
                spearmanr(values[:, seed], np.delete(goals, seed, 1).mean(1))[0] for seed in seeds
            ]
            cells.append(f"{values.mean():.4f} {np.mean(ranks):5.2f}")
        print(f"{way:15s}", "   ".join(cells))


if __name__ == "__main__":
    main()
