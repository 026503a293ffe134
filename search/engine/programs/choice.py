"""When a training changes from programs shared by all networks to one compiled for its own."""

from search.engine.recipe import Recipe
from search.networks.layers import Layer

# Seconds on two cores in 2026: compiling a whole network, for each layer; and what a step takes
# longer through the shared programs, for each layer and for each million multiplies of the step.
_COMPILE = 0.7
_CALLS = 150e-6
_TRAFFIC = 25e-6


def per_layer_steps(layers: tuple[Layer, ...], recipe: Recipe, steps: int, form: str) -> int:
    """Return how many steps run layer by layer before the whole-network program takes over.

    Steps of the stable phase and of the decay that branches off it are counted together. `steps`
    are those of an epoch; the answer is a multiple of it, or larger than any training is long.

    The two kinds of programs differ in the last bits of their results, so the answer depends on
    nothing but what is trained: not on what is compiled already, how fast it ran, or how long the
    training is (a longer training repeats the steps of a shorter one exactly). Changing over when
    the shared programs have cost as much extra time as compiling would take is never worse than
    twice the best choice (the ski-rental rule).
    """
    if form == "whole":
        return 0
    if form == "layers":
        return 2**62
    convolutions = [layer.shape for layer in layers if layer.shape.kind != "pool"]
    multiplies = sum(shape.multiplies for shape in convolutions) * recipe.batch / 1e6
    excess = _CALLS * len(convolutions) + _TRAFFIC * multiplies
    even = _COMPILE * len(convolutions) / excess
    return steps * max(1, round(even / steps)) if even >= steps / 2 else 0
