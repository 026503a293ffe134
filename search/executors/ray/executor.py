"""Evaluates jobs in actors of a Ray cluster, whatever dies or joins meanwhile."""

import math
import os
import secrets
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search.config.run import ExecutorConfig
from search.errors import SurroundingsError, UserError, shown
from search.executors.attempts import Task, given_up, next_task
from search.executors.placement import memory_share
from search.executors.ray import actor
from search.executors.ray.cluster import Cluster, Room, check_room, join, nodes_of, room
from search.executors.ray.reasons import death, refuse_versions
from search.executors.ray.travel import receive, travelling
from search.executors.worker import OwnEvaluator, Work, WorkerSpec
from search.files import write
from search.jobs import Job, Result

# Seconds between two looks at the nodes of the cluster, and within which some worker is ready.
_POLL, _START = 5.0, 600.0
# Images of up to so many bytes go to the workers by way of Ray's object store, once for each node;
# larger ones each node opens by itself.
_TRAVELS = 2**30
# Variables of the search's own environment that choose how its workers compute.
_PASSED = ("JAX_PLATFORMS", "XLA_FLAGS")


@dataclass(eq=False)
class _Worker:
    """An actor: what it was asked last, until when it answers, and what is known of it.

    `pending`: the reference to its next answer, None while it is free; `ready`: it may be given
    jobs; `place`: its number among the workers of its node.
    """

    handle: Any
    pending: Any
    failed_starts: int = 0
    node: str = ""
    place: int = 0
    greeted: bool = False
    ready: bool = False
    shared: bool = False
    computed: Mapping[str, str] | None = None
    task: Task | None = None
    deadline: float = math.inf

    @property
    def name(self) -> str:
        """What results call it."""
        return f"{self.node}:{self.place}"


class RayExecutor:
    """One actor for each accelerator of the cluster or, without any, for every `cpus` CPUs.

    An actor has one job at a time and the others wait here, so that none waits behind a slow one
    while another actor is free. Results come in the order of finishing. The job of an actor that
    dies, hangs or loses its surroundings is tried again by another, the last time with nothing of
    this search beside it on its machine. Actors end with the search's process, however that ends.
    """

    def __init__(self, config: ExecutorConfig, work: Work) -> None:
        self._config, self._work = config, work
        self._cluster: Cluster | None = None
        self._room = Room("CPU", config.devices or 1, {})
        self._workers: list[_Worker] = []
        self._waiting: deque[Task] = deque()
        self._finished: deque[tuple[int, Result]] = deque()
        self._looked = self._heard = -math.inf
        self._sent: tuple[Any, ...] = ()
        self._marker: Path | None = None

    @property
    def workers(self) -> int:
        """As many as the cluster has room for now, whether they have started or not."""
        self._start()
        return max(1, self._room.workers)

    def submit(self, number: int, job: Job) -> None:
        """Take the job of trial `number`."""
        self._start()
        self._waiting.append(Task(number, job))
        self._dispatch()

    def next(self) -> tuple[int, Result]:
        """Wait for any of the jobs taken; return its number and result.

        Raises `SurroundingsError` where a job's surroundings failed at every try, or no worker
        starts; `UserError` where versions or data of a worker differ from the search's, and what a
        worker raises for a bad value.
        """
        while not self._finished:
            assert self._waiting or any(one.task for one in self._workers), "no job was submitted"
            self._dispatch()
            self._receive()
        return self._finished.popleft()

    def computed(self) -> Mapping[str, str]:
        """Return what the first worker that is ready computes on; empty where it does not know."""
        self._start()
        while not (ready := [one for one in self._workers if one.ready]):
            self._receive()
        return ready[0].computed or {}

    def close(self) -> None:
        """End the workers, and the cluster if it was started here; jobs are given up."""
        self._waiting.clear()
        if self._cluster is None:
            return
        import ray

        cluster, self._cluster = self._cluster, None
        try:
            left = [one.handle.leave.remote() for one in self._workers if one.pending is None]
            if left:
                ray.wait(left, num_returns=len(left), timeout=1)
            for worker in self._workers:
                with suppress(Exception):
                    ray.kill(worker.handle)
        finally:
            self._workers.clear()
            self._sent = ()
            if self._marker is not None:
                self._marker.unlink(missing_ok=True)
            cluster.leave()

    def _start(self) -> None:
        if self._cluster is not None:
            return
        work, dataset = self._work, None
        if isinstance(work, OwnEvaluator):
            # Without the module that says what training takes.
            sent: Any = work.given
        else:
            sent = work
        if isinstance(work, WorkerSpec):
            sent = work.anywhere()
            opened = work.dataset()
            dataset = opened if opened.nbytes <= _TRAVELS else None
        cluster = join(self._config, 0 if dataset is None else dataset.nbytes)
        try:
            self._cluster = cluster
            found = room(self._config, nodes_of(cluster), os.environ.get("JAX_PLATFORMS", ""))
            check_room(self._config, found, cluster)
            self._send(sent, dataset)
        except BaseException:
            self.close()
            raise
        self._heard = time.monotonic()
        self._look()

    def _send(self, work: Any, dataset: Any) -> None:
        """Put what every worker needs into the object store, once."""
        import ray

        if isinstance(work, WorkerSpec) and work.checkpoints is not None:
            self._marker = work.checkpoints / f".seen-{secrets.token_hex(8)}"
            write(self._marker, b"", durable=False)
        try:
            self._sent = (ray.put(work), ray.put(dataset))
        # Whatever an object's own methods raise, it cannot be sent.
        except (TypeError, AttributeError, ValueError, RecursionError) as error:
            raise UserError(
                f"the evaluator cannot be sent to workers ({shown(str(error))}); make what cannot"
                " be pickled inside of it, or leave out executor=ray"
            ) from None

    def _look(self) -> None:
        """See what room the cluster has now, and start workers for what is new."""
        if time.monotonic() - self._looked < _POLL:
            return
        assert self._cluster is not None
        self._looked = time.monotonic()
        self._room = room(self._config, self._cluster.nodes(), os.environ.get("JAX_PLATFORMS", ""))
        while len(self._workers) < self._room.workers:
            self._workers.append(self._started())

    def _started(self, failed_starts: int = 0) -> _Worker:
        import ray

        # Sent by value: a node may lack this package, and then says so.
        ray.cloudpickle.register_pickle_by_value(actor)
        try:
            made = ray.remote(actor.Worker).options(max_restarts=0, **self._room.options)
            handle = made.remote()
        finally:
            ray.cloudpickle.unregister_pickle_by_value(actor)
        marker = None if self._marker is None else str(self._marker)
        return _Worker(handle, handle.greet.remote(marker), failed_starts)

    def _dispatch(self) -> None:
        """Hand waiting jobs to free workers; a job that has one try left gets a machine alone."""
        if not self._waiting:
            return
        busy: dict[str, list[Task]] = {one.node: [] for one in self._workers if one.ready}
        for worker in self._workers:
            if worker.task is not None:
                busy[worker.node].append(worker.task)
        # The machine that is the first to be free of others.
        emptied = min(busy, key=lambda node: len(busy[node]), default="")
        for worker in self._workers:
            if not worker.ready or worker.task is not None:
                continue
            here = busy[worker.node]
            task = next_task(
                self._waiting, here, self._config.retries, emptied=worker.node == emptied
            )
            if task is None:
                continue
            worker.task = task
            here.append(task)
            files: Mapping[str, bytes] = {}
            if not worker.shared and isinstance(self._work, WorkerSpec) and self._work.checkpoints:
                files = travelling(self._work.checkpoints, task.job, finished=False)
            worker.pending = worker.handle.evaluate.remote(task.job, files)
            worker.deadline = time.monotonic() + (self._config.timeout or math.inf)

    def _receive(self) -> None:
        """Listen until a worker says something, dies, or has had its time; look for new nodes."""
        import ray

        self._look()
        pending = {one.pending: one for one in self._workers if one.pending is not None}
        soonest = min((one.deadline for one in self._workers), default=math.inf)
        left = min(_POLL, max(0.0, soonest - time.monotonic()))
        if not pending:
            time.sleep(min(left, 1.0))
        else:
            heard, _ = ray.wait(list(pending), num_returns=1, timeout=left)
            if heard:
                # All that have answered meanwhile: a call of `wait` costs as much for one.
                heard, _ = ray.wait(list(pending), num_returns=len(pending), timeout=0)
            for reference in heard:
                self._hear(pending[reference])
        for worker in list(self._workers):
            if worker.deadline <= time.monotonic():
                limit = self._config.timeout
                self._lost(worker, f" gave no sign for {limit:g} s (executor.timeout)")
        if not any(one.ready for one in self._workers) and time.monotonic() > self._heard + _START:
            assert self._cluster is not None
            raise SurroundingsError(
                f"no worker was ready within {_START:g} s in the Ray cluster"
                f" ({self._cluster.address}): its nodes are gone, or others use them"
            )

    def _hear(self, worker: _Worker) -> None:
        import ray

        try:
            answer = ray.get(worker.pending)
        except ray.exceptions.RayError as error:
            self._lost(worker, f" {death(error, self._config.memory)}")
            return
        worker.pending, worker.deadline = None, math.inf
        if not worker.greeted:
            self._greeted(worker, answer)
        elif not worker.ready:
            kind, content = answer
            if kind == actor.READY:
                worker.ready, worker.computed, worker.failed_starts = True, content or None, 0
                self._heard = time.monotonic()
            elif kind == actor.WRONG:
                raise UserError(f"worker {worker.name}: {content}")
            else:
                self._lost(worker, f": {content}")
        else:
            self._answered(worker, *answer)

    def _greeted(self, worker: _Worker, told: Mapping[str, Any]) -> None:
        """Compare a worker's versions with the search's, and have it prepare its evaluator."""
        worker.node, worker.shared, worker.greeted = str(told["node"]), bool(told["shared"]), True
        used = {one.place for one in self._workers if one.node == worker.node and one is not worker}
        worker.place = min(set(range(len(used) + 1)) - used)
        refuse_versions(worker.node, told["versions"], training=isinstance(self._work, WorkerSpec))
        config = self._config
        environment: dict[str, str | None] = {
            name: os.environ[name] for name in _PASSED if name in os.environ
        }
        if self._room.kind == "GPU":
            environment |= memory_share(config.per_device, os.environ)
        cores = config.cpus if self._room.kind == "CPU" else 0
        memory = None if config.memory is None else config.memory * 1e9
        worker.pending = worker.handle.prepare.remote(
            *self._sent, environment, cores, memory, worker.shared
        )

    def _answered(self, worker: _Worker, kind: str, content: Any, files: actor.Files) -> None:
        if kind == actor.SURROUNDINGS:
            self._lost(worker, f": {content}")
            return
        task, worker.task = worker.task, None
        if kind == actor.WRONG:
            raise UserError(content)
        assert task is not None
        if files and isinstance(self._work, WorkerSpec) and self._work.checkpoints:
            receive(self._work.checkpoints, files)
        result = replace(content, worker=worker.name, computed=worker.computed)
        self._finished.append((task.number, result))

    def _lost(self, worker: _Worker, why: str) -> None:
        """Start a worker in the place of one, and put its job in front of the queue."""
        import ray

        with suppress(Exception):
            ray.kill(worker.handle)
        self._workers.remove(worker)
        failures = worker.failed_starts + 1
        if worker.task is not None:
            failures = worker.task.failures = worker.task.failures + 1
        if failures > self._config.retries:
            raise given_up(worker.name if worker.greeted else "that was to start", why, failures)
        if worker.task is not None:
            self._waiting.appendleft(worker.task)
        # What went with a node is noticed a little later than its workers; a worker too many waits
        # for the next node.
        self._workers.append(self._started(0 if worker.ready else failures))
