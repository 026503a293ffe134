"""The logits of a network with given weights, in float32 whatever it was trained in."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from search.data.dataset import Augment, Images
from search.engine.augment import normalised
from search.engine.batches import padded
from search.engine.forward import evaluation_features, logits_of
from search.engine.kept import CLASSIFIER, Tree
from search.engine.programs.compile import compiled_on_demand, settled
from search.engine.recipe import Recipe
from search.engine.state import split_weights
from search.networks.arch import Arch
from search.networks.layers import layers_of

_BATCH = 256


def logits(
    arch: Arch,
    weights: Sequence[Mapping[str, NDArray[Any]]],
    images: Images,
    mean: Sequence[float],
    std: Sequence[float],
) -> list[NDArray[np.float32]]:
    """Return the logits [n, classes] of one network with each of several sets of weights.

    `weights` are named as in `search.build`'s module; `mean` and `std` as in `Dataset`. The images
    are read once.
    """
    recipe = Recipe(
        batch=min(_BATCH, len(images)),
        classes=arch.classes,
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
        augment=Augment(),
        optimiser="adamw",
        weight_decay=0.0,
        label_smoothing=0.0,
        dtype="float32",
        convolutions="fast",
        platform=jax.default_backend(),
    )
    layers = layers_of(arch)

    def forward(parameters: Tree, statistics: Tree, batch: Array) -> Array:
        x = jax.lax.optimization_barrier(normalised(batch, recipe))
        features = evaluation_features(layers, recipe, parameters, statistics, x)
        return logits_of(parameters[CLASSIFIER], features)

    with settled(recipe.platform):
        compiled = compiled_on_demand(forward, jax.local_devices()[0])
        trees = [jax.device_put(split_weights(one)) for one in weights]
        found: list[list[NDArray[np.float32]]] = [[] for _ in trees]
        for index in padded(len(images), recipe.batch)[0]:
            batch = jax.device_put(np.asarray(images[index]))
            for one, tree in zip(found, trees, strict=True):
                one.append(np.asarray(compiled(*tree, batch)))
    return [np.concatenate(one)[: len(images)] for one in found]
