"""The C++ kernels: the same results as JAX's forms but for rounding, and what happens without."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from small import evaluator, job_of

from search.config.train import TrainConfig
from search.data.cache_folder import root
from search.engine import ops
from search.engine.native import build
from search.engine.native.build import Kernels, kernels
from search.engine.ops import normalise as in_jax
from search.engine.optimiser import optimiser_of, update
from search.engine.private import home, private_folder
from search.engine.recipe import waiting_for_kernels

NATIVE, REFERENCE = ops.operations("native", "cpu"), ops.operations("xla")


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if not build._compilers():
        pytest.skip("no C++ compiler is here")
    # With one, kernels that do not compile are a failure.
    assert kernels().prefix, kernels().note


CONVOLUTIONS = st.tuples(
    st.sampled_from(["standard", "depthwise", "pointwise"]),
    st.integers(1, 7),  # kernel
    st.integers(1, 4),  # stride
    st.integers(1, 12),  # height
    st.integers(1, 12),  # width
    # Channels in and out: of every width of vector, and of those that none fits.
    *[st.sampled_from([1, 3, 4, 8, 12, 16, 21, 32, 33, 48])] * 2,
    st.integers(1, 9),  # images
    st.integers(0, 2**31),
)


def results(kind: str, x, kernel, stride: int, forms: ops.Operations) -> list:
    out, pull = jax.vjp(lambda x, kernel: getattr(forms, kind)(x, kernel, stride), x, kernel)
    arriving = np.random.default_rng(1).integers(-4, 5, out.shape).astype(np.float32)
    return [out, *pull(jnp.asarray(arriving))]


@given(CONVOLUTIONS)
@settings(max_examples=40)
def test_convolutions_equal_xlas_exactly(case: tuple) -> None:
    """Sums of small integers are exact in any order, so that not one tap can be amiss."""
    kind, k, stride, height, width, inputs, outputs, n, seed = case
    k = 1 if kind == "pointwise" else k
    generator = np.random.default_rng(seed)
    shape = (k, k, 1, inputs) if kind == "depthwise" else (k, k, inputs, outputs)
    x = generator.integers(-4, 5, (n, height, width, inputs)).astype(np.float32)
    kernel = generator.integers(-4, 5, shape).astype(np.float32)
    found = results(kind, x, kernel, stride, NATIVE)
    expected = results(kind, x, kernel, stride, REFERENCE)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


MAPS = st.tuples(
    st.integers(1, 9),  # images
    st.integers(1, 9),  # height
    st.integers(1, 9),  # width
    st.sampled_from([1, 3, 4, 8, 16, 24, 33, 64]),  # channels
    st.sampled_from(["linear", "relu", "relu6", "swish"]),
    st.booleans(),  # whether something is added
    st.integers(0, 2**31),
)


@given(MAPS)
@settings(max_examples=15)
def test_batchnorm_equals_jaxs(case: tuple) -> None:
    *shape, act, adds, seed = case
    generator = np.random.default_rng(seed)
    y, added, arriving = (jnp.asarray(generator.normal(1, 3, shape), jnp.float32) for _ in range(3))
    scale, bias = (jnp.asarray(generator.normal(size=shape[-1]), jnp.float32) for _ in range(2))
    add = added if adds else None

    def both(forms: ops.Operations) -> list:
        out, pull = jax.vjp(lambda *a: forms.normalise(*a, act), y, scale, bias, add)
        none = jnp.zeros_like(scale)
        back = pull(in_jax.Normalised(arriving, none, none))
        return jax.tree.leaves([out, back, forms.scaled(y, scale, bias, bias, scale**2, add, act)])

    for one, other in zip(both(NATIVE), both(REFERENCE), strict=True):
        # Of a few pixels that are nearly equal, the gradients are differences of large numbers.
        size = 1 + float(jnp.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4 * size)


@pytest.mark.parametrize("act", ["linear", "relu", "relu6"])
def test_what_is_not_a_number_stays_so(act: str) -> None:
    y = jnp.full((2, 3, 3, 16), jnp.nan)
    ones = jnp.ones(16)
    assert np.isnan(NATIVE.scaled(y, ones, ones, ones, ones, None, act)).all()
    assert np.isnan(NATIVE.moments(y)[0]).all()


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_step_of_the_optimiser_is_optaxs(optimiser: str) -> None:
    recipe = evaluator(optimiser=optimiser, weight_decay=0.03)._trainer.recipe
    assert recipe.native
    generator = np.random.default_rng(0)
    shapes = {"kernel": (3, 3, 4, 5), "bias": (5,), "scale": (5,)}
    ours = theirs = {
        name: jnp.asarray(generator.normal(size=shape), jnp.float32)
        for name, shape in shapes.items()
    }
    state = other = optimiser_of(recipe).init(ours)
    for step in range(20):
        gradients = {
            name: jnp.asarray(generator.normal(size=shape) * 10.0 ** (step % 5 - 2), jnp.float32)
            for name, shape in shapes.items()
        }
        ours, state = update(recipe, gradients, state, ours, jnp.float32(0.01))
        in_optax = replace(recipe, convolutions="fast")
        theirs, other = update(in_optax, gradients, other, theirs, jnp.float32(0.01))
    assert jax.tree.structure(state) == jax.tree.structure(other)
    pairs = zip(jax.tree.leaves((ours, state)), jax.tree.leaves((theirs, other)), strict=True)
    for one, another in pairs:
        np.testing.assert_allclose(one, another, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["small", "other", "every"])
def test_a_training_ends_where_that_of_jax_ends(name: str) -> None:
    ours = evaluator()(job_of(name, 3))
    theirs = evaluator(convolutions="jax")(job_of(name, 3))
    assert ours.status == theirs.status == "ok"
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=2e-3)


def test_layer_by_layer_is_the_whole_but_for_rounding() -> None:
    whole = evaluator(form="whole")(job_of("other", 2))
    layers = evaluator(form="layers")(job_of("other", 2))
    np.testing.assert_allclose(whole.loss, layers.loss, rtol=1e-4)


# A large map, so that several threads have a part of it.
_SUMS = """
import hashlib, os, sys
if sys.argv[1] == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import jax, jax.numpy as jnp
from search.engine import ops
forms = ops.operations("native", "cpu")
x = jax.random.normal(jax.random.key(0), (64, 28, 28, 16))
k = jax.random.normal(jax.random.key(1), (3, 3, 16, 32))
out, pull = jax.vjp(lambda x, k: forms.standard(x, k, 1), x, k)
back = forms.normalise(out, out[0, 0, 0], out[0, 0, 1], None, "relu")
leaves = jax.tree.leaves([out, pull(out), back])
print(hashlib.sha256(b"".join(map(bytes, map(memoryview, leaves)))).hexdigest())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_any_number_of_threads_gives_the_same_bits() -> None:
    run = [sys.executable, "-c", _SUMS]
    one, all_ = (subprocess.check_output([*run, how], text=True) for how in ("one", "all"))
    assert one == all_


def fresh_kernels(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Kernels:
    monkeypatch.setenv("CONVBUDGET_CACHE", str(folder))
    # XLA knows the handlers of this process already, and takes no others for them.
    monkeypatch.setattr(jax.ffi, "register_ffi_target", lambda *_, **__: None)
    return kernels.__wrapped__()


def test_without_a_compiler_the_search_says_so_and_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_compilers", list)
    found = fresh_kernels(monkeypatch, tmp_path)
    assert found.prefix == ""
    assert "no C++ compiler was found" in found.note
    assert "CXX" in found.note
    for place in ("search.engine.recipe.kernels", "search.engine.native.build.kernels"):
        monkeypatch.setattr(place, lambda: found)
    engine = evaluator()
    assert engine.notes == [found.note]
    assert engine(job_of("tiny")).status == "ok"
    assert evaluator(convolutions="jax").notes == []


def test_a_wait_for_the_compiler_is_told_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVBUDGET_CACHE", str(tmp_path))
    device = jax.local_devices()[0]
    assert "ten seconds" in waiting_for_kernels(TrainConfig(), device)
    assert waiting_for_kernels(TrainConfig(convolutions="jax"), device) == ""
    assert waiting_for_kernels(TrainConfig(precision="bfloat16"), device) == ""
    assert waiting_for_kernels(TrainConfig(), cast(Any, SimpleNamespace(platform="gpu"))) == ""
    monkeypatch.setattr(build, "_compilers", list)
    assert waiting_for_kernels(TrainConfig(), device) == ""


def test_kernels_that_are_used_count_as_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not used for longest is deleted from the cache folder first."""
    (made,) = (root() / home() / "kernels").glob(f"*{kernels().prefix.split('_')[1]}.so")
    monkeypatch.setenv("CONVBUDGET_CACHE", str(tmp_path))
    copied = private_folder(tmp_path / home() / "kernels") / made.name
    shutil.copy(made, copied)
    os.utime(copied, (1, 1))
    assert waiting_for_kernels(TrainConfig(), jax.local_devices()[0]) == ""
    assert fresh_kernels(monkeypatch, tmp_path).prefix == kernels().prefix
    assert copied.stat().st_mtime > 1


@pytest.mark.parametrize("compiler", ["false", "no-such-compiler", "'unbalanced"])
def test_a_compiler_that_fails_is_told(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    found = fresh_kernels(monkeypatch, tmp_path)
    if compiler.startswith("'"):
        # Not a command: the others are tried.
        assert found.prefix
        return
    assert found.prefix == ""
    assert f"{compiler} failed to compile them" in found.note
    assert list(tmp_path.rglob("*.so")) == []


def test_a_damaged_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = SimpleNamespace(paths=[])

    def damaged(path: Path) -> None:
        path.write_bytes(b"not a library")
        compiled.paths.append(path)

    monkeypatch.setattr(build, "_compile", damaged)
    found = fresh_kernels(monkeypatch, tmp_path)
    assert found.prefix == ""
    assert "cannot be loaded" in found.note
    # The next process makes it anew.
    assert not compiled.paths[0].exists()


def test_a_folder_that_others_can_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / home()).mkdir(mode=0o770)
    (tmp_path / home()).chmod(0o770)
    found = fresh_kernels(monkeypatch, tmp_path)
    assert found.prefix
    assert list(tmp_path.rglob("*.so")) == []
