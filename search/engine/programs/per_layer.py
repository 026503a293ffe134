"""Training by programs of one layer each, shared by all candidates of a search.

A short training of a small network takes less time than compiling it. Here a step is some twenty
calls instead of one, but after a few candidates nothing is left to compile. Channels are padded
with zeros, which stay zero, to a few widths, so that few programs are needed.
"""

from collections import Counter
from typing import Any

import numpy as np
from jax import Array

from search.engine.batches import Batch
from search.engine.forward import BatchStatistics, Totals
from search.engine.kept import CLASSIFIER
from search.engine.programs import layer as layer_programs
from search.engine.programs.base import Stepwise
from search.engine.programs.cache import Program, ProgramCache, ProgramSpec
from search.engine.programs.layer import MapShape
from search.engine.recipe import Recipe
from search.engine.state import State, shaped
from search.networks.layers import IMAGE, Layer, propagate, with_channels

_WIDTHS = (4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256)


def rounded(channels: int) -> int:
    """Return the number of channels at which a layer of `channels` is run."""
    for width in _WIDTHS:
        if channels <= width:
            return width
    return -(-channels // 128) * 128


def rounded_layers(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Return the layers with the numbers of channels at which they are run."""
    counts = {c for layer in layers for c in (layer.shape.inputs, layer.shape.outputs)}
    return with_channels(layers, {count: rounded(count) for count in counts})


class PerLayerPrograms(Stepwise):
    """Train and evaluate one network through the shared programs."""

    def __init__(
        self, layers: tuple[Layer, ...], recipe: Recipe, image: MapShape, lengths: tuple[int, ...]
    ) -> None:
        self.layers = rounded_layers(layers)
        self.like: State = shaped(self.layers, recipe)
        self.recipe, self._image = recipe, image
        self._lengths = tuple(dict.fromkeys(lengths))
        self._found: dict[Any, Program] = {}
        # Of each layer.
        self._forwards: list[Program] = []
        self._backwards: list[Program] = []

    def _size(self, index: int) -> MapShape:
        shape = self.layers[index].shape
        return (*shape.out_size, shape.outputs)

    def program_specs(self) -> list[ProgramSpec]:
        """Return every program that a training needs."""
        recipe = self.recipe
        found: list[ProgramSpec] = []
        for length in self._lengths:
            found += [layer_programs.batch(recipe, self._image, length)]
            found += [layer_programs.plain(recipe, self._image, length)]
        uses: Counter[int] = Counter()
        for layer in self.layers:
            shape, first = layer.shape, layer.source == IMAGE
            if shape.kind == "pool":
                found += [layer_programs.pool(recipe, shape), layer_programs.unpool(recipe, shape)]
            else:
                found += [layer_programs.forward(recipe, shape)]
                found += [layer_programs.backward(recipe, shape, first=first)]
            uses.update(i for i in (layer.source, layer.added) if i is not None and i != IMAGE)
        last = self._size(-1)
        found += [layer_programs.loss(recipe, last), layer_programs.score(recipe, last)]
        shared = sorted({self._size(i) for i, count in uses.items() if count > 1})
        found += [layer_programs.total(recipe, size) for size in shared]
        return list({b.key: b for b in found}.values())

    def ready(self, programs: ProgramCache) -> float:
        """Wait until the programs are compiled; returns the seconds waited."""
        program_specs = self.program_specs()
        found, seconds = programs.get(program_specs)
        # Without the recipe, of which each program has its own part.
        keys: list[Any] = [spec.key for spec in program_specs]
        self._found = {(k[0], *k[2:]): p for k, p in zip(keys, found, strict=True)}
        # Looked up once: a step of twenty layers would hash their shapes forty times.
        self._forwards, self._backwards = [], []
        for layer in self.layers:
            shape = layer.shape
            if shape.kind == "pool":
                self._forwards.append(self._program("pool", shape))
                self._backwards.append(self._program("unpool", shape))
            else:
                self._forwards.append(self._program("forward", shape))
                self._backwards.append(self._program("backward", shape, layer.source == IMAGE))
        return seconds

    def _program(self, *key: Any) -> Program:
        return self._found[key]

    def step(
        self, state: State, batch: Batch, seed: np.uint32, step: np.uint32, rate: np.float32
    ) -> tuple[State, Array]:
        """Take one step of training; returns the new state, and loss and accuracy before it [2]."""
        images, labels, index = batch
        make = self._program("batch", self._image, images.shape[0])
        x, targets = make(images, labels, index, seed, step)
        parameters, opt_state = dict(state.parameters), dict(state.opt_state)
        statistics = dict(state.statistics)
        # Of each layer, what its backward pass needs: its input, and what `forward` returned.
        saved: list[Any] = []
        forwards = iter(self._forwards)

        def apply(layer: Layer, x: Any, add: Any) -> Any:
            forward = next(forwards)
            if layer.shape.kind == "pool":
                saved.append((x,))
                return forward(x)
            path = layer.path
            out, y, mean, variance, statistics[path] = forward(
                parameters[path], statistics[path], x, add, _TRAINING
            )
            saved.append((x, y, add, mean, variance))
            return out

        features = propagate(self.layers, x, apply)[-1]
        last = self._size(-1)
        update = self._program("loss", last)
        scores, gradient, parameters[CLASSIFIER], opt_state[CLASSIFIER] = update(
            parameters[CLASSIFIER], opt_state[CLASSIFIER], rate, features, targets
        )
        # Gradients to the values whose layer has not been passed yet, by the value's index.
        pending: dict[int, Any] = {len(self.layers) - 1: gradient}
        for position in reversed(range(len(self.layers))):
            layer = self.layers[position]
            path, backward = layer.path, self._backwards[position]
            gradient = pending.pop(position)
            if layer.shape.kind == "pool":
                to_x = backward(*saved[position], gradient)
                self._accumulate(pending, layer.source, to_x)
                continue
            to_x, to_add, parameters[path], opt_state[path] = backward(
                parameters[path], opt_state[path], rate, *saved[position], gradient
            )
            self._accumulate(pending, layer.source, to_x)
            if layer.added is not None:
                self._accumulate(pending, layer.added, to_add)
        return State(parameters, statistics, opt_state), scores

    def statistics(self, state: State, batch: Batch) -> BatchStatistics:
        """Return the statistics of a batch, neither shifted nor mirrored, by these parameters."""
        return self._passed(state, batch, _TRAINING)[2]

    def score(self, state: State, batch: Batch, mask: Array, totals: Totals) -> Totals:
        """Return the totals after one more batch of evaluation."""
        features, known, _ = self._passed(state, batch, _EVALUATION)
        score = self._program("score", self._size(-1))
        after: Totals = score(state.parameters[CLASSIFIER], features, known, mask, totals)
        return after

    def _passed(
        self, state: State, batch: Batch, training: np.bool_
    ) -> tuple[Any, Any, BatchStatistics]:
        """Pass a batch forward: the last layer's output, the labels, the batch's statistics."""
        images, labels, index = batch
        plain = self._program("plain", self._image, images.shape[0])
        x, known = plain(images, labels, index)
        seen: BatchStatistics = {}
        forwards = iter(self._forwards)

        def apply(layer: Layer, x: Any, add: Any) -> Any:
            forward = next(forwards)
            if layer.shape.kind == "pool":
                return forward(x)
            p, s = state.parameters[layer.path], state.statistics[layer.path]
            out, _, mean, variance, _ = forward(p, s, x, add, training)
            seen[layer.path] = (mean, variance)
            return out

        return propagate(self.layers, x, apply)[-1], known, seen

    def _accumulate(self, pending: dict[int, Any], index: int, gradient: Any) -> None:
        """Add a gradient to those that have reached the value at `index`."""
        if index == IMAGE:
            return
        if index in pending:
            add = self._program("total", self._size(index))
            gradient = add(pending[index], gradient)
        pending[index] = gradient


_TRAINING, _EVALUATION = np.bool_(True), np.bool_(False)
