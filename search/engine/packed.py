"""How a whole network's programs see it: layer by layer, or packed, in sizes that networks share.

Where the C++ kernels make all layers in one call, programs have the numbers of all layers in one
array each, rounded up to few sizes, and the layers are one more argument. So nothing is compiled
for a candidate that was not compiled for some candidate before it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from search.engine.kept import CLASSIFIER
from search.engine.ops import network
from search.engine.ops.network import LAYERS, Plan
from search.engine.recipe import Recipe
from search.engine.state import State, resized, shaped
from search.networks.layers import Layer

Spec = jax.ShapeDtypeStruct


@dataclass(frozen=True)
class Sizes:
    """What the programs of packed networks depend on, beside recipe and data.

    `kernel`, `channels`: numbers of all layers; `rows` of their plan; `saved`: floats of a batch
    that the backward pass needs; `out`: height, width and channels of the last map.
    """

    kernel: int
    channels: int
    rows: int
    saved: int
    out: tuple[int, int, int]


def sizes_of(layers: Sequence[Layer], batch: int) -> Sizes:
    """Return the sizes that these layers are packed in.

    Small ones are rounded up so coarsely that 100 networks of a space have 2 to 14 sizes, most of
    them by the channels of the last map: what is behind the last number costs an update of zeros in
    each step, some 20 µs, and in `saved` memory that nobody touches. Large ones grow by an eighth
    at most.
    """
    shapes = [layer.shape for layer in layers]
    channels = sum(shape.outputs for shape in shapes)
    weights = sum(shape.weights for shape in shapes)
    kernel = _rounded(max(weights, 8 * channels), 2**14, 4, 2**18)
    saved = _rounded(network.saved_floats(layers, batch), 2**20, 16, 2**24)
    last = shapes[-1]
    rows = _rounded(len(shapes), 64, 4, 2**10)
    return Sizes(kernel, kernel // 8, rows, saved, (*last.out_size, last.outputs))


def _rounded(number: int, least: int, factor: int, most: int) -> int:
    """Round up to `least` times a power of `factor`, above `most` to four digits of base two."""
    if number > most:
        digit = 1 << (number.bit_length() - 4)
        return -(-number // digit) * digit
    while least < number:
        least *= factor
    return least


class Packing:
    """A network as its programs take it.

    `like`: shapes of its state; `key`: what the programs depend on of network and recipe; `plan`:
    their last arguments, the layers and the images' mean and deviation, which differ between seeds.
    `shared`: whether other networks have the same programs.
    """

    def __init__(self, layers: tuple[Layer, ...], recipe: Recipe) -> None:
        self._layers, self._recipe = layers, recipe
        self._exact = shaped(layers, recipe)
        self.shared = recipe.native and network.known(layers)
        self.like: State = self._exact
        self.key: tuple[Any, ...] = (recipe, layers)
        self.plan: tuple[NDArray[Any], ...] = ()
        if self.shared:
            self._sizes = sizes_of(layers, recipe.batch)
            self.key = (replace(recipe, mean=(), std=()), self._sizes)
            pixels = (np.array(values, np.float32) for values in (recipe.mean, recipe.std))
            self.plan = (network.plan_of(layers, self._sizes.rows), *pixels)
            self.like = State(*map(self._shapes, self._exact))

    @property
    def plan_like(self) -> tuple[Spec, ...]:
        """Shapes of `plan`."""
        return tuple(Spec(array.shape, array.dtype) for array in self.plan)

    def read(self, plan: Sequence[Any]) -> tuple[network.Layers, Recipe]:
        """Return layers and recipe inside of a program, where its arguments have no values yet."""
        if not self.shared:
            return self._layers, self._recipe
        rows, mean, std = plan
        recipe = replace(self._recipe, mean=mean, std=std)
        return Plan(rows, self._sizes.out, self._sizes.saved), recipe

    def packed(self, state: State) -> State:
        """Return a state as programs take it, from that of the network's own shapes."""
        state = resized(state, self._exact)
        return State(*map(self._arrays, state)) if self.shared else state

    def unpacked(self, state: State) -> State:
        """Return a state of the network's own shapes."""
        if not self.shared:
            return state
        return State(*(self._taken(*pair) for pair in zip(state, self._exact, strict=True)))

    def _shapes(self, part: Mapping[str, Any]) -> dict[str, Any]:
        def like(path: Any, spec: Spec) -> Spec:
            return Spec((self._size(path),), spec.dtype) if spec.shape else spec

        first = part[self._layers[0].path]
        return self._joined(part, jax.tree_util.tree_map_with_path(like, first))

    def _arrays(self, part: Mapping[str, Any]) -> dict[str, Any]:
        def join(path: Any, *leaves: Any) -> Any:
            if not np.ndim(leaves[0]):
                # Counts of steps are the same for all layers.
                return leaves[0]
            joined = np.concatenate([np.ravel(leaf) for leaf in leaves])
            return np.pad(joined, (0, self._size(path) - joined.size))

        if not part:
            return {}
        each = [part[layer.path] for layer in self._layers]
        return self._joined(part, jax.tree_util.tree_map_with_path(join, *each))

    def _size(self, path: Any) -> int:
        """Return the size of an array of all layers: of kernels, or of what each channel has."""
        kernel = getattr(path[-1], "key", None) == "kernel"
        return self._sizes.kernel if kernel else self._sizes.channels

    def _joined(self, part: Mapping[str, Any], layers: Any) -> dict[str, Any]:
        rest = {CLASSIFIER: part[CLASSIFIER]} if CLASSIFIER in part else {}
        return {LAYERS: layers, **rest}

    def _taken(self, part: Mapping[str, Any], exact: Mapping[str, Any]) -> dict[str, Any]:
        if not part:
            return {}
        found = {CLASSIFIER: part[CLASSIFIER]} if CLASSIFIER in part else {}
        structure: Any
        leaves, structure = jax.tree.flatten(part[LAYERS])
        places = [0] * len(leaves)
        for layer in self._layers:
            own = []
            for number, like in enumerate(structure.flatten_up_to(exact[layer.path])):
                leaf, first = leaves[number], places[number]
                places[number] += math.prod(like.shape)
                own.append(leaf[first : places[number]].reshape(like.shape) if like.shape else leaf)
            found[layer.path] = structure.unflatten(own)
        return found
