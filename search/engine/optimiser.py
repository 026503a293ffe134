"""The optimiser of one layer's parameters; the learning rate arrives with every step."""

from typing import Any

import jax
import optax
from jax import Array

from search.engine.recipe import Recipe

Parameters = dict[str, Array]


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
    # Optax mixes float32 with its integer counts, which strict promotion refuses.
    with jax.numpy_dtype_promotion("standard"):
        directions, opt_state = optimiser_of(recipe).update(gradients, opt_state, parameters)
    return jax.tree.map(lambda p, d: p - rate * d, parameters, directions), opt_state
