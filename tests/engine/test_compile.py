"""Programs: numerics that hold on this XLA, what the cache keeps, and how the process ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import SingleDeviceSharding

sys.path.insert(0, str(Path(__file__).parent))
from small import dataset, evaluator, job_of

from search.engine import ops
from search.engine.forward import loss_and_accuracy
from search.engine.predict import logits
from search.engine.programs import compile as compiling
from search.engine.programs.cache import ProgramCache, ProgramSpec
from search.engine.programs.per_layer import PerLayerPrograms
from search.engine.programs.per_step import PerStepProgram
from search.engine.state import fresh, weights_of
from search.networks.arch import Arch, Block, Head, Input, Stem
from search.networks.layers import layers_of

ROOT = Path(__file__).parents[2]
DEVICE = jax.local_devices()[0]
SHARDING = SingleDeviceSharding(DEVICE)


def program(function, *arguments):
    """The function compiled as the engine compiles it."""
    like = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arguments]
    return compiling.compiled(function, tuple(like), SHARDING)


def test_a_sum_of_products_is_right() -> None:
    """jax-ml/jax#39103: jaxlib 0.10.2 gets it wrong unless it is compiled as here."""
    count = 33_000
    rows = np.zeros((count, 3), np.float32)
    rows[:, 0] = np.arange(count)
    matrix = np.eye(3, dtype=np.float32)
    found = program(compiling._sums, rows, matrix)(rows, matrix)
    np.testing.assert_allclose(found, np.arange(count, dtype=np.float64) ** 2, rtol=1e-6)


def test_the_defect_is_recognised_in_compiled_text() -> None:
    rows, matrix = np.zeros((33_000, 3), np.float32), np.eye(3, dtype=np.float32)
    text = jax.jit(compiling._sums).lower(rows, matrix).compile().as_text()
    apart = jax.jit(jnp.matmul).lower(rows, matrix).compile().as_text()
    assert not compiling.reduces_a_product(apart)
    assert not compiling.reduces_a_product(None)
    if "__ynn_fusion" in text:
        assert compiling.reduces_a_product(text)
    if compiling.sums_are_wrong(SHARDING):
        assert compiling.reduces_a_product(text)


@pytest.mark.parametrize("side", [28, 32])
@pytest.mark.parametrize("kind", ["standard", "depthwise", "pointwise", "normalise"])
def test_gradients_at_real_sizes(side: int, kind: str) -> None:
    """Compiled against eager, and against sums in float64 where those are simple."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(128, side, side, 16)).astype(np.float32)
    if kind == "normalise":
        scale, bias = generator.normal(size=(2, 16)).astype(np.float32)

        def gradients(x, scale, bias, arriving):
            def forward(x, scale, bias):
                return ops.operations().normalise(x, scale, bias, None, "swish").out

            return jax.vjp(forward, x, scale, bias)[1](arriving)

        given = (x, scale, bias, x[::-1].copy())
    else:
        size = {"standard": (3, 3, 16, 32), "depthwise": (3, 3, 1, 16), "pointwise": (1, 1, 16, 32)}
        kernel = generator.normal(size=size[kind]).astype(np.float32)
        form = getattr(ops.operations("fast", "cpu"), kind)

        def gradients(x, kernel, arriving):
            return jax.vjp(lambda x, k: form(x, k, 1), x, kernel)[1](arriving)

        outputs = size[kind][-1]
        given = (x, kernel, generator.normal(size=(*x.shape[:3], outputs)).astype(np.float32))
    found = program(gradients, *given)(*given)
    with jax.disable_jit():
        eager = gradients(*map(jnp.asarray, given))
    for one, other in zip(found, eager, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5 * np.abs(other).max())
    if kind == "pointwise":
        wide = [a.astype(np.float64).reshape(-1, a.shape[-1]) for a in (given[0], given[2])]
        np.testing.assert_allclose(found[1][0, 0], wide[0].T @ wide[1], rtol=1e-4, atol=0.05)


def test_the_losss_gradients_at_real_sizes() -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(128, 7, 7, 64)).astype(np.float32)
    p = {
        "kernel": generator.normal(size=(64, 10)).astype(np.float32),
        "bias": np.zeros(10, np.float32),
    }
    targets = np.eye(10, dtype=np.float32)[generator.integers(0, 10, 128)]
    gradients = jax.grad(
        lambda k, b, x, t: loss_and_accuracy({"kernel": k, "bias": b}, x, t)[0], (0, 1, 2)
    )
    given = (p["kernel"], p["bias"], x, targets)
    found = program(gradients, *given)(*given)
    pooled = x.astype(np.float64).mean((1, 2))
    logits = pooled @ p["kernel"].astype(np.float64)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    to_logits = (odds / odds.sum(1, keepdims=True) - targets) / 128
    np.testing.assert_allclose(found[0], pooled.T @ to_logits, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found[1], to_logits.sum(0), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("head", [0, 64])
def test_no_training_program_has_the_defect(head: int) -> None:
    """At real sizes: so trials are the same, to the last bit, as without the check."""
    arch = Arch(
        Input(28, 28, 1),
        Stem(8),
        (Block("conv", 16, 3, 2), Block("separable", 24, 3, 2)),
        Head(head),
        10,
    )
    engine = evaluator(dataset(128, 128, size=(28, 28, 1), classes=10), batch=128)
    given = (layers_of(arch), engine._trainer.recipe, (28, 28, 1), (128, 128))
    specs = [*PerLayerPrograms(*given).program_specs(), *PerStepProgram(*given).program_specs()]
    with compiling.settled():
        texts = [
            jax.jit(spec.function)
            .lower(*spec.arguments)
            .compile(compiling.options_of(SHARDING, quickly=spec.shared))
            .as_text()
            for spec in specs
        ]
    assert not any(map(compiling.reduces_a_product, texts))


def test_predictions_are_compiled_with_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of the test part come from there."""
    calls = []
    real = compiling.compiled

    def counted(*given):
        calls.append(given)
        return real(*given)

    monkeypatch.setattr(compiling, "compiled", counted)
    arch = Arch(Input(6, 5, 1), Stem(4), (), Head(), 3)
    recipe = evaluator()._trainer.recipe
    weights = weights_of(fresh(arch, recipe, 0))
    images = np.zeros((3, 6, 5, 1), np.uint8)
    assert logits(arch, [weights], images, [0.5], [1.0])[0].shape == (3, 3)
    assert len(calls) == 1


def own(engine) -> list:
    keys = engine._trainer.programs.keys()
    return [k for k in keys if k[0].startswith(("whole", "looped"))]


def test_programs_of_a_network_go_with_its_last_job() -> None:
    engine = evaluator(form="whole", convolutions="jax")
    engine.prepare(job_of("tiny", 1, 1))
    assert len(own(engine)) == 2
    engine(job_of("tiny", 1, 0))
    assert len(own(engine)) == 2  # the prepared job still needs them
    engine(job_of("tiny", 1, 1))
    assert own(engine) == []
    shared = evaluator(form="layers")
    shared(job_of("tiny"))
    assert len(shared._trainer.programs.keys()) > 3


def slow_spec(number: int, seconds: float) -> ProgramSpec:
    def function(x):
        time.sleep(seconds)
        return x + number

    return ProgramSpec(number, function, (jax.ShapeDtypeStruct((), np.float32),), shared=False)


def test_released_programs_are_not_compiled() -> None:
    programs = ProgramCache(DEVICE)
    specs = [slow_spec(number, 0.2) for number in range(40)]
    programs.hold("a job", specs)
    futures = programs.start(specs)
    programs.release("a job")
    assert sum(future.cancelled() for future in futures) > 20
    assert programs.keys() == []
    found, _ = programs.get([slow_spec(0, 0)])
    assert float(found[0](np.float32(1))) == 1


QUEUED = """
import sys; sys.path[:0] = [{here!r}, {root!r}]
import os, signal, threading, time
import jax, numpy as np
from test_compile import DEVICE
from search.engine.programs.cache import ProgramSpec
from search.engine.programs.cache import ProgramCache, leave
programs = ProgramCache(DEVICE)
def spec(number):
    def function(x):
        os.write(1, b"compiling\\n")
        time.sleep(1)
        return x + number

    return ProgramSpec(number, function, (jax.ShapeDtypeStruct((), np.float32),), shared=False)
programs.start([spec(number) for number in range(60)])
os.write(1, b"queued\\n")
try:
    threading.Event().wait(0.5)
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(60)
except KeyboardInterrupt:
    os.write(1, b"interrupted\\n")
    {leave}
    sys.exit(130)
"""


@pytest.mark.parametrize("leave", ["", "leave(130, 0.1)"])
def test_an_interruption_does_not_wait_for_the_queue(leave: str) -> None:
    script = QUEUED.format(here=str(Path(__file__).parent), root=str(ROOT), leave=leave)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    said = process.stdout.read().splitlines()
    assert process.wait() == 130
    assert "queued" in said
    # Of the sixty that wait, at most those begin that threads were taking from the queue just then.
    assert said[said.index("interrupted") :].count("compiling") <= 4
    process.stdout.close()


SETTINGS = """
import sys; sys.path[:0] = [{here!r}, {root!r}]
from small import evaluator, dataset, job_of
for form in ("layers", "whole"):
    data = dataset(shift=1, flip=True, cutout=2, mixup=0.2)
    r = evaluator(data, form=form, label_smoothing=0.1)(job_of("tiny", 3, 1))
    print(r.status, repr(r.accuracy), repr(r.loss), r.error)
"""


def test_settings_of_jax_change_no_result() -> None:
    script = SETTINGS.format(here=str(Path(__file__).parent), root=str(ROOT))

    def run(**settings: str) -> str:
        environment = {**os.environ, **settings}
        return subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    plain = run()
    assert plain.count("ok") == 2
    changed = run(
        JAX_ENABLE_X64="1",
        JAX_DEFAULT_PRNG_IMPL="rbg",
        JAX_THREEFRY_PARTITIONABLE="0",
        JAX_NUMPY_DTYPE_PROMOTION="strict",
    )
    assert changed == plain
