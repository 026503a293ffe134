"""A program that makes many steps in each call, of several seeds of a network side by side.

A small network leaves a processor idle for two reasons: its kernels are too small to fill an
accelerator, and each step waits for Python to launch it. Here the steps of an epoch are a loop
inside the program, and the seeds are one more axis of every array. On the CPU several seeds do not
help, and the loop does with the C++ kernels only: XLA's own convolutions run in one thread there.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from search.engine.batches import Feed, Resident, Steps, batches_of_statistics, padded
from search.engine.forward import (
    BatchStatistics,
    Totals,
    batch_statistics,
    evaluation_step,
    no_totals,
    pooled,
    train_step,
)
from search.engine.kept import Tree
from search.engine.packed import Packing
from search.engine.programs.cache import Program, ProgramCache, ProgramSpec
from search.engine.programs.layer import MapShape, Spec, labels_like
from search.engine.recipe import Recipe
from search.engine.state import State, with_average
from search.networks.layers import Layer

# Steps of one call on the CPU, which are seconds where images are large: Ctrl-C waits for them.
_MOST = 32


class PerEpochProgram:
    """Train and evaluate `seeds` networks side by side, up to `steps` steps in each call.

    `images`: numbers of training and validation images, all of them on the device.
    """

    def __init__(
        self,
        layers: tuple[Layer, ...],
        recipe: Recipe,
        image: MapShape,
        images: tuple[int, int],
        seeds: int,
        steps: int,
    ) -> None:
        self.recipe = recipe
        self._image, self._images, self._seeds = image, images, seeds
        self._steps = min(steps, _MOST) if recipe.platform == "cpu" else steps
        self._packing = Packing(layers, recipe)
        self._epoch: Program | None = None
        self._score: Program | None = None
        self._statistics: Program | None = None

    def program_specs(self) -> list[ProgramSpec]:
        """Return the two programs that the trainings need, three where weights are averaged."""
        seeds, steps, batch = self._seeds, self._steps, self.recipe.batch
        like, plan = self._packing.like, self._packing.plan_like
        states = jax.tree.map(lambda s: Spec((seeds, *s.shape), s.dtype), like)
        number = Spec((), np.uint32)
        training = (
            states,
            *self._part(labels_like(self.recipe, self._images[0])),
            Spec((seeds, steps, batch), np.int32),
            Spec((seeds,), np.uint32),
            number,
            number,
            Spec((steps,), np.float32),
            *plan,
        )
        batches = len(padded(self._images[1], batch)[0])
        scoring = (
            states,
            *self._part(Spec((self._images[1],), np.int32)),
            Spec((batches, batch), np.int32),
            Spec((batches, batch), np.float32),
            *plan,
        )
        key = (self._image, self._images, seeds, steps, *self._packing.key)
        own = {"shared": self._packing.shared, "quickly": self.recipe.native}
        found = [
            ProgramSpec(("looped steps", *key), self._run, training, **own),
            ProgramSpec(("looped score", *key), self._evaluate, scoring, **own),
        ]
        if self.recipe.averaged:
            count = batches_of_statistics(self._images[0], batch)
            images, _ = self._part(Spec((self._images[0],), np.int32))
            given = (states.parameters, images, Spec((count, batch), np.int32), *plan)
            found += [ProgramSpec(("looped statistics", *key), self._seen, given, **own)]
        return found

    def _part(self, labels: Spec) -> tuple[Spec, Spec]:
        return Spec((labels.shape[0], *self._image), np.uint8), labels

    def ready(self, programs: ProgramCache) -> float:
        """Wait until the programs are compiled; returns the seconds waited."""
        (self._epoch, self._score, *rest), seconds = programs.get(self.program_specs())
        self._statistics = next(iter(rest), None)
        return seconds

    def _run(
        self,
        states: State,
        images: Array,
        labels: Array,
        chosen: Array,
        seeds: Array,
        first: Array,
        count: Array,
        rates: Array,
        *plan: Array,
    ) -> tuple[State, Array]:
        # The number of steps is an argument, so that a part of an epoch needs no other program; and
        # on an accelerator the loop's length is not, or the host would read from the device before
        # each step whether there is one more.
        last, on_cpu = count.astype(jnp.int32), self.recipe.platform == "cpu"
        layers, recipe = self._packing.read(plan)

        def one(state: State, chosen: Array, seed: Array) -> tuple[State, Array]:
            def body(k: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
                state, scores = carry
                step = first + k.astype(first.dtype)
                batch = (images, labels, chosen[k])
                after, score = train_step(layers, recipe, state, batch, seed, step, rates[k])
                if not on_cpu:
                    # Steps behind the last are made for nothing, at most an epoch of them in all.
                    after = jax.tree.map(partial(jnp.where, k < last), after, state)
                return after, scores.at[k].set(score)

            scores = jnp.zeros((self._steps, 2), jnp.float32)
            end = last if on_cpu else self._steps
            looped: tuple[State, Array] = lax.fori_loop(0, end, body, (state, scores))
            return looped

        after: tuple[State, Array] = self._each(one)(states, chosen, seeds)
        return after

    def _evaluate(
        self,
        states: State,
        images: Array,
        labels: Array,
        indices: Array,
        masks: Array,
        *plan: Array,
    ) -> Totals:
        layers, recipe = self._packing.read(plan)

        def one(state: State) -> Any:
            def add(totals: Totals, part: tuple[Array, Array]) -> tuple[Totals, None]:
                index, mask = part
                batch = (images, labels, index)
                return evaluation_step(layers, recipe, state, batch, mask, totals), None

            none = jax.tree.map(jnp.asarray, no_totals(self.recipe.classes))
            totals, _ = lax.scan(add, none, (indices, masks))
            return totals

        found: Totals = self._each(one)(states)
        return found

    def _seen(
        self, parameters: Tree, images: Array, indices: Array, *plan: Array
    ) -> BatchStatistics:
        layers, recipe = self._packing.read(plan)

        def one(parameters: Tree) -> BatchStatistics:
            def add(_: None, index: Array) -> tuple[None, Any]:
                return None, batch_statistics(layers, recipe, parameters, images, index)

            batches: BatchStatistics = lax.scan(add, None, indices)[1]
            return batches

        found: BatchStatistics = self._each(one)(parameters)
        return found

    def _each(self, function: Any) -> Any:
        """Map `function` over the seeds; vmap over a single one would only group convolutions."""
        if self._seeds > 1:
            return jax.vmap(function)

        def alone(*arguments: Any) -> Any:
            first = jax.tree.map(lambda a: a[0], arguments)
            return jax.tree.map(lambda a: a[None], function(*first))

        return alone

    def to_device(self, states: Sequence[State], device: jax.Device) -> State:
        """Put the states on the device, stacked."""
        exact = [self._packing.packed(state) for state in states]
        placed: State = jax.device_put(jax.tree.map(lambda *a: np.stack(a), *exact), device)
        return placed

    def to_host(self, state: State, exact: State) -> list[State]:  # noqa: ARG002
        """Return the states on the host, one for each seed."""
        host = jax.device_get(state)
        found = [jax.tree.map(lambda a, i=i: a[i], host) for i in range(self._seeds)]
        return list(map(self._packing.unpacked, found))

    def advance(self, state: State, feed: Feed, steps: Steps) -> tuple[State, NDArray[np.float32]]:
        """Train all seeds for these steps; returns the state and the scores [seeds, steps, 2]."""
        assert self._epoch is not None, "ready() first"
        assert isinstance(feed, Resident)
        measured = []
        for start in range(0, len(steps.rates), self._steps):
            steps.check()
            part = slice(start, start + self._steps)
            count = len(steps.rates[part])
            after = self._steps - count
            chosen = np.pad(steps.chosen[:, part], ((0, 0), (0, after), (0, 0)))
            rates = np.pad(steps.rates[part], (0, after))
            numbers = np.uint32(steps.first + start), np.uint32(count)
            given = (*feed.arrays, chosen, steps.seeds, *numbers, rates, *self._packing.plan)
            state, scores = self._epoch(state, *given)
            # Waited for here: an interruption is heard between two calls.
            measured.append(np.asarray(scores)[:, :count])
        return state, np.concatenate(measured, 1)

    def averaged(self, state: State, feed: Feed, indices: NDArray[np.int32]) -> State:
        """Return the averages of the weights, with the statistics of these batches [n, batch]."""
        assert self._statistics is not None, "ready() first, and train.finish=average"
        assert isinstance(feed, Resident)
        state = with_average(state)
        given = (state.parameters, feed.arrays[0], indices, *self._packing.plan)
        # Pooled on the host, as those of streamed data are: the same bits.
        found = pooled(jax.device_get(self._statistics(*given)))
        (device,) = feed.arrays[0].devices()
        return state._replace(statistics=jax.device_put(found, device))

    def totals(self, state: State, feed: Feed, count: int) -> list[Totals]:
        """Evaluate the first `count` images of the feed."""
        assert self._score is not None, "ready() first"
        assert isinstance(feed, Resident)
        batches = padded(count, self.recipe.batch)
        found = jax.device_get(self._score(state, *feed.arrays, *batches, *self._packing.plan))
        return [Totals(*(part[i] for part in found)) for i in range(self._seeds)]
