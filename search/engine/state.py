"""A training's state as plain trees: parameters, running statistics, the optimiser's state."""

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from search.engine.kept import CLASSIFIER, Tree, named
from search.engine.model import build
from search.engine.optimiser import first_state
from search.engine.recipe import Recipe
from search.networks.arch import Arch
from search.networks.layers import Layer


class State(NamedTuple):
    """`parameters[path]`: kernel, scale, bias; `statistics[path]`: mean, var; `opt_state[path]`."""

    parameters: Tree
    statistics: Tree
    opt_state: dict[str, Any]


def fresh(arch: Arch, recipe: Recipe, seed: int) -> State:
    """Return the weights of `build(arch, rngs=nnx.Rngs(seed))` and a zero optimiser state."""
    flat = nnx.to_flat_state(nnx.state(build(arch, rngs=nnx.Rngs(seed))))
    weights = {".".join(map(str, path)): np.asarray(value[...]) for path, value in flat}
    parameters, statistics = split_weights(weights)
    # Every optimiser here starts from zeros; its own `init` would compile once for each shape.
    opt_state = {path: zeros(opt_state_shapes(recipe, p)) for path, p in parameters.items()}
    return State(parameters, statistics, opt_state)


def with_weights(state: State, weights: Mapping[str, NDArray[Any]]) -> State:
    """Return the state with `weights`, of the module's names, in place of its own."""
    given = split_weights(weights)
    parameters, statistics = (
        {path: {**values, **new.get(path, {})} for path, values in own.items()}
        for own, new in zip(state[:2], given, strict=True)
    )
    return State(parameters, statistics, state.opt_state)


def opt_state_shapes(recipe: Recipe, parameters: Any) -> Any:
    """Shapes of the optimiser's state of one layer."""
    shapes = tuple((name, tuple(p.shape), str(p.dtype)) for name, p in sorted(parameters.items()))
    return _opt_state_shapes(recipe, shapes)


# Tracing an optimiser takes milliseconds, and a short training asks for a hundred of them.
@lru_cache(maxsize=4096)
def _opt_state_shapes(recipe: Recipe, shapes: tuple[tuple[str, tuple[int, ...], str], ...]) -> Any:
    parameters = {name: jax.ShapeDtypeStruct(shape, dtype) for name, shape, dtype in shapes}
    return jax.eval_shape(partial(first_state, recipe), parameters)


def with_average(state: State) -> State:
    """Return the state with the averages of its parameters, which its optimiser keeps, in place."""
    return state._replace(parameters={path: s.average for path, s in state.opt_state.items()})


def split_weights(weights: Mapping[str, NDArray[Any]]) -> tuple[Tree, Tree]:
    """Sort weights by their nnx names into parameters and statistics of each layer."""
    parameters: Tree = {}
    statistics: Tree = {}
    for name, value in weights.items():
        path, _, leaf = name.rpartition(".")
        if path.endswith(".norm"):
            path = path.removesuffix(".norm")
        home = statistics if leaf in ("mean", "var") else parameters
        if leaf in ("kernel", "bias", "scale", "mean", "var"):
            home.setdefault(path, {})[leaf] = value
    return parameters, statistics


def weights_of(state: State) -> dict[str, NDArray[Any]]:
    """Return weights and statistics, named as in the nnx module of the same Arch."""
    return named(state.parameters, state.statistics)


def to_arrays(state: State) -> dict[str, NDArray[Any]]:
    """Flatten a state for a file; `from_arrays` is the inverse."""
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    return {_file_key(path): np.asarray(leaf) for path, leaf in leaves}


def from_arrays(arrays: Mapping[str, NDArray[Any]], like: State) -> State:
    """Rebuild a state of the same structure as `like`; raises `KeyError` if a part is absent."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    found = [arrays[_file_key(path)] for path, _ in leaves]
    state: State = jax.tree_util.tree_unflatten(structure, found)
    return state


def _file_key(path: Any) -> str:
    """Name of a leaf in a checkpoint; files call the optimiser's state `memory` since the first."""
    return str(jax.tree_util.keystr(path)).replace(".opt_state", ".memory", 1)


def resized(state: State, like: State) -> State:
    """The state with every array grown with zeros, or cut, to the shapes of `like`."""

    def fit(value: Any, target: Any) -> NDArray[Any]:
        array = np.asarray(value)[tuple(slice(0, size) for size in target.shape)]
        edges = [(0, t - s) for s, t in zip(array.shape, target.shape, strict=True)]
        return np.pad(array, edges) if any(after for _, after in edges) else array

    grown: State = jax.tree.map(fit, state, like)
    return grown


def shaped(layers: tuple[Layer, ...], recipe: Recipe) -> State:
    """Shapes and types of the state of these layers, without values."""
    parameters: Tree = {}
    statistics: Tree = {}
    for layer in layers:
        if layer.shape.kind != "pool":
            width = _floats(layer.shape.outputs)
            parameters[layer.path] = {
                "kernel": _floats(*layer.shape.kernel_shape),
                "scale": width,
                "bias": width,
            }
            statistics[layer.path] = {"mean": width, "var": width}
    parameters[CLASSIFIER] = {
        "kernel": _floats(layers[-1].shape.outputs, recipe.classes),
        "bias": _floats(recipe.classes),
    }
    opt_state = {path: opt_state_shapes(recipe, p) for path, p in parameters.items()}
    return State(parameters, statistics, opt_state)


def _floats(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, np.float32)


def zeros(like: Any) -> Any:
    """Zeros with the structure of `like`."""
    return jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), like)
