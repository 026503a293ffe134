"""When a training goes over from shared programs to one of its own."""

from search.engine.recipe import Recipe
from search.networks.layers import Layer

# Seconds on two cores of 2026: compiling a whole network, for each layer; what the shared
# programs cost more, for each layer and step, and for each million multiplies of a step.
_COMPILE = 0.7
_CALLS = 150e-6
_TRAFFIC = 25e-6


def per_layer_steps(layers: tuple[Layer, ...], recipe: Recipe, steps: int, form: str) -> int:
    """Steps of the stable phase and its branches that run layer by layer, before whole programs do.

    `steps`: in an epoch; the answer is a multiple of it, or so large that no training gets there.
    A pure function of what is trained: the two forms differ in their last bits, so neither what is
    compiled by now nor how fast it was may decide, and a longer job repeats the shorter job's steps
    exactly. Changing over when the extra cost of the shared programs equals that of compiling is
    never worse than twice the best choice, whatever the length.
    """
    if form == "whole":
        return 0
    if form == "layers":
        return 2**62
    convolutions = [layer.shape for layer in layers if layer.shape.kind != "pool"]
    multiplies = sum(_multiplies(layer) for layer in layers) * recipe.batch / 1e6
    excess = _CALLS * len(convolutions) + _TRAFFIC * multiplies
    even = _COMPILE * len(convolutions) / excess
    return steps * max(1, round(even / steps)) if even >= steps / 2 else 0


def _multiplies(layer: Layer) -> int:
    shape = layer.shape
    if shape.kind == "pool":
        return 0
    k, _, inputs, outputs = shape.kernel_shape
    height, width = shape.out_size
    return k * k * inputs * outputs * height * width
