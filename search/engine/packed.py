"""A network's state with the numbers of all its layers in one array each, as its kernels take them.

So a program has a dozen arrays whatever the network, and is compiled in a fraction of the time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from search.engine.kept import CLASSIFIER
from search.engine.ops import network
from search.engine.recipe import Recipe
from search.engine.state import State, shaped
from search.networks.layers import Layer

# Where the arrays of all layers lie.
LAYERS = "layers"


def packs(layers: Sequence[Layer], recipe: Recipe) -> bool:
    """Say whether one operation makes all these layers, of a packed state."""
    return recipe.native and network.known(layers)


def program_shapes(layers: tuple[Layer, ...], recipe: Recipe) -> State:
    """Return the shapes of the state that a whole network's programs take."""
    exact = shaped(layers, recipe)
    return _each(_shapes, layers, exact) if packs(layers, recipe) else exact


def packed(layers: tuple[Layer, ...], state: State) -> State:
    """Return the state with the layers' arrays one after the other, flat."""
    return _each(_arrays, layers, state)


def unpacked(layers: tuple[Layer, ...], state: State, exact: State) -> State:
    """Return the state layer by layer, of the shapes of `exact`."""
    return State(*(_taken(layers, *pair) for pair in zip(state, exact, strict=True)))


def _each(join: Any, layers: tuple[Layer, ...], state: State) -> State:
    def one(part: Mapping[str, Any]) -> dict[str, Any]:
        rest = {CLASSIFIER: part[CLASSIFIER]} if CLASSIFIER in part else {}
        return {LAYERS: jax.tree.map(join, *(part[layer.path] for layer in layers)), **rest}

    return State(*(one(part) if part else part for part in state))


def _arrays(*leaves: Any) -> Any:
    # Counts of steps are the same for all layers.
    return np.concatenate([np.ravel(leaf) for leaf in leaves]) if np.ndim(leaves[0]) else leaves[0]


def _shapes(*leaves: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    size = sum(leaf.size for leaf in leaves)
    return jax.ShapeDtypeStruct((size,) if leaves[0].shape else (), leaves[0].dtype)


def _taken(
    layers: tuple[Layer, ...], part: Mapping[str, Any], exact: Mapping[str, Any]
) -> dict[str, Any]:
    if not part:
        return {}
    found = {CLASSIFIER: part[CLASSIFIER]} if CLASSIFIER in part else {}
    leaves, structure = jax.tree.flatten(part[LAYERS])
    places = [0] * len(leaves)
    for layer in layers:
        own = []
        for number, (leaf, like) in enumerate(
            zip(leaves, structure.flatten_up_to(exact[layer.path]), strict=True)
        ):
            first = places[number]
            places[number] += like.size
            own.append(leaf[first : places[number]].reshape(like.shape) if like.shape else leaf)
        found[layer.path] = structure.unflatten(own)
    return found
