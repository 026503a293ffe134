"""Which programs a training takes and when, and how many trainings run at once."""

from dataclasses import dataclass

from search.engine.recipe import Recipe
from search.networks.layers import Layer


@dataclass(frozen=True)
class Costs:
    """Seconds that decide when a network's own program pays.

    `compile`: compiling a whole network, for each layer; and what a step takes longer through the
    shared programs: `calls` for each layer, `traffic` for each million multiplies of the step.
    """

    compile: float
    calls: float
    traffic: float


# Of the CPU: measured on two cores in 2026. Of accelerators: from reading, not measured. Kernels
# are tuned while they are compiled; a layer is two calls of some 50 µs instead of a few launches
# inside a loop; maps between programs pass a memory a hundred times as fast.
_ACCELERATOR = Costs(compile=1.0, calls=100e-6, traffic=0.25e-6)
_COSTS = {"cpu": Costs(compile=0.7, calls=150e-6, traffic=25e-6)}


# Pixels of a batch up to which two trainings' maps are no burden to memory: 256 images of 64×64.
_SMALL = 2**20


def costs_on(platform: str) -> Costs:
    """Return the costs on a platform: `cpu`, `gpu` or `tpu`."""
    return _COSTS.get(platform, _ACCELERATOR)


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
    if recipe.native:
        # Networks of about one size share the programs of whole networks too.
        return 0
    convolutions = [layer.shape for layer in layers if layer.shape.kind != "pool"]
    multiplies = sum(shape.multiplies for shape in convolutions) * recipe.batch / 1e6
    costs = costs_on(recipe.platform)
    excess = costs.calls * len(convolutions) + costs.traffic * multiplies
    even = costs.compile * len(convolutions) / excess
    return steps * max(1, round(even / steps)) if even >= steps / 2 else 0


def trainings_at_once(recipe: Recipe, height: int, width: int, cores: int) -> int:
    """Return how many trainings make the most of a device, side by side; no result depends on it.

    With the C++ kernels on two cores of a Xeon two at once train 1.1 times as many networks an hour
    at 8×8 pixels and 1.5 to 1.8 times as many at 28×28 (tests/benchmarks/README.md): a step has
    parts that one core makes alone, and compiling is one of them.
    """
    small = recipe.batch * height * width <= _SMALL
    return 2 if recipe.native and cores > 1 and small else 1
