"""Training by a program of the whole network that makes one step a call."""

from collections.abc import Sequence

import jax
import numpy as np
from jax import Array

from search.engine.batches import Batch
from search.engine.forward import (
    BatchStatistics,
    Totals,
    batch_statistics,
    evaluation_step,
    train_step,
)
from search.engine.kept import Tree
from search.engine.packed import Packing
from search.engine.programs.base import Stepwise
from search.engine.programs.cache import Program, ProgramCache, ProgramSpec
from search.engine.programs.layer import MapShape, Spec, labels_like, totals_like
from search.engine.recipe import Recipe
from search.engine.state import State
from search.networks.layers import Layer


class PerStepProgram(Stepwise):
    """Train and evaluate one network, each step a single call."""

    def __init__(
        self, layers: tuple[Layer, ...], recipe: Recipe, image: MapShape, lengths: tuple[int, int]
    ) -> None:
        self.layers = layers
        self._packing = Packing(layers, recipe)
        self.like: State = self._packing.like
        self.recipe, self._image, self._lengths = recipe, image, lengths
        self._step: Program | None = None
        self._score: Program | None = None
        self._statistics: Program | None = None

    def program_specs(self) -> list[ProgramSpec]:
        """Return the two programs that a training needs, three where weights are averaged."""
        recipe, (training, evaluation) = self.recipe, self._lengths
        number, rate = Spec((), np.uint32), Spec((), np.float32)
        key, plan = (self._image, *self._packing.key), self._packing.plan_like
        labels = labels_like(recipe, training)
        arguments = (self.like, *self._batch(labels), number, number, rate, *plan)
        mask = Spec((recipe.batch,), np.float32)
        known = Spec((evaluation,), np.int32)
        scoring = (self.like, *self._batch(known), mask, totals_like(recipe), *plan)
        own = {"shared": self._packing.shared, "quickly": recipe.native}
        found = [
            ProgramSpec(("whole step", training, *key), self._run, arguments, **own),
            ProgramSpec(("whole score", evaluation, *key), self._evaluate, scoring, **own),
        ]
        if recipe.averaged:
            images, _, index = self._batch(labels)
            given = (self.like.parameters, images, index, *plan)
            found += [ProgramSpec(("whole statistics", training, *key), self._seen, given, **own)]
        return found

    def _batch(self, labels: Spec) -> tuple[Spec, Spec, Spec]:
        return (
            Spec((labels.shape[0], *self._image), np.uint8),
            labels,
            Spec((self.recipe.batch,), np.int32),
        )

    def to_device(self, states: Sequence[State], device: jax.Device) -> State:
        """Put the one state on the device."""
        return super().to_device([self._packing.packed(state) for state in states], device)

    def to_host(self, state: State, exact: State) -> list[State]:  # noqa: ARG002
        """Return the state on the host, at the network's own widths."""
        return [self._packing.unpacked(jax.device_get(state))]

    def ready(self, programs: ProgramCache) -> float:
        """Wait until the programs are compiled; returns the seconds waited."""
        (self._step, self._score, *rest), seconds = programs.get(self.program_specs())
        self._statistics = next(iter(rest), None)
        return seconds

    def _run(
        self,
        state: State,
        images: Array,
        labels: Array,
        index: Array,
        seed: Array,
        step: Array,
        rate: Array,
        *plan: Array,
    ) -> tuple[State, Array]:
        batch = (images, labels, index)
        return train_step(*self._packing.read(plan), state, batch, seed, step, rate)

    def _seen(self, parameters: Tree, images: Array, index: Array, *plan: Array) -> BatchStatistics:
        return batch_statistics(*self._packing.read(plan), parameters, images, index)

    def _evaluate(
        self,
        state: State,
        images: Array,
        labels: Array,
        index: Array,
        mask: Array,
        totals: Totals,
        *plan: Array,
    ) -> Totals:
        batch = (images, labels, index)
        return evaluation_step(*self._packing.read(plan), state, batch, mask, totals)

    def step(
        self, state: State, batch: Batch, seed: np.uint32, step: np.uint32, rate: np.float32
    ) -> tuple[State, Array]:
        """Take one step of training; returns the new state, and loss and accuracy before it [2]."""
        assert self._step is not None, "ready() first"
        after: tuple[State, Array] = self._step(
            state, *batch, seed, step, rate, *self._packing.plan
        )
        return after

    def statistics(self, state: State, batch: Batch) -> BatchStatistics:
        """Return the statistics of a batch, neither shifted nor mirrored, by these parameters."""
        assert self._statistics is not None, "ready() first, and train.finish=average"
        images, _, index = batch
        found: BatchStatistics = self._statistics(
            state.parameters, images, index, *self._packing.plan
        )
        return found

    def score(self, state: State, batch: Batch, mask: Array, totals: Totals) -> Totals:
        """Return the totals after one more batch of evaluation."""
        assert self._score is not None, "ready() first"
        after: Totals = self._score(state, *batch, mask, totals, *self._packing.plan)
        return after
