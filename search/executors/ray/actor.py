"""The actor that evaluates jobs on a node of a Ray cluster.

This file is sent as it is, so that a node where this package is absent, or another version, can say
so; until the versions are compared nothing but the standard library is imported.
"""

import os
import platform
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("jax", "jaxlib", "numpy", "convbudget")
# What `prepare` and `evaluate` answer with: what is computed on, a result, or why there is none.
READY, RESULT, WRONG, SURROUNDINGS = "ready", "result", "wrong", "surroundings"
Files = Mapping[str, bytes]
# Seconds between two looks at the memory that a worker holds.
_LOOK = 0.5


def versions() -> dict[str, str]:
    """Return the versions that the search and its workers have to share; `none` if absent."""
    # Pickles and bytecode differ between minor versions of Python.
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


class Worker:
    """Evaluates one job at a time; JAX is imported by `prepare`, if the work trains."""

    def __init__(self) -> None:
        self._evaluator: Any = None
        # What claims this process's cores while it is held.
        self._cores: Any = None
        # Where checkpoints are if this node does not see the study's folder.
        self._own: Path | None = None

    def greet(self, marker: str | None) -> dict[str, Any]:
        """Return where this is, its versions, and whether it sees the file `marker`."""
        return {
            "node": socket.gethostname(),
            "versions": versions(),
            "shared": marker is not None and os.path.exists(marker),
        }

    def prepare(
        self,
        work: Any,
        dataset: Any,
        environment: Mapping[str, str | None],
        cores: int,
        memory: float | None,
        shared: bool,
    ) -> tuple[str, Any]:
        """Make the evaluator: `work` itself, or what a `WorkerSpec` trains with.

        It trains on `dataset`, or where that is None on the data of this node.

        `environment` is set and the process pinned to `cores` cores before JAX starts, 0 for no
        pinning; it ends once it holds more than `memory` bytes. `shared`: whether checkpoints go
        to the study's own folder. Returns `READY` and what is computed on, or why not.
        """
        from dataclasses import replace

        from search.errors import UserError
        from search.executors.devices import computed_by
        from search.executors.failures import reason
        from search.executors.ray.folders import own_folder
        from search.executors.ray.pinning import pin

        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if memory is not None:
            threading.Thread(target=_end_beyond, args=(memory,), name="memory", daemon=True).start()
        try:
            if cores:
                self._cores = pin(cores)
            if callable(work):
                self._evaluator = work
            else:
                if work.checkpoints is not None and not shared:
                    self._own = own_folder("convbudget-worker-", tempfile.gettempdir())
                    work = replace(work, checkpoints=self._own)
                self._evaluator = work.evaluator(dataset)
            return READY, computed_by(self._evaluator)
        except UserError as error:
            return WRONG, str(error)
        # Whatever it is, no candidate has a part in it.
        except Exception as error:
            return SURROUNDINGS, reason(error)

    def evaluate(self, job: Any, files: Files) -> tuple[str, Any, Files]:
        """Evaluate a job, which may go on from the checkpoint in `files`.

        Returns `RESULT` and it, or why there is none, and the checkpoint if the search does not
        see this node's.
        """
        from search.errors import UserError
        from search.executors.failures import reason
        from search.executors.local import evaluate
        from search.executors.ray.travel import receive, travelling

        try:
            if self._own is not None:
                receive(self._own, files)
            result = evaluate(self._evaluator, job)
            made = {} if self._own is None else travelling(self._own, job, finished=True)
            return RESULT, result, made
        except UserError as error:
            return WRONG, str(error), {}
        except Exception as error:
            return SURROUNDINGS, reason(error), {}
        finally:
            if self._own is not None:
                for path in self._own.iterdir():
                    path.unlink()

    def leave(self) -> None:
        """Delete what this worker keeps for itself."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)


def _end_beyond(limit: float) -> None:
    """End this process once it holds more than `limit` bytes.

    Ray's own `memory` is a booking: only a node whose memory runs out kills a worker.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    while True:
        held = int(Path("/proc/self/statm").read_text().split()[1]) * page
        if held > limit:
            print(f"the worker holds {held / 1e9:.2f} GB and ends", file=sys.stderr, flush=True)
            os._exit(1)
        time.sleep(_LOOK)
