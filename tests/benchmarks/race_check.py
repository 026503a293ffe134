"""The race's PyTorch trainer beside the engine: one step from equal weights, whole trainings.

    python tests/benchmarks/race_check.py [data=digits …] [--networks 3] [--seeds 4]

A step's loss and the weights after it agree to rounding; accuracies are compared over seeds, for
first weights and augmentation are drawn by other generators.
"""

import argparse
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np
import torch
from race_torch import Network, TorchTrainer
from rich.console import Console

from search.cli.hydra import compose
from search.compare.statistics import difference
from search.config.run import RunConfig
from search.data.dataset import Augment, Dataset
from search.engine.forward import train_step
from search.engine.recipe import recipe_of
from search.engine.state import fresh, weights_of
from search.engine.trainer import Trainer
from search.networks.arch import Arch, Input
from search.networks.cost import cost_of
from search.networks.layers import layers_of
from search.runner.images import open_images
from search.spaces.budget_table import tabulate
from search.spaces.stages import build


def chosen(config: RunConfig, data: Dataset, count: int) -> list[Arch]:
    """Return networks at even levels of log-cost."""
    chain = build(config.space, Input(*data.shape), len(data.classes))
    table = tabulate(chain, config.interval[1])
    found = table.sample_level(np.random.default_rng(0), count, *config.interval)
    return [table.candidate(options).value for options in found]


def step_difference(arch: Arch, config: RunConfig, data: Dataset) -> tuple[float, float]:
    """Return the largest relative differences of the losses of three steps and of the weights."""
    plain = replace(data, augment=Augment())
    device = jax.local_devices()[0]
    recipe = recipe_of(plain, config.train, device)
    state = fresh(arch, recipe, 0)
    trainer = TorchTrainer(plain, config.train)
    network = Network(arch)
    network.take(weights_of(state))
    network.train()
    optimiser = network.optimiser(config.train.weight_decay)
    step = jax.jit(partial(train_step, layers_of(arch), recipe))
    images, labels = plain.train.images[: recipe.batch], plain.train.labels[: recipe.batch]
    index = np.arange(recipe.batch, dtype=np.int32)
    x, y = trainer.normalised(images), torch.from_numpy(np.asarray(labels, np.int64))
    apart = []
    for number in range(3):
        given: Any = (np.asarray(images), np.asarray(labels, np.int32), index)
        rate = np.float32(0.01)
        state, measured = step(state, given, np.uint32(0), np.uint32(number), rate)
        loss = float(trainer.step(network, optimiser, x, y, 0.01))
        apart.append(abs(loss - float(measured[0])) / abs(loss))
    ours = np.asarray(state.parameters["classifier"]["kernel"])
    theirs = network.classifier.weight.detach().numpy().T
    return max(apart), float(np.abs(ours - theirs).max() / np.abs(ours).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("override", nargs="*", default=[])
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4)
    arguments = parser.parse_intermixed_args()
    config = compose(arguments.override)
    data = open_images(config, Console(stderr=True))
    ours = Trainer(data, config.train, jax.local_devices()[0])
    theirs = TorchTrainer(data, config.train)
    for arch in chosen(config, data, arguments.networks):
        loss, weights = step_difference(arch, config, data)
        print(
            f"{cost_of(arch).multiplies:,} multiplies; in three steps losses differ by {loss:.1e},"
            f" the classifier's weights after them by {weights:.1e}",
            flush=True,
        )
        seeds = range(arguments.seeds)
        peer = [theirs.train(arch, config.epochs, seed).accuracy for seed in seeds]
        own = [ours.fit(arch, config.epochs, seed).scores.accuracy for seed in seeds]
        apart = difference(own, peer, paired=False)
        ends = "" if apart.low is None else f" [{apart.low:+.4f}, {apart.high:+.4f}]"
        print(
            f"  accuracy {np.mean(own):.4f} by the engine, {np.mean(peer):.4f} by PyTorch:"
            f" {apart.mean:+.4f}{ends}",
            flush=True,
        )


if __name__ == "__main__":
    main()
