"""What this process computes on."""

import os
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from search.cores import cores
from search.units import counted


def computed_on(precision: str) -> dict[str, str]:
    """Return what a study records beside each result: device, precision, cores and versions.

    `precision` is the type of maps and products, as resolved for the device.
    """
    import jax

    device = jax.devices()[0]
    return {
        "platform": device.platform,
        "device_kind": device.device_kind,
        "precision": precision,
        "cores": str(cores()),
        **{name: _version(name) for name in ("jax", "jaxlib", "convbudget")},
    }


def computed_by(evaluator: object) -> dict[str, str]:
    """Return what an evaluator that trains computes on; nothing is known of others."""
    precision = getattr(evaluator, "precision", None)
    return computed_on(precision) if isinstance(precision, str) else {}


def use_one_device() -> None:
    """Leave all GPUs but the first of those visible to others; called before JAX is imported.

    JAX starts every GPU that it finds and takes most of its memory, though one process trains on
    one. What the user set counts, and a JAX that is imported already is left alone.
    """
    if "jax" not in sys.modules:
        for platform in ("CUDA", "ROCM"):
            os.environ.setdefault(f"JAX_{platform}_VISIBLE_DEVICES", "0")


def describe() -> str:
    """Return this process's device in a few words: `cpu, 8 cores` or `gpu, NVIDIA H200`."""
    return described(computed_on(""))


def described(computed: Mapping[str, str]) -> str:
    """Return what `computed_on` told, somewhere, in a few words."""
    if computed["platform"] != "cpu":
        return f"{computed['platform']}, {computed['device_kind']}"
    return f"cpu, {counted(int(computed['cores']), 'core')}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        # Run from a checkout that is not installed.
        return "unknown"
