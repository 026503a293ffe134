"""Training by one program for the whole network: the fastest step, compiled for each candidate."""

from typing import Any

import jax
import numpy as np
from jax import Array, lax

from search.layers import Layer
from search.train.augment import normalised, training_batch
from search.train.batches import Batch
from search.train.network import Totals, evaluated, running, scored, whole_loss
from search.train.optimiser import update
from search.train.pieces import Size, Spec, totals_like
from search.train.programs import Blueprint, Program, Programs
from search.train.recipe import Recipe
from search.train.state import CLASSIFIER, State, shaped


class Whole:
    """Steps and evaluations of one network, each a single call."""

    def __init__(
        self, layers: tuple[Layer, ...], recipe: Recipe, image: Size, lengths: tuple[int, int]
    ) -> None:
        self.layers = layers
        self.like: State = shaped(layers, recipe)
        self._recipe, self._image, self._lengths = recipe, image, lengths
        self._step: Program | None = None
        self._score: Program | None = None

    def blueprints(self) -> list[Blueprint]:
        """The two programs that a training needs."""
        recipe, (training, evaluation) = self._recipe, self._lengths
        number, rate = Spec((), np.uint32), Spec((), np.float32)
        key = (recipe, self._image, self.layers)
        arguments = (self.like, *self._batch(training), number, number, rate)
        mask = Spec((recipe.batch,), np.float32)
        scoring = (self.like, *self._batch(evaluation), mask, totals_like(recipe))
        return [
            Blueprint(("whole step", training, *key), self._run, arguments),
            Blueprint(("whole score", evaluation, *key), self._evaluate, scoring),
        ]

    def _batch(self, length: int) -> tuple[Spec, Spec, Spec]:
        return (
            Spec((length, *self._image), np.uint8),
            Spec((length,), np.int32),
            Spec((self._recipe.batch,), np.int32),
        )

    def ready(self, programs: Programs) -> float:
        """Wait for the programs; returns the seconds that took."""
        (self._step, self._score), seconds = programs.get(self.blueprints())
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
    ) -> tuple[State, Array]:
        recipe = self._recipe
        key = jax.random.fold_in(jax.random.key(seed), step)
        x, targets = training_batch(images[index], labels[index], key, recipe)
        # Fused into the first convolution, the making of a batch would be done once for each tap.
        x, targets = lax.optimization_barrier((x, targets))

        def loss_of(parameters: Any) -> Any:
            return whole_loss(self.layers, recipe, parameters, x, targets)

        (loss, seen), gradients = jax.value_and_grad(loss_of, has_aux=True)(state.parameters)
        parameters, memory = {}, {}
        for path, gradient in gradients.items():
            parameters[path], memory[path] = update(
                recipe, gradient, state.memory[path], state.parameters[path], rate
            )
        statistics = {p: running(s, *seen[p]) for p, s in state.statistics.items()}
        return State(parameters, statistics, memory), loss

    def _evaluate(
        self, state: State, images: Array, labels: Array, index: Array, mask: Array, totals: Totals
    ) -> Totals:
        x = lax.optimization_barrier(normalised(images[index], self._recipe))
        last = evaluated(self.layers, self._recipe, state.parameters, state.statistics, x)
        return scored(state.parameters[CLASSIFIER], last, labels[index], mask, totals)

    def step(
        self, state: State, batch: Batch, seed: np.uint32, step: np.uint32, rate: np.float32
    ) -> tuple[State, Array]:
        """One step of training: the new state, and the loss before it."""
        assert self._step is not None, "ready() first"
        after: tuple[State, Array] = self._step(state, *batch, seed, step, rate)
        return after

    def score(self, state: State, batch: Batch, mask: Array, totals: Totals) -> Totals:
        """Totals after one more batch of evaluation."""
        assert self._score is not None, "ready() first"
        after: Totals = self._score(state, *batch, mask, totals)
        return after
