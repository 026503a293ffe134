"""Flax NNX: one source file with this very network, and its weights, HWIO, as safetensors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from search.export.folded import Floats, Folded, groups_of, pads_of
from search.export.forms import source
from search.networks.layers import Layer
from search.networks.shapes import Shape

_ACTIVATE = {"relu": "nnx.relu", "relu6": "nnx.relu6", "swish": "nnx.silu"}


def write(network: Folded, folder: Path, _calibration: Floats | None) -> None:
    """Write `network.py` and `network.safetensors`."""
    named = {
        source.identifier(layer): network.weights[layer.path]
        for layer in network.layers
        if layer.path in network.weights
    }
    weights = {}
    for name, found in {**named, "classifier": network.dense}.items():
        weights[f"{name}.kernel"], weights[f"{name}.bias"] = found.kernel, found.bias
    source.leave(folder, _source(network), weights)


def load(folder: Path) -> Callable[[Floats], Floats]:
    """Return the written network as a function from images [n, h, w, c] to logits [n, classes]."""
    network = source.run(folder).load()
    forward: Any = nnx.jit(lambda network, images: network(images))
    return lambda images: np.asarray(forward(network, images))


def _source(network: Folded) -> list[str]:
    arch = network.arch
    images = ("n", arch.input.height, arch.input.width, arch.input.channels)
    build, steps = [], []

    def apply(layer: Layer, x: str, added: str | None) -> str:
        shape, name = layer.shape, source.identifier(layer)
        window = (shape.kernel, shape.kernel)
        if shape.kind == "pool":
            value = f'nnx.max_pool({x}, {window}, ({shape.stride}, {shape.stride}), "SAME")'
        else:
            build.append(f"self.{name} = {_layer(shape)}")
            value = f"self.{name}({x})"
        value = value if added is None else f"{value} + {added}"
        if shape.act != "linear":
            value = f"{_ACTIVATE[shape.act]}({value})"
        out = source.shape_text(("n", *shape.out_size, shape.outputs))
        steps.append(f"{name} = {value}  # {out}")
        return name

    features = network.walk("x", apply)
    inputs, classes = network.dense.kernel.shape
    build.append(f"self.classifier = nnx.Linear({inputs}, {classes}, rngs=rngs)")
    pixels = "jnp.asarray(images, jnp.float32)"
    centred = "" if network.offset is None else " - jnp.asarray(MEAN, jnp.float32)"
    return [
        *source.document(network, "flax and safetensors", images),
        "",
        "from pathlib import Path",
        "",
        "import jax.numpy as jnp",
        "from flax import nnx",
        "from jax import Array",
        "from safetensors.flax import load_file",
        "",
        *source.constants(network),
        "",
        "",
        "class Network(nnx.Module):",
        "    def __init__(self, *, rngs: nnx.Rngs) -> None:",
        *(f"        {line}" for line in build),
        "",
        "    def __call__(self, images: Array) -> Array:",
        f'        """Map images {source.shape_text(images)} to logits [n, {classes}]."""',
        f"        x = {pixels}{centred}",
        *(f"        {line}" for line in steps),
        f"        return self.classifier({features}.mean((1, 2)))",
        "",
        "",
        f'WEIGHTS = Path(__file__).with_name("{source.WEIGHTS}")',
        "",
        "",
        "def load(path: Path = WEIGHTS) -> Network:",
        '    """Return the trained network."""',
        "    # Only shapes: every value is in the file.",
        "    network = nnx.eval_shape(lambda: Network(rngs=nnx.Rngs(0)))",
        "    for name, value in load_file(path).items():",
        '        layer, _, part = name.partition(".")',
        "        setattr(getattr(network, layer), part, nnx.Param(value))",
        "    return network",
    ]


def _layer(shape: Shape) -> str:
    words = [str(shape.inputs), str(shape.outputs), f"({shape.kernel}, {shape.kernel})"]
    if shape.stride > 1:
        words.append(f"{shape.stride}")
    words.append(f"padding={pads_of(shape)}" if shape.kernel > 1 else 'padding="VALID"')
    if groups_of(shape) > 1:
        words.append(f"feature_group_count={groups_of(shape)}")
    return f"nnx.Conv({', '.join([*words, 'rngs=rngs'])})"
