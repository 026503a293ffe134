"""What a checkpoint, and the training that goes on from it, must share."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from search.config.train import TrainConfig, digested
from search.cores import cores
from search.data.dataset import Dataset
from search.engine.distillation import SoftLabels
from search.engine.fitted import Initial
from search.engine.native.build import kernels
from search.engine.recipe import recipe_of


def signature(
    dataset: Dataset,
    settings: TrainConfig,
    device: jax.Device,
    soft: SoftLabels | None = None,
    initial: Initial | None = None,
) -> str:
    """Return a digest of what a checkpoint and the training that goes on from it must share."""
    recipe = recipe_of(dataset, settings, device)
    described = {
        "train": dataset.train.fingerprint,
        "validation": dataset.validation.fingerprint,
        "mean": dataset.mean,
        "std": dataset.std,
        "augment": asdict(dataset.augment),
        "settings": digested(settings),
        "platform": device.platform,
        "device": device.device_kind,
        "precision": recipe.dtype,
        # Another number of cores or another compiler may change the last bits.
        "cores": cores(),
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "convbudget": _own_version(),
    }
    if recipe.native:
        described["convolutions"] = kernels().prefix
    if soft is not None:
        described["teacher"] = soft.fingerprint
    if initial:
        described["initial"] = {key: _digest(arrays) for key, arrays in initial.items()}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _own_version() -> str:
    """Return this package's version; empty in a folder of sources that was never installed."""
    try:
        return version("convbudget")
    except PackageNotFoundError:
        return ""


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
