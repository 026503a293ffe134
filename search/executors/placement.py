"""Which worker processes a machine gets: their devices, cores and environments."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import pairwise

from search.config.run import ExecutorConfig
from search.errors import UserError, shown
from search.units import counted

# A client takes this share of a GPU's memory unless told otherwise (JAX's documentation, "GPU
# memory allocation"); the older name is refused beside the newer one.
_MEMORY = 0.75
_FRACTION, _OLDER_FRACTION = "XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"
# Seconds within which JAX says what devices there are; a host of TPUs may take one minute.
_PATIENCE = 300
_TPU_PORT = 8476


@dataclass(frozen=True)
class Machine:
    """What JAX could compute on: the platform, how many devices, and the cores allowed.

    On a `cpu` the cores are what is divided, and `devices` is 1.
    """

    platform: str
    devices: int
    cores: tuple[int, ...]


@dataclass(frozen=True)
class Placement:
    """Where one worker process runs.

    `name` as results tell it, such as `local:0`; `environment`: variables set before its Python
    starts, None to remove one; `cores`: those it is pinned to, empty for no pinning.
    """

    name: str
    environment: Mapping[str, str | None] = field(default_factory=dict)
    cores: tuple[int, ...] = ()


def local_placements(config: ExecutorConfig) -> tuple[Placement, ...]:
    """Return the worker processes for this machine, none where the search's own process suffices.

    Starts no device here. Raises `UserError` for more devices than there are, and where JAX does
    not start.
    """
    return placements(config, this_machine(), os.environ)


def placements(
    config: ExecutorConfig, machine: Machine, environment: Mapping[str, str]
) -> tuple[Placement, ...]:
    """Return the worker processes for a machine; `environment` is that of the search."""
    _check(config, machine)
    # A time limit can only be kept by ending a process.
    plain = config.devices is None and config.per_device == 1 and config.timeout is None
    devices = machine.devices if config.devices is None else config.devices
    if plain and devices == 1:
        return ()
    shares = _shares(machine.cores, devices) if machine.platform == "cpu" else [()] * devices
    return tuple(
        Placement(
            f"local:{device * config.per_device + place}",
            _environment(machine.platform, device, config.per_device, environment, len(share)),
            share,
        )
        for device, share in enumerate(shares)
        for place in range(config.per_device)
    )


def _check(config: ExecutorConfig, machine: Machine) -> None:
    wanted, cpu = config.devices, machine.platform == "cpu"
    there = len(machine.cores) if cpu else machine.devices
    if wanted is not None and wanted > there:
        found = f"{counted(there, 'core')} here, and no accelerator" if cpu else ""
        found = found or f"{counted(there, f'{machine.platform} device')} that JAX sees here"
        raise UserError(
            f"executor.devices={wanted} is more than the {found}; give at most {there}, or null"
        )
    if machine.platform == "tpu" and config.per_device > 1:
        raise UserError(
            f"executor.per_device={config.per_device} has no effect on a tpu, whose chips serve one"
            " process each; leave it out"
        )


def _shares(cores: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """Divide cores among so many workers; neighbours stay together, sizes differ by one at most."""
    ends = [len(cores) * place // count for place in range(count + 1)]
    return [tuple(cores[first:last]) for first, last in pairwise(ends)]


def _environment(
    platform: str, device: int, per_device: int, own: Mapping[str, str], cores: int
) -> dict[str, str | None]:
    match platform:
        case "cpu":
            # XLA counts the cores that it may use; these libraries may be loaded before.
            return {
                "JAX_PLATFORMS": "cpu",
                **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(cores)),
            }
        case "gpu":
            return {"CUDA_VISIBLE_DEVICES": _visible(device, own), **memory_share(per_device, own)}
        case "tpu":
            # One chip is one topology; see jax/_src/test_multiprocess.py and
            # https://gist.github.com/skye/f82ba45d2445bb19d53545538754f9a3.
            port = str(_TPU_PORT + device)
            return {
                "TPU_VISIBLE_CHIPS": str(device),
                "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1",
                "TPU_PROCESS_BOUNDS": "1,1,1",
                "TPU_MESH_CONTROLLER_ADDRESS": f"localhost:{port}",
                "TPU_MESH_CONTROLLER_PORT": port,
                "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
            }
    raise UserError(
        f"this machine's devices are of the kind {platform}, of which worker processes cannot"
        " choose one; leave out executor.devices, per_device and timeout"
    )


def memory_share(per_device: int, own: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables that divide a GPU's memory among `per_device` worker processes.

    `own`: the environment of the search, which may say how much of it all take together.
    """
    if per_device == 1:
        return {}
    told = own.get(_FRACTION) or own.get(_OLDER_FRACTION) or _MEMORY
    return {_FRACTION: f"{float(told) / per_device:.4f}", _OLDER_FRACTION: None}


def _visible(device: int, own: Mapping[str, str]) -> str:
    """Return how CUDA calls the n-th of the devices that the search's process sees."""
    names = own.get("CUDA_VISIBLE_DEVICES", "")
    return names.split(",")[device].strip() if names else str(device)


@cache
def this_machine() -> Machine:
    """Return what JAX finds here, as a child process tells: this one must not hold a device."""
    platform, devices = _accelerators() if _may_accelerate(os.environ) else ("cpu", 1)
    affinity = getattr(os, "sched_getaffinity", None)
    cores = sorted(affinity(0)) if affinity else range(os.cpu_count() or 1)
    return Machine(platform, 1 if platform == "cpu" else devices, tuple(cores))


def _may_accelerate(environment: Mapping[str, str]) -> bool:
    """Say whether JAX could find more than a CPU; without a plug-in nothing need be started."""
    chosen = environment.get("JAX_PLATFORMS", "")
    if chosen:
        return chosen != "cpu"
    return bool(
        entry_points(group="jax_plugins") or find_spec("jax_plugins") or find_spec("libtpu")
    )


def _accelerators() -> tuple[str, int]:
    """Ask a child process for JAX's platform and its number of devices here."""
    asked = (
        "import jax, json; d = jax.local_devices();"
        " print(json.dumps([d[0].platform, len(d)]), flush=True)"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", asked],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        platform, count = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise UserError(
            f"JAX names no device within {_PATIENCE} s; end what holds it, or set JAX_PLATFORMS=cpu"
        ) from None
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(
            f"JAX does not start here ({shown(last, 300)}); mend that, or set JAX_PLATFORMS=cpu"
        ) from None
    return str(platform), int(count)
