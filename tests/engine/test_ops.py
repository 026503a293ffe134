"""Every form of a convolution equals XLA's own, forward and in both gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.engine import ops
from search.engine.ops import depthwise, geometry, reference, standard
from search.errors import UserError

CASES = st.tuples(
    st.sampled_from(["standard", "depthwise", "pointwise"]),
    st.integers(1, 5),  # kernel
    st.integers(1, 3),  # stride
    st.integers(1, 11),  # height
    st.integers(1, 11),  # width
    st.integers(1, 5),  # channels in
    st.integers(1, 5),  # channels out
    st.integers(1, 5),  # images
    st.integers(0, 2**31),
)


def drawn(case: tuple) -> tuple:
    kind, k, stride, height, width, inputs, outputs, n, seed = case
    k = 1 if kind == "pointwise" else k
    generator = np.random.default_rng(seed)
    shape = (k, k, 1, inputs) if kind == "depthwise" else (k, k, inputs, outputs)
    x = generator.normal(size=(n, height, width, inputs))
    kernel = generator.normal(size=shape)
    return kind, x, kernel, stride


def both(kind: str, x, kernel, stride: int, forms: ops.Operations) -> list:
    form = getattr(forms, kind)
    out, pull = jax.vjp(lambda x, kernel: form(x, kernel, stride), x, kernel)
    weights = np.random.default_rng(1).normal(size=out.shape).astype(out.dtype)
    return [out, *pull(jnp.asarray(weights))]


@given(CASES)
@settings(max_examples=25, deadline=None)
def test_equals_reference_to_rounding(case: tuple) -> None:
    kind, x, kernel, stride = drawn(case)
    x, kernel = x.astype(np.float32), kernel.astype(np.float32)
    found = both(kind, x, kernel, stride, ops.operations("fast", "cpu"))
    expected = both(kind, x, kernel, stride, ops.operations("xla"))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)


@given(CASES)
@settings(max_examples=25, deadline=None)
def test_formulae_in_float64(case: tuple) -> None:
    kind, x, kernel, stride = drawn(case)
    with jax.enable_x64(True):
        found = both(
            kind, jnp.asarray(x), jnp.asarray(kernel), stride, ops.operations("fast", "cpu")
        )
        expected = both(kind, jnp.asarray(x), jnp.asarray(kernel), stride, ops.operations("xla"))
        assert found[0].dtype == np.float64
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "n"), [(12, 3, 1, 6), (17, 5, 2, 7), (9, 7, 3, 1)]
)
def test_kernel_gradient_of_large_maps(side: int, kernel: int, stride: int, n: int) -> None:
    with jax.enable_x64(True):
        generator = np.random.default_rng(0)
        x = jnp.asarray(generator.normal(size=(n, side, side + 1, 3)))
        weights = jnp.asarray(generator.normal(size=(kernel, kernel, 3, 4)))
        out, pull = jax.vjp(lambda w: reference.standard(x, w, stride), weights)
        arriving = jnp.asarray(generator.normal(size=out.shape))
        found = standard.kernel_gradient(x, arriving, kernel, stride)
        np.testing.assert_allclose(found, pull(arriving)[0], rtol=1e-12, atol=1e-11)


def test_large_depthwise_kernels_fall_back() -> None:
    x = np.ones((1, 12, 12, 2), np.float32)
    kernel = np.ones((11, 11, 1, 2), np.float32)
    np.testing.assert_allclose(
        depthwise.depthwise(x, kernel, 2), reference.depthwise(x, kernel, 2), rtol=1e-6
    )


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_padding_is_xlas(size: int, kernel: int, stride: int) -> None:
    expected = jax.lax.padtype_to_pads((size,), (kernel,), (stride,), "SAME")[0]
    assert geometry.padding(size, kernel, stride) == tuple(expected)


@pytest.mark.parametrize("act", ["relu", "relu6", "swish", "linear"])
@pytest.mark.parametrize("added", [False, True])
def test_normalise_gradient_is_autodiffs(act: str, added: bool) -> None:
    generator = np.random.default_rng(2)
    with jax.enable_x64(True):
        y = jnp.asarray(generator.normal(size=(3, 4, 5, 2)) * 3)
        add = jnp.asarray(generator.normal(size=y.shape)) if added else None
        scale, bias = (jnp.asarray(generator.normal(size=2)) for _ in range(2))
        arriving = jnp.asarray(generator.normal(size=y.shape))

        def plain(y, scale, bias, add):
            mean, variance = y.mean((0, 1, 2)), y.var((0, 1, 2))
            z = (y - mean) / jnp.sqrt(variance + ops.EPSILON) * scale + bias
            return ops.ACTIVATE[act](z if add is None else z + add)

        def fused(y, scale, bias, add):
            return ops.operations().normalise(y, scale, bias, add, act).out

        expected, pull = jax.vjp(plain, y, scale, bias, add)
        found, own = jax.vjp(fused, y, scale, bias, add)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        for one, other in zip(
            jax.tree.leaves(own(arriving)), jax.tree.leaves(pull(arriving)), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_unknown_choice_is_named() -> None:
    with pytest.raises(UserError, match="did you mean fast"):
        ops.operations("fats")


def test_an_unknown_platform_gets_the_reference() -> None:
    assert ops.operations("fast", "neuron") is ops.operations("xla")
