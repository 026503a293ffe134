"""Networks run by the libraries that exported files are for, so that they can be timed.

Weights are random: what a network computes does not change how long it takes.
"""

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from search.errors import UserError, one_line, shown
from search.export.folded import Floats, Folded, Weights
from search.export.forms import RUNTIMES
from search.networks.arch import Arch
from search.networks.layers import layers_of

# Both run here on the CPU.
PLATFORM = "cpu"
# Makes a call for so many images; the call computes one batch.
Calls = Callable[[int], Callable[[], object]]


def runtime_calls(runtime: str, arch: Arch, threads: int) -> Calls:
    """Return a network as calls of `runtime`, on normalised random images and so many threads.

    Raises `UserError` where its library refuses the network.
    """
    form = import_module(f"search.export.forms.{RUNTIMES[runtime]}")
    try:
        with tempfile.TemporaryDirectory() as temporary:
            form.write(random_network(arch), Path(temporary), None)
            run = form.caller(Path(temporary), threads)
    # Whatever a library raises.
    except Exception as error:
        raise UserError(
            f"{runtime} could not run {arch.id} ({type(error).__name__}:"
            f" {shown(one_line(error), 300)}); measure the others with --runtime jax"
        ) from error
    size = (arch.input.height, arch.input.width, arch.input.channels)
    rng = np.random.default_rng(0)

    def call(batch: int) -> Callable[[], object]:
        found: Callable[[], object] = run(rng.standard_normal((batch, *size), np.float32))
        return found

    return call


def random_network(arch: Arch) -> Folded:
    """Return a network with random weights that takes normalised images."""
    rng = np.random.default_rng(0)
    layers = layers_of(arch)
    weights = {}
    for layer in layers:
        if layer.shape.kind != "pool":
            kernel = _normal(rng, layer.shape.kernel_shape)
            weights[layer.path] = Weights(kernel, np.zeros(kernel.shape[-1], np.float32))
    dense = _normal(rng, (layers[-1].shape.outputs, arch.classes))
    bias = np.zeros(arch.classes, np.float32)
    return Folded(arch, layers, weights, Weights(dense, bias), None, {})


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return weights that keep the size of values: denormal numbers would be slow."""
    values = rng.standard_normal(shape, np.float32)
    return np.asarray(values * np.sqrt(2 / np.prod(shape[:-1])), np.float32)
