"""The module is an ordinary one, and says the same as the engine's programs."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))
from small import ARCHS, EVERY_OP, SMALL, dataset, evaluator, job_of

from search.engine.augment import normalised
from search.engine.forward import evaluation_features, logits_of
from search.engine.model import build
from search.engine.programs.per_layer import rounded
from search.engine.state import fresh, resized, shaped, split_weights, weights_of
from search.networks.cost import cost_of
from search.networks.layers import layers_of


def test_forms_give_the_same_logits() -> None:
    x = np.random.default_rng(0).normal(size=(4, 6, 5, 1)).astype(np.float32)
    fast = build(EVERY_OP, rngs=nnx.Rngs(0))
    reference = build(EVERY_OP, rngs=nnx.Rngs(0), convolutions="xla")
    np.testing.assert_allclose(fast(x), reference(x), rtol=1e-4, atol=1e-4)
    assert fast(x).shape == (4, 3)


def test_trains_in_ones_own_loop_and_prints() -> None:
    model = build(SMALL, rngs=nnx.Rngs(0))
    assert "Network" in repr(model)
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)
    data = dataset()
    x = jnp.asarray(data.train.images, jnp.float32) / 255
    y = jnp.asarray(data.train.labels)

    @nnx.jit
    def step(model, optimizer):
        def loss_of(model):
            return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

        loss, gradients = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, gradients)
        return loss

    # Optax itself is not written for strict promotion.
    with jax.numpy_dtype_promotion("standard"):
        losses = [float(step(model, optimizer)) for _ in range(20)]
    assert losses[-1] < losses[0]


def test_builds_without_values() -> None:
    model = nnx.eval_shape(lambda: build(EVERY_OP, rngs=nnx.Rngs(0)))
    assert model.stem.kernel.shape == (3, 3, 1, 4)


@pytest.mark.parametrize("name", sorted(ARCHS))
def test_parameters_are_those_counted(name: str) -> None:
    state = nnx.state(build(ARCHS[name], rngs=nnx.Rngs(0)), nnx.Param)
    assert sum(leaf.size for leaf in jax.tree.leaves(state)) == cost_of(ARCHS[name]).params


def test_engine_starts_from_the_modules_weights_and_says_the_same() -> None:
    job = job_of("every", 2, 3)
    data = dataset()
    engine = evaluator(data)
    fitted = engine._trainer.fit(EVERY_OP, job.epochs, job.seed)
    model = build(EVERY_OP, rngs=nnx.Rngs(1))
    named = weights_of(fitted.state)
    flat = [
        (path, named[".".join(map(str, path))]) for path, _ in nnx.to_flat_state(nnx.state(model))
    ]
    assert len(flat) == len(named)
    nnx.update(model, nnx.from_flat_state([(p, jnp.asarray(v)) for p, v in flat]))
    model.eval()
    images = normalised(data.validation.images, engine._trainer.recipe)
    right = np.asarray(model(images)).argmax(1) == data.validation.labels
    assert right.mean() == pytest.approx(fitted.scores.accuracy)
    parameters, statistics = split_weights(named)
    last = evaluation_features(
        layers_of(EVERY_OP), engine._trainer.recipe, parameters, statistics, images
    )
    np.testing.assert_allclose(
        logits_of(parameters["classifier"], last), model(images), rtol=1e-4, atol=1e-4
    )


def test_first_weights_are_builds() -> None:
    recipe = evaluator()._trainer.recipe
    state = fresh(SMALL, recipe, 5)
    model = build(SMALL, rngs=nnx.Rngs(5))
    np.testing.assert_array_equal(state.parameters["stem"]["kernel"], model.stem.kernel[...])
    like = shaped(layers_of(SMALL), recipe)
    assert jax.tree.structure(like) == jax.tree.structure(state)
    assert all(
        a.shape == b.shape and a.dtype == b.dtype
        for a, b in zip(jax.tree.leaves(like), jax.tree.leaves(state), strict=True)
    )
    assert jax.tree.all(jax.tree.map(np.array_equal, resized(state, like), state))


def test_widths_are_never_cut() -> None:
    assert all(rounded(c) >= c for c in range(1, 700))
    assert rounded(64) == 64
