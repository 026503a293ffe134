"""A found model, ready to predict: `search.load("outputs/<study>")`."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import ArrayLike, NDArray

from search.engine.model import build
from search.engine.programs.compile import compiled_on_demand
from search.errors import UserError, shown
from search.export.weights import Packed, unpack
from search.networks.arch import Arch
from search.networks.cost import cost_of
from search.networks.decisions import short_form
from search.report.html import table
from search.study.study import locate
from search.study.tables import read_front
from search.study.trials import FrontEntry
from search.units import format_multiplies, parse_multiplies


class Model:
    """A trained network that takes images as they come, uint8 [n, height, width, channels].

    Normalisation happens inside. `module` is the `nnx.Module` in evaluation mode (normalised floats
    in, logits out), `arch` its description, `classes` the names of the classes, `accuracy` that on
    the validation part, `multiplies` those for one image.
    """

    def __init__(self, packed: Packed) -> None:
        self.arch: Arch = packed.arch
        self.classes: tuple[str, ...] = tuple(packed.data["classes"])
        self.accuracy = packed.accuracy
        self.multiplies = packed.multiplies
        self.module = build(packed.arch, rngs=nnx.Rngs(0))
        _fill(self.module, packed)
        nnx.Module.eval(self.module)
        mean, std = (jnp.asarray(packed.data[key], jnp.float32) for key in ("mean", "std"))
        graph, state = nnx.split(self.module)

        def forward(state: Any, images: jax.Array) -> jax.Array:
            pixels = images.astype(jnp.float32) / 255
            network = nnx.merge(graph, state)
            return jnp.asarray(network((pixels - mean) / std), jnp.float32)

        self._state = state
        self._forward = compiled_on_demand(forward, jax.local_devices()[0])

    def __call__(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return logits [n, classes] for images uint8 [n, height, width, channels].

        Grey images may leave out the channel. Raises `UserError` for another shape or type.
        """
        checked = self._checked(images)
        if not len(checked):
            return np.zeros((0, len(self.classes)), np.float32)
        return np.asarray(self._forward(self._state, checked))

    def probabilities(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the softmax of the logits, [n, classes]."""
        return np.asarray(jax.nn.softmax(self(images)))

    def predict(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the most likely class of each image, [n] indices into `classes`."""
        return np.asarray(self(images).argmax(-1))

    def __repr__(self) -> str:
        return (
            f"Model({self.arch.id}, {format_multiplies(self.multiplies)} multiplies,"
            f" {len(self.classes)} classes, validation accuracy {self.accuracy:.4f})"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the model's figures and decisions."""
        height, width, channels = vars(self.arch.input).values()
        cost = cost_of(self.arch)
        return table(
            [
                ("model", self.arch.id),
                ("input", f"{height}x{width}x{channels}"),
                ("classes", f"{len(self.classes)}: {shown(', '.join(self.classes))}"),
                ("multiplies", f"{self.multiplies:,}"),
                ("params", f"{cost.params:,}"),
                ("validation accuracy", f"{self.accuracy:.4f}"),
                ("decisions", short_form(self.arch)),
            ],
            left=(0, 1),
        )

    def _checked(self, images: ArrayLike) -> NDArray[np.uint8]:
        array = np.asarray(images)
        wanted = self.arch.input
        shape = (wanted.height, wanted.width, wanted.channels)
        if array.dtype != np.uint8:
            raise UserError(f"images are {array.dtype}; give uint8 with pixels from 0 to 255")
        if wanted.channels == 1 and array.shape[1:] == shape[:2]:
            array = array[..., None]
        if array.shape[1:] != shape:
            raise UserError(
                f"images have shape {array.shape}; give [n, {', '.join(map(str, shape))}]"
            )
        return array


def load(study: str | Path, id: str | None = None) -> Model:  # noqa: A002
    """Return a model of a study's front, with its weights, ready to predict.

    `study` is a folder, or a name under `outputs/`, with `@50k` for the most accurate within 50 k
    multiplies; `id` picks an architecture by its id or the beginning of it; by default the most
    accurate is returned. Raises `UserError` where there is none, or a file is damaged.
    """
    name, _, budget = str(study).partition("@")
    folder = locate(name)
    _, found = read_front(folder)
    row = _chosen(found, name, budget, id)
    path = folder / "weights" / f"{row.arch_id}.safetensors"
    if not path.exists():
        raise UserError(
            f"{folder} keeps no weights of {row.arch_id}: its evaluator trained no network, or they"
            " were removed; build it fresh with search.build, or run a search that trains"
        )
    packed = unpack(path)
    if packed.arch.id != row.arch_id:
        raise UserError(
            f"{packed.path} holds the weights of {packed.arch.id}; run the study's command again"
        )
    return Model(packed)


def _chosen(found: list[FrontEntry], name: str, budget: str, wanted: str | None) -> FrontEntry:
    if not found:
        raise UserError(f"{name} has no front yet; run its command until a trial succeeds")
    if wanted is not None:
        for row in found:
            if wanted and row.arch_id.startswith(wanted):
                return row
        known = ", ".join(row.arch_id for row in found)
        raise UserError(f"id={wanted} is not on the front of {name}; there are {known}")
    if not budget:
        return found[-1]
    limit = parse_multiplies(budget)
    inside = [row for row in found if row.multiplies <= limit]
    if not inside:
        raise UserError(
            f"{name}@{budget}: nothing on the front costs so little; the cheapest costs"
            f" {format_multiplies(found[0].multiplies)}"
        )
    return inside[-1]


def _fill(module: nnx.Module, packed: Packed) -> None:
    """Put the arrays into the module's variables, each under its path.

    Raises `UserError` unless names, shapes and types are those of the module.
    """
    fix = "run the study's command again"
    state = nnx.to_flat_state(nnx.state(module))
    names = {".".join(map(str, path)): variable for path, variable in state}
    if names.keys() != packed.arrays.keys():
        odd = min(names.keys() ^ packed.arrays.keys())
        side = "lacks" if odd in names else "has beside those of its architecture"
        raise UserError(f"{packed.path} {side} the array {odd:.80}; {fix}")
    for name, variable in names.items():
        array, value = packed.arrays[name], variable.get_value()
        if (array.shape, array.dtype) != (value.shape, value.dtype):
            raise UserError(
                f"{packed.path} holds {name} as {array.dtype} {list(array.shape)}; its architecture"
                f" has {value.dtype} {list(value.shape)}; {fix}"
            )
        variable.set_value(jnp.asarray(array))
