"""Compiling one program: XLA's options, JAX's settings, and a defect of XLA that is kept out."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding

Program = Callable[..., Any]
Options = dict[str, bool | str]

# A computation of compiled HLO: its first line, its instructions, its closing brace.
_COMPUTATION = re.compile(r"^%\S+ \([^\n]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
# A product in it: sizes of its axes, and their numbers, the one that is contiguous first.
_DOT = re.compile(r"\[([\d,]+)\]\{([\d,]+)[^}]*\} dot\(")
_YNN = "xla_cpu_experimental_ynn_fusion_type"
# Products and convolutions go to YNNPACK each by itself; no reduction does.
_NO_REDUCTIONS = "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
# Rows of the smallest sum of which jaxlib 0.10.2 gets the last row wrong.
_ROWS = 32769
# The last axis of every wrong product found was longer than this: from 32,769 on in float32, from
# 16,385 in float64, which the engine does not use. Of 1,300 random sums none was wrong.
_LONG = 2**14


@contextmanager
def settled(platform: str = "cpu") -> Iterator[None]:
    """Have JAX's global settings, in this thread, at the values that results are defined by.

    A user's `JAX_ENABLE_X64=1` or another generator of random numbers would change them. On an
    accelerator float32 would by default be multiplied as TF32 or in one pass of bfloat16; there
    the highest precision is asked for, which leaves products of bfloat16 as they are.
    """
    precision = None if platform == "cpu" else "highest"
    with ExitStack() as stack:
        stack.enter_context(jax.enable_x64(False))
        stack.enter_context(jax.default_prng_impl("threefry2x32"))
        stack.enter_context(jax.threefry_partitionable(True))
        stack.enter_context(jax.default_matmul_precision(precision))
        yield


def compiled(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    sharding: SingleDeviceSharding,
    *,
    quickly: bool = False,
    tuned: Path | None = None,
) -> jax.stages.Compiled:
    """Compile a function for trees of `jax.ShapeDtypeStruct` on one device.

    `quickly`: with less optimisation, in two thirds of the time, for programs of one layer, and of
    networks that C++ kernels compute, which run as fast. `tuned`: see `options_of`.

    Some versions of XLA compute the sum of a product wrongly where YNNPACK makes both at once and
    the product has a long last axis (jax-ml/jax#39103). Where the check finds that, such programs,
    and no others, are compiled again without YNNPACK's reductions: without them everywhere, a
    separable network's step would take a third longer.
    """
    with settled(platform_of(sharding)):
        lowered = traced(function, arguments, sharding).lower()
        options = options_of(sharding, quickly=quickly, tuned=tuned)
        program: jax.stages.Compiled = lowered.compile(compiler_options=options)
        if sums_are_wrong(sharding) and reduces_a_product(program.as_text()):
            program = lowered.compile(compiler_options={**options, _YNN: _NO_REDUCTIONS})
        return program


def traced(
    function: Callable[..., Any], arguments: tuple[Any, ...], sharding: SingleDeviceSharding
) -> jax.stages.Traced:
    """Return the function traced, as the one device will run it."""
    placed = jax.tree.map(
        lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=sharding), arguments
    )
    with settled(platform_of(sharding)):
        return jax.jit(function).trace(*placed)


def compiled_on_demand(function: Program, device: jax.Device) -> Program:
    """Return `function`, compiled as by `compiled` for each structure and shapes of its arguments.

    For programs outside of a training; those of trainings are compiled ahead, by `ProgramCache`.
    """
    programs: dict[Any, Program] = {}
    sharding = SingleDeviceSharding(device)

    def call(*arguments: Any) -> Any:
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)
        leaves, structure = jax.tree.flatten(shapes)
        key = structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        if key not in programs:
            programs[key] = compiled(function, shapes, sharding)
        return programs[key](*arguments)

    return call


def reduces_a_product(text: str | None) -> bool:
    """Say whether compiled HLO has YNNPACK reduce a product with a long last axis in one fusion.

    Products of the engine's own programs have their channels there, so that none is affected.
    """
    if text is None or "__ynn_fusion" not in text:
        return False
    return any(
        _last_axis(product) > _LONG and " reduce(" in body[product.end() :]
        for body in _COMPUTATION.findall(text)
        for product in _DOT.finditer(body)
    )


def _last_axis(product: re.Match[str]) -> int:
    """Return the size of the axis whose elements are contiguous."""
    sizes, order = (list(map(int, group.split(","))) for group in product.groups())
    return sizes[order[0]]


@cache
def sums_are_wrong(sharding: SingleDeviceSharding) -> bool:
    """Say whether this XLA has the defect of jax-ml/jax#39103, by computing its example."""
    if platform_of(sharding) != "cpu":
        return False
    rows = np.zeros((_ROWS, 3), np.float32)
    rows[-1] = 1
    with settled():
        lowered = jax.jit(_sums).lower(rows, np.eye(3, dtype=np.float32))
        program: jax.stages.Compiled = lowered.compile(compiler_options=options_of(sharding))
        return float(np.asarray(program(rows, np.eye(3, dtype=np.float32)))[-1]) != 3


def _sums(rows: Any, matrix: Any) -> Any:
    return jax.vmap(lambda row: jnp.sum(jnp.square(matrix @ row)))(rows)


def platform_of(sharding: SingleDeviceSharding) -> str:
    """Return the platform of the one device: `cpu`, `gpu` or `tpu`."""
    device: jax.Device = next(iter(sharding.device_set))
    return str(device.platform)


@cache
def options_of(
    sharding: SingleDeviceSharding, *, quickly: bool = False, tuned: Path | None = None
) -> Options:
    """Return XLA's options for a device: on the CPU its older code generator.

    That compiles in half the time or less, and its programs are as fast. `quickly`: see `compiled`.
    `tuned`: where a GPU keeps which kernel is fastest for a shape, so that candidates of a study
    measure each once and all take the same; a folder for one version of XLA and one kind of device.
    """
    platform = platform_of(sharding)
    if platform == "gpu" and tuned is not None:
        return accepted({"xla_gpu_per_fusion_autotune_cache_dir": str(tuned)})
    if platform != "cpu":
        return {}
    options: Options = {"xla_cpu_use_fusion_emitters": False}
    if quickly:
        # LLVM's first level, and one piece a program: threads for its parts are busy with others.
        options |= {"xla_backend_optimization_level": "1"}
        options |= {"xla_cpu_parallel_codegen_split_count": "1"}
    return accepted(options) or (options_of(sharding) if quickly else {})


def accepted(options: Options) -> Options:
    """Return the options where this XLA knows them all, else none."""
    probe = jax.jit(jnp.negative).lower(jax.ShapeDtypeStruct((), np.float32))
    try:
        probe.compile(compiler_options=options)
    except Exception:  # an XLA that no longer knows an option says so in one of several ways
        return {}
    return options
