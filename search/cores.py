"""The processor cores that this process may use."""

import os


def cores() -> int:
    """Return their number: containers and `taskset` allow fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
