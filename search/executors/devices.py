"""What this process computes on."""

import os


def describe() -> str:
    """Return the device in a few words: `cpu, 8 cores` or `gpu, NVIDIA H200`."""
    import jax

    device = jax.devices()[0]
    if device.platform == "cpu":
        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity else os.cpu_count()
        return f"cpu, {cores} cores"
    return f"{device.platform}, {device.device_kind}"
