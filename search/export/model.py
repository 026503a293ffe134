"""A found model, ready to predict."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import ArrayLike, NDArray

from search.engine.model import Network, build
from search.engine.programs.compile import compiled_on_demand
from search.errors import UserError, shown
from search.export import unit
from search.export.card import figures
from search.export.preprocess import Preprocess
from search.export.weights import Packed, kind_of_weights
from search.networks.arch import Arch
from search.networks.cost import Cost, cost_of
from search.networks.decisions import short_form
from search.networks.layers import layers_of, stage_ends
from search.report.drawing import draw_network
from search.report.html import table
from search.units import format_multiplies

Floats = NDArray[np.float32]
# Images that are computed at once: bounds the memory, whatever number is given.
_BATCH = 256


class _Compiled(NamedTuple):
    """A function of (state, normalised images), as JAX traces it, and compiled on demand."""

    traced: Callable[..., Any]
    program: Callable[..., Any]


class Model:
    """A trained network that takes images as they come.

    Images are one, [height, width, channels], or a batch, [n, height, width, channels]: uint8 from
    0 to 255, or floats from 0 to 1; grey ones may leave out the channel. What is returned for one
    image has no axis n. Images of another shape, type or range raise `UserError`.

    `arch` describes the network, `classes` names the classes, `cost` counts it exactly,
    `accuracy` is on the part of the data that `measured` tells, `preprocess` turns images into the
    input of `module`. `weights` is `search`, or `final` for those that `convbudget retrain` left.
    """

    def __init__(self, packed: Packed, *, convolutions: str = "fast") -> None:
        self._packed = packed
        self.arch: Arch = packed.arch
        self.classes: tuple[str, ...] = tuple(packed.data["classes"])
        self.accuracy = packed.accuracy
        self.measured = packed.measured
        self.multiplies = packed.multiplies
        self.preprocess = Preprocess(
            packed.arch.input, tuple(packed.data["mean"]), tuple(packed.data["std"])
        )
        # Only shapes: the weights that it would draw are not wanted.
        network = nnx.eval_shape(lambda: build(packed.arch, convolutions=convolutions))
        _fill(network, packed)
        nnx.Module.eval(network)
        self._graph, self._state = nnx.split(network)
        ends = stage_ends(layers_of(packed.arch))
        self._logits = self._compiled(lambda network, x: network(x))
        self._features = self._compiled(lambda network, x: network.maps(x)[-1].mean((1, 2)))
        self._maps = self._compiled(lambda network, x: [network.maps(x)[end] for end in ends])

    @cached_property
    def module(self) -> Network:
        """The plain `nnx.Module`, in evaluation mode: normalised images in, logits out.

        It is a copy: training it, or changing it, changes nothing of this model.
        """
        network: Network = nnx.merge(self._graph, self._state, copy=True)
        return network

    @cached_property
    def cost(self) -> Cost:
        """Exact multiplies, parameters and activation memory, layer by layer."""
        return cost_of(self.arch)

    @property
    def weights(self) -> str:
        """Whose weights: `final`, of `convbudget retrain`, or `search`."""
        return kind_of_weights(self._packed)

    def __call__(self, images: ArrayLike) -> Floats:
        """Return the logits, [n, classes]."""
        return np.asarray(self._run(self._logits, images))

    def probabilities(self, images: ArrayLike) -> Floats:
        """Return the softmax of the logits, [n, classes]."""
        return np.asarray(jax.nn.softmax(self(images)))

    def predict(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the most likely class of each image, [n] indices into `classes`."""
        return np.asarray(self(images).argmax(-1))

    def embed(self, images: ArrayLike) -> Floats:
        """Return the features before the classifier, [n, channels]: the last map's mean."""
        return np.asarray(self._run(self._features, images))

    def feature_maps(self, images: ArrayLike) -> list[Floats]:
        """Return the map of each stage, [n, height, width, channels], the largest first.

        A stage is a stretch of equal resolution. Its map is the last output in it of the stem, its
        pooling, a block or the head: the last before each reduction of resolution, and the last of
        all, whose mean is `embed`.
        """
        return list(self._run(self._maps, images))

    def save(self, folder: str | Path) -> Path:
        """Write the model into `folder`, from which `search.load` reads it anywhere; return it.

        `arch.json`, `model.safetensors`, `preprocess.json` and a card, `README.md`. Raises
        `UserError` where the folder holds anything but a saved model.
        """
        unit.save(Path(folder), self._packed)
        return Path(folder)

    def __repr__(self) -> str:
        seeds = "" if self.measured.seeds == 1 else f" over {self.measured.seeds} seeds"
        return (
            f"Model({self.arch.id}, {format_multiplies(self.multiplies)} multiplies,"
            f" {len(self.classes)} classes, {self.weights} weights,"
            f" {shown(self.measured.part, 30)} accuracy {self.accuracy:.4f}{seeds})"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the network drawn to scale, and its figures."""
        height, width, channels = vars(self.arch.input).values()
        rows = table(
            [
                ("model", self.arch.id),
                ("input", f"{height}x{width}x{channels}"),
                ("classes", f"{len(self.classes)}: {shown(', '.join(self.classes))}"),
                ("weights", self.weights),
                *figures(self._packed),
                ("multiplies", f"{self.multiplies:,}"),
                ("params", f"{self.cost.params:,}"),
                ("peak activation memory", f"{self.cost.peak_activation:,} numbers"),
                ("decisions", short_form(self.arch)),
            ],
            left=(0, 1),
        )
        return f"{draw_network(self.arch)}{rows}"

    def _compiled(self, function: Callable[[Network, jax.Array], Any]) -> "_Compiled":
        graph = self._graph

        def run(state: Any, x: jax.Array) -> Any:
            return function(nnx.merge(graph, state), x)

        return _Compiled(run, compiled_on_demand(run, jax.local_devices()[0]))

    def _run(self, function: "_Compiled", images: ArrayLike) -> Any:
        batch, single = self.preprocess.batch(images)
        if not len(batch):
            one = jax.ShapeDtypeStruct((1, *batch.shape[1:]), jnp.float32)
            shapes = jax.eval_shape(function.traced, self._state, one)
            return jax.tree.map(lambda shape: np.zeros((0, *shape.shape[1:]), np.float32), shapes)
        starts = range(0, len(batch), _BATCH)
        parts = [
            function.program(self._state, self.preprocess.normalised(batch[start : start + _BATCH]))
            for start in starts
        ]
        whole = jax.tree.map(lambda *found: np.concatenate(found), *parts)
        return jax.tree.map(lambda array: array[0], whole) if single else whole


def _fill(module: nnx.Module, packed: Packed) -> None:
    """Put the arrays into the module's variables, each under its path.

    Raises `UserError` unless names, shapes and types are those of the module.
    """
    fix = "run the study's command again, or save the model again"
    state = nnx.to_flat_state(nnx.state(module))
    names = {".".join(map(str, path)): variable for path, variable in state}
    if names.keys() != packed.arrays.keys():
        odd = min(names.keys() ^ packed.arrays.keys())
        side = "lacks" if odd in names else "has beside those of its architecture"
        raise UserError(f"{packed.path} {side} the array {shown(odd)}; {fix}")
    for name, variable in names.items():
        array, value = packed.arrays[name], variable.get_value()
        if (array.shape, array.dtype) != (value.shape, value.dtype):
            raise UserError(
                f"{packed.path} holds {name} as {array.dtype} {list(array.shape)}; its architecture"
                f" has {value.dtype} {list(value.shape)}; {fix}"
            )
        variable.set_value(jnp.asarray(array))
