"""Weights of a trained network for another of the same body: other classes, another input."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import nnx
from numpy.typing import NDArray

from search.engine.kept import CLASSIFIER
from search.engine.model import build
from search.engine.programs.compile import settled
from search.networks.arch import Arch


def transferred(
    arch: Arch, weights: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Return the weights that `arch` takes over, and the names of those it begins anew.

    Taken over is every array of the same name and shape but the classifier's, which belongs to the
    old classes; a stem for other channels is new as well.
    """
    with settled():
        flat = nnx.to_flat_state(nnx.state(build(arch, rngs=nnx.Rngs(0))))
    shapes = {".".join(map(str, path)): value[...].shape for path, value in flat}
    taken: dict[str, NDArray[Any]] = {}
    anew: list[str] = []
    for name, shape in shapes.items():
        if name.rpartition(".")[2] not in ("kernel", "bias", "scale", "mean", "var"):
            continue
        fits = name in weights and weights[name].shape == shape
        if fits and not name.startswith(f"{CLASSIFIER}."):
            taken[name] = np.asarray(weights[name], np.float32)
        else:
            anew.append(name)
    return taken, anew
