"""The optimiser of one layer's parameters; the learning rate arrives with every step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from search.engine.ops import native
from search.engine.recipe import Recipe

Parameters = dict[str, Array]

# How far an average of weights looks back: a ninth of the steps so far. Averaging of polynomial
# decay: Shamir and Zhang, "Stochastic gradient descent for non-smooth optimization", ICML 2013.
_NINTH = 9


class Averaging(NamedTuple):
    """An optimiser's state, and the average of a layer's parameters after so many `steps`."""

    optimiser: Any
    steps: Any
    average: Any


def first_state(recipe: Recipe, parameters: Parameters) -> Any:
    """Return the state before the first step: zeros of the types and shapes that it keeps."""
    state = optimiser_of(recipe).init(parameters)
    if not recipe.averaged:
        return state
    return Averaging(state, jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, parameters))


def optimiser_of(recipe: Recipe) -> optax.GradientTransformation:
    """Return directions of learning rate 1; elementwise, so layers can be updated separately."""
    decay = optax.add_decayed_weights(recipe.weight_decay, mask=_kernels)
    if recipe.optimiser == "adamw":
        return optax.chain(optax.scale_by_adam(), decay)
    return optax.chain(decay, optax.trace(0.9, nesterov=True))


def _kernels(parameters: Parameters) -> dict[str, bool]:
    return {name: name == "kernel" for name in parameters}


def update(
    recipe: Recipe, gradients: Parameters, opt_state: Any, parameters: Parameters, rate: Array
) -> tuple[Parameters, Any]:
    """One step: the new parameters and the new state of the optimiser."""
    if not recipe.averaged:
        return _updated(recipe, gradients, opt_state, parameters, rate)
    new, state = _updated(recipe, gradients, opt_state.optimiser, parameters, rate)
    average = _averaged(recipe, opt_state.average, new, opt_state.steps)
    return new, Averaging(state, opt_state.steps + 1, average)


def _averaged(recipe: Recipe, old: Parameters, new: Parameters, steps: Array) -> Parameters:
    before = steps.astype(jnp.float32)
    kept = before / (before + _NINTH)
    if recipe.native:
        names = sorted(new)
        found = native.blended([old[name] for name in names], [new[name] for name in names], kept)
        return dict(zip(names, found, strict=True))
    return {name: kept * old[name] + (1 - kept) * new[name] for name in new}


def _updated(
    recipe: Recipe, gradients: Parameters, opt_state: Any, parameters: Parameters, rate: Array
) -> tuple[Parameters, Any]:
    if recipe.native:
        return _native(recipe, gradients, opt_state, parameters, rate)
    # Optax mixes float32 with its integer counts, which strict promotion refuses.
    with jax.numpy_dtype_promotion("standard"):
        directions, opt_state = optimiser_of(recipe).update(gradients, opt_state, parameters)
    return jax.tree.map(lambda p, d: p - rate * d, parameters, directions), opt_state


def _native(
    recipe: Recipe, gradients: Parameters, opt_state: Any, parameters: Parameters, rate: Array
) -> tuple[Parameters, Any]:
    """The same by one call of a C++ kernel: a network's step compiles in a quarter of the time."""
    names = sorted(parameters)
    decayed = _kernels(parameters)
    decays = [recipe.weight_decay if decayed[name] else 0.0 for name in names]

    def leaves(*trees: Parameters) -> list[list[Array]]:
        return [[tree[name] for tree in (parameters, gradients, *trees)] for name in names]

    def part(found: list[Array], number: int, of: int) -> Parameters:
        return dict(zip(names, found[number::of], strict=True))

    if recipe.optimiser == "adamw":
        adam, *rest = opt_state
        step = adam.count + jnp.ones((), adam.count.dtype)
        found = native.adam(step, rate, decays, leaves(adam.mu, adam.nu))
        values, mu, nu = (part(found, number, 3) for number in range(3))
        return values, (adam._replace(count=step, mu=mu, nu=nu), *rest)
    decay, trace = opt_state
    found = native.momentum(rate, decays, leaves(trace.trace))
    values, traces = (part(found, number, 2) for number in range(2))
    return values, (decay, trace._replace(trace=traces))
