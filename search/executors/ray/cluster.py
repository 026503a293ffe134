"""The Ray cluster that a search uses: found or started, and how many workers it has room for."""

import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.run import ExecutorConfig
from search.errors import UserError, shown
from search.executors.ray.folders import own_folder
from search.executors.ray.probe import wants_token

# Seconds within which a Ray cluster has to answer.
PATIENCE = 10.0
# Bytes of the object store of a cluster that is started here, beside twice the images.
_STORE = 2**28
_LOOPBACK = "127.0.0.1"
_CLUSTERS = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_AUTH = "RAY_AUTH_MODE"
_TEMPORARY = "convbudget-ray-"
# Resources of Ray that are devices of JAX, the first found is used.
ACCELERATORS = ("GPU", "TPU")


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to.

    `address` as messages tell it; `folder`: of the one that was started here, which ends with
    `leave`, None for one that others started; `borrowed`: the caller was connected before;
    `by_token`: Ray's tokens are used until `leave`, where the environment does not ask for them.
    """

    address: str
    folder: Path | None = None
    borrowed: bool = False
    by_token: bool = False

    def nodes(self) -> list[Mapping[str, float]]:
        """Return the resources of each living node, as Ray names them."""
        import ray

        return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]

    def leave(self) -> None:
        """End the connection, and the cluster if it was started here."""
        import ray

        if not self.borrowed:
            ray.shutdown()
        if self.by_token:
            _use_tokens(ray, False)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Room:
    """What each worker asks Ray for, and how many of them the cluster holds.

    `kind`: `CPU`, or the accelerator that a worker has.
    """

    kind: str
    workers: int
    options: Mapping[str, Any]


def check_reachable(config: ExecutorConfig) -> None:
    """Raise `UserError` where Ray is not installed or no cluster answers within `PATIENCE`."""
    _check_installed()
    if config.address is not None:
        wants_token(_resolved(config.address), PATIENCE)


def join(config: ExecutorConfig, images: int = 0) -> Cluster:
    """Connect to the cluster at `config.address`, or start one here for `images` bytes of data.

    Raises `UserError` where Ray is not installed, no cluster answers within `PATIENCE`, or its
    version is another one.
    """
    _check_installed()
    address = config.address
    if address is None:
        if "ray" in sys.modules and sys.modules["ray"].is_initialized():
            return Cluster("the one that this program is connected to", borrowed=True)
        return _started(images)
    address = _resolved(address)
    token = wants_token(address, PATIENCE)
    import ray

    if ray.is_initialized():
        return Cluster("the one that this program is connected to", borrowed=True)
    by_token = token and _AUTH not in os.environ
    with ExitStack() as undo:
        if by_token:
            undo.callback(_use_tokens, ray, False)
            _use_tokens(ray, True)
        try:
            with _own_signals():
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise UserError(
                f"executor.address={shown(address)}: {shown(' '.join(str(error).split()), 300)}"
            ) from None
        undo.pop_all()
    _silence(ray)
    return Cluster(address, by_token=by_token)


def nodes_of(cluster: Cluster, patience: float = 60.0) -> list[Mapping[str, float]]:
    """Return the nodes; of a head that computes nothing, once the first other one has joined.

    Such a head comes first in a job of SLURM's. Gives up after `patience` seconds.
    """
    until = time.monotonic() + patience
    while True:
        nodes = cluster.nodes()
        if time.monotonic() > until or any(
            node.get(kind) for node in nodes for kind in ("CPU", *ACCELERATORS)
        ):
            return nodes
        time.sleep(0.5)


def room(config: ExecutorConfig, nodes: Sequence[Mapping[str, float]], platforms: str) -> Room:
    """Return how many workers `nodes` hold; `platforms` is JAX's variable `JAX_PLATFORMS`.

    With accelerators in the cluster each of them has `per_device` workers, and nodes without are
    not used, for their results would be another platform's. Else a worker takes `cpus` CPUs.
    """
    held = [kind for kind in ACCELERATORS if any(node.get(kind, 0) >= 1 for node in nodes)]
    kind = held[0] if held and platforms != "cpu" else "CPU"
    options: dict[str, Any] = {"num_cpus": config.cpus}
    if config.memory is not None:
        options["memory"] = int(config.memory * 1e9)
    if kind == "GPU":
        options["num_gpus"] = 1 / config.per_device
    elif kind == "TPU":
        options["resources"] = {"TPU": 1}
    there = sum(_places(node, kind, config) for node in nodes)
    if kind == "CPU" and not config.cpus:
        # Ray holds any number of workers that take nothing.
        there = config.devices or 0
    wanted = there if config.devices is None else config.devices * _each(kind, config)
    return Room(kind, min(there, wanted), options)


def check_room(config: ExecutorConfig, found: Room, cluster: Cluster) -> None:
    """Raise `UserError` where the cluster has no room for one worker, or for those asked for."""
    each = _each(found.kind, config)
    if found.kind != "GPU" and config.per_device > 1:
        raise UserError(
            f"executor.per_device={config.per_device} needs GPUs, and a worker here has"
            f" {found.kind}s; leave it out"
        )
    if not found.workers:
        memory = "" if config.memory is None else f" and {config.memory:g} GB of memory"
        raise UserError(
            f"no node of the Ray cluster ({cluster.address}) has executor.cpus={config.cpus} CPUs"
            f"{memory} for a worker; ask for less, or add nodes"
        )
    if config.devices is not None and found.workers < config.devices * each:
        raise UserError(
            f"executor.devices={config.devices} is more than the Ray cluster ({cluster.address})"
            f" has room for; give at most {found.workers // each}, or null for all, also those"
            " that join later"
        )


def _each(kind: str, config: ExecutorConfig) -> int:
    return config.per_device if kind == "GPU" else 1


def _places(node: Mapping[str, float], kind: str, config: ExecutorConfig) -> int:
    """Return how many workers one node holds."""
    bounds = []
    if kind != "CPU":
        bounds.append(int(node.get(kind, 0)) * _each(kind, config))
    if config.cpus:
        bounds.append(int(node.get("CPU", 0) // config.cpus))
    if config.memory is not None:
        bounds.append(int(node.get("memory", 0) // int(config.memory * 1e9)))
    return min(bounds, default=0)


def _check_installed() -> None:
    from importlib.util import find_spec

    if "ray" not in sys.modules and find_spec("ray") is None:
        raise UserError(
            'executor=ray needs Ray, which is not installed: pip install "convbudget[ray]"'
        )


def _started(images: int) -> Cluster:
    """Start a cluster of this machine's CPUs and GPUs that nobody else can reach."""
    # Its token authentication, which is on unless the user's environment says otherwise, stays.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Else Ray warns that zero GPUs will mean something else one day.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray says that authentication is on before it sets a level itself.
    logging.getLogger("ray").setLevel(logging.ERROR)
    import ray

    from search.cores import cores

    folder = own_folder(_TEMPORARY, _short_folder())
    try:
        with _own_signals(), _loopback(ray):
            ray.init(
                address="local",
                num_cpus=cores(),
                object_store_memory=_STORE + 2 * images,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(folder),
            )
        if ray.util.get_node_ip_address() != _LOOPBACK:
            raise RuntimeError("it would listen beyond this machine")
    # A node that does not start in time is a plain `Exception` of Ray's.
    except Exception as error:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        reason = shown(" ".join(str(error).split()), 300)
        raise UserError(
            f"executor=ray: Ray did not start here ({reason}); mend that or give executor.address,"
            " then the same command goes on"
        ) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _silence(ray)
    return Cluster("started here", folder)


@contextmanager
def _loopback(ray: Any) -> Iterator[None]:
    """Have all servers that Ray starts listen on the loopback interface alone.

    That is what Ray does where it supports no clusters of several machines; this is its switch, as
    a variable for the processes that it starts and as a constant for this one.
    """
    constants, before = ray._private.ray_constants, os.environ.get(_CLUSTERS)
    supported = constants.ENABLE_RAY_CLUSTER
    os.environ[_CLUSTERS], constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = supported
        os.environ.pop(_CLUSTERS)
        if before is not None:
            os.environ[_CLUSTERS] = before


def _use_tokens(ray: Any, used: bool) -> None:
    """Have this process use Ray's tokens, or do what it does by itself."""
    if used:
        os.environ[_AUTH] = "token"
    else:
        os.environ.pop(_AUTH, None)
    # Ray has read the variable by now, and reads it again.
    ray._raylet.Config.initialize("")


def _silence(ray: Any) -> None:
    # Ray prints a paragraph for each worker that died, which the search tells of itself. This is
    # the flag that Ray's debugger clears for the same purpose.
    ray._private.worker._worker_logs_enabled = False


def _short_folder() -> str:
    """Return where Ray's sockets may lie: their paths have at most 107 bytes."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) <= 20 else "/tmp"


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM, in whose place `ray.init` puts its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_address(address: str) -> None:
    host, colon, port = address.rpartition(":")
    if "://" in address or not host or not colon or not port.isdecimal():
        raise UserError(
            f"executor.address={shown(address)} is not the address of a Ray cluster; give"
            " host:port, as `ray start` prints it, auto for the one on this machine, or null to"
            " start one here"
        )


def _resolved(address: str) -> str:
    """Return host:port, of the cluster on this machine where `address` is `auto`."""
    if address != "auto":
        _check_address(address)
        return address
    from ray._private import services

    try:
        found = services.canonicalize_bootstrap_address("auto")
    except ValueError:
        found = None
    if not found:
        raise UserError(
            "executor.address=auto: no Ray cluster runs on this machine; start one with"
            " `ray start --head`, or leave executor.address out"
        )
    return str(found)
