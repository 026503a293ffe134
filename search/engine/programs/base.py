"""What every kind of training programs offers, and the base of those that make one step a call."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from search.engine.batches import Batch, Feed, Steps, padded
from search.engine.forward import BatchStatistics, Totals, no_totals, pooled
from search.engine.programs.cache import ProgramCache, ProgramSpec
from search.engine.recipe import Recipe
from search.engine.state import State, resized, with_average


class TrainingPrograms(Protocol):
    """The compiled programs of one network: by layer, by step, or by epoch for several seeds.

    States differ in layout between kinds; `to_device` and `to_host` convert from and to the
    network's own, so that a training can change from one kind to another between steps.
    """

    def ready(self, programs: ProgramCache) -> float:
        """Wait until all programs are compiled; returns the seconds that took."""

    def program_specs(self) -> list[ProgramSpec]:
        """Return what has to be compiled."""

    def to_device(self, states: Sequence[State], device: jax.Device) -> State:
        """Put one state a seed on the device, in this kind's layout."""

    def to_host(self, state: State, exact: State) -> list[State]:
        """Return the states on the host, with the shapes of `exact`."""

    def advance(self, state: State, feed: Feed, steps: Steps) -> tuple[State, NDArray[np.float32]]:
        """Train for these steps; returns the new state, and loss and accuracy [seeds, steps, 2]."""

    def averaged(self, state: State, feed: Feed, indices: NDArray[np.int32]) -> State:
        """Return the average of the weights, with the statistics of these batches [n, batch]."""

    def totals(self, state: State, feed: Feed, count: int) -> list[Totals]:
        """Evaluate the first `count` images of the feed, for each seed."""


class Stepwise(ABC):
    """Trains one seed, one batch in each call. `like`: shapes of its state."""

    like: State
    recipe: Recipe

    @abstractmethod
    def step(
        self, state: State, batch: Batch, seed: np.uint32, step: np.uint32, rate: np.float32
    ) -> tuple[State, Array]:
        """Take one step of training; returns the new state, and loss and accuracy before it [2]."""

    @abstractmethod
    def statistics(self, state: State, batch: Batch) -> BatchStatistics:
        """Return the statistics of a batch, neither shifted nor mirrored, by these parameters."""

    @abstractmethod
    def score(self, state: State, batch: Batch, mask: Array, totals: Totals) -> Totals:
        """Return the totals after one more batch of evaluation."""

    def to_device(self, states: Sequence[State], device: jax.Device) -> State:
        """Put the one state on the device, padded to the shapes of `like`."""
        (state,) = states
        placed: State = jax.device_put(resized(state, self.like), device)
        return placed

    def to_host(self, state: State, exact: State) -> list[State]:
        """Return the state on the host, at the network's own widths."""
        return [resized(jax.device_get(state), exact)]

    def advance(self, state: State, feed: Feed, steps: Steps) -> tuple[State, NDArray[np.float32]]:
        """Train the one seed for these steps; returns the state and the scores [1, steps, 2]."""
        scores = []
        for k, batch in enumerate(feed.batches(steps.chosen[0])):
            steps.check()
            number, rate = np.uint32(steps.first + k), steps.rates[k]
            state, score = self.step(state, batch, steps.seeds[0], number, rate)
            scores.append(score)
        return state, np.array([[np.asarray(score) for score in scores]])

    def averaged(self, state: State, feed: Feed, indices: NDArray[np.int32]) -> State:
        """Return the average of the weights, with the statistics of these batches [n, batch]."""
        state = with_average(state)
        found = [self.statistics(state, batch) for batch in feed.batches(indices)]
        stacked = jax.tree.map(lambda *batches: np.stack(list(map(np.asarray, batches))), *found)
        return state._replace(statistics=jax.device_put(pooled(stacked), _device(state)))

    def totals(self, state: State, feed: Feed, count: int) -> list[Totals]:
        """Evaluate the first `count` images of the feed."""
        totals = jax.device_put(no_totals(self.recipe.classes), _device(state))
        indices, masks = padded(count, self.recipe.batch)
        for mask, batch in zip(masks, feed.batches(indices), strict=True):
            totals = self.score(state, batch, mask, totals)
        return [jax.device_get(totals)]


def _device(state: State) -> jax.Device:
    (device,) = next(iter(state.parameters.values()))["kernel"].devices()
    found: jax.Device = device
    return found
