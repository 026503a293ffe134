"""Compiled programs, each made once, in threads: compiling releases Python's lock."""

import os
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding

Program = Callable[..., Any]


@dataclass(frozen=True)
class ProgramSpec:
    """What to compile: a key that determines it, the function, and its arguments' shapes.

    Shapes are trees of `jax.ShapeDtypeStruct`. Equal keys must mean equal programs.
    """

    key: Hashable
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class ProgramCache:
    """All programs of one device. Safe to use from several threads."""

    def __init__(self, device: jax.Device) -> None:
        self._sharding = SingleDeviceSharding(device)
        self._made: dict[Hashable, Future[Program]] = {}
        self._lock = threading.Lock()
        workers = os.cpu_count() or 1
        self._compilers = ThreadPoolExecutor(min(8, workers), thread_name_prefix="compile")

    def start(self, program_specs: Sequence[ProgramSpec]) -> list[Future[Program]]:
        """Begin to compile what is not there yet, and return without waiting."""
        with self._lock:
            return [self._begin(spec) for spec in program_specs]

    def get(self, program_specs: Sequence[ProgramSpec]) -> tuple[list[Program], float]:
        """Return the programs, and the seconds it took until they were there."""
        began = time.perf_counter()
        futures = self.start(program_specs)
        try:
            programs = [future.result() for future in futures]
        except BaseException:
            # Memory may have run out: the next candidate shall not inherit the failure.
            self.drop([b.key for b, f in zip(program_specs, futures, strict=True) if _broken(f)])
            raise
        return programs, time.perf_counter() - began

    def drop(self, keys: Sequence[Hashable]) -> None:
        """Forget programs that no other candidate will use."""
        with self._lock:
            for key in keys:
                self._made.pop(key, None)

    def __len__(self) -> int:
        return len(self._made)

    def _begin(self, spec: ProgramSpec) -> "Future[Program]":
        if spec.key not in self._made:
            self._made[spec.key] = self._compilers.submit(self._compile, spec)
        return self._made[spec.key]

    def _compile(self, spec: ProgramSpec) -> Program:
        placed = jax.tree.map(
            lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=self._sharding),
            spec.arguments,
        )
        lowered = jax.jit(spec.function).lower(*placed)
        return lowered.compile(compiler_options=_options(self._sharding))


@cache
def _options(sharding: SingleDeviceSharding) -> dict[str, bool | str]:
    """Options of XLA for a device: on the CPU its older code generator.

    That compiles in half the time or less, and what it makes is as fast.
    """
    device: Any = next(iter(sharding.device_set))
    if device.platform != "cpu":
        return {}
    options: dict[str, bool | str] = {"xla_cpu_use_fusion_emitters": False}
    probe = jax.jit(jnp.negative).lower(jax.ShapeDtypeStruct((), np.float32))
    try:
        probe.compile(compiler_options=options)
    except Exception:  # an XLA that no longer knows the option says so in one of several ways
        return {}
    return options


def _broken(future: "Future[Program]") -> bool:
    return future.done() and future.exception() is not None
