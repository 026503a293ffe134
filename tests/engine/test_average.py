"""`train.finish=average`: the average of the last weights, with statistics of its own."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from small import ARCHS, EVERY_OP, TINY, dataset, evaluator, job_of, train_config

from search.config.train import TrainConfig, digested
from search.engine.batches import Resident, for_statistics
from search.engine.fitted import Fitted
from search.engine.forward import convolve
from search.engine.programs.compile import settled
from search.engine.programs.per_step import PerStepProgram
from search.engine.recipe import Recipe
from search.engine.schedule import order
from search.engine.state import State, fresh
from search.engine.trainer import Trainer
from search.errors import UserError
from search.networks.arch import Arch
from search.networks.layers import layers_of


def leaves_of(fitted: Fitted) -> list[np.ndarray]:
    return jax.tree.leaves((fitted.state.parameters, fitted.state.statistics))


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("convolutions", ["fast", "jax"])
@pytest.mark.parametrize("form", ["layers", "whole"])
def test_weights_are_the_average_over_the_last_ninth(
    form: str, convolutions: str, optimiser: str
) -> None:
    """Beside the recursion of Shamir and Zhang's, in float64, over weights step by step."""
    data = dataset(shift=1)
    same = {"convolutions": convolutions, "optimiser": optimiser}
    fitted = evaluator(data, finish="average", form=form, **same)._trainer.fit(TINY, 4, 7)
    plain = evaluator(data, decay=0, form="whole", **same)._trainer
    program = PerStepProgram(layers_of(TINY), plain.recipe, plain.image, (50, 13))
    program.ready(plain.programs)
    with settled():
        exact = fresh(TINY, plain.recipe, 7)
        state = program.to_device([exact], plain.device)
    feed = Resident(data.train, plain.device)
    average = jax.tree.map(np.float64, exact.parameters)
    for epoch in range(4):
        for k, batch in enumerate(feed.batches(order(50, 16, 7, epoch))):
            step = 3 * epoch + k
            rate = np.float32(plain.schedule.rate(step, 4))
            state, _ = program.step(state, batch, np.uint32(7), np.uint32(step), rate)
            # Their t is step + 1, their eta 8.
            (now,) = program.to_host(state, exact)
            average = jax.tree.map(
                lambda a, w, t=step + 1: (1 - 9 / (t + 8)) * a + 9 / (t + 8) * np.float64(w),
                average,
                now.parameters,
            )
    for mine, theirs in zip(
        jax.tree.leaves(fitted.state.parameters), jax.tree.leaves(average), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("form", ["layers", "whole"])
def test_statistics_are_those_of_the_averaged_weights(form: str) -> None:
    data = dataset(shift=1, flip=True)
    trainer = evaluator(data, finish="average", form=form)._trainer
    fitted = trainer.fit(TINY, 2, 0)
    stem = layers_of(TINY)[0]
    images = data.train.images[for_statistics(50, 16).reshape(-1)].astype(np.float32) / 255
    with settled():
        x = ((images - 0.4) / 0.25).astype(np.float32)
        maps = np.asarray(
            convolve(stem.shape, trainer.recipe, x, fitted.state.parameters[stem.path]["kernel"])
        )
    found = fitted.state.statistics[stem.path]
    np.testing.assert_allclose(found["mean"], maps.mean((0, 1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["var"], maps.var((0, 1, 2)), rtol=1e-4, atol=1e-5)


def test_forms_and_seeds_in_one_program_agree() -> None:
    data = dataset(shift=1)
    layers, whole = (
        evaluator(data, finish="average", form=form)._trainer for form in ("layers", "whole")
    )
    one, other = layers.fit(EVERY_OP, 1, 0), whole.fit(EVERY_OP, 1, 0)
    for a, b in zip(leaves_of(one), leaves_of(other), strict=True):
        # As in test_both_forms_train_alike.
        np.testing.assert_allclose(a, b, rtol=0.05, atol=0.05)
    several = whole.fit_seeds(ARCHS["tiny"], 3, [0, 5])
    for seed, together in zip([0, 5], several, strict=True):
        assert isinstance(together, Fitted)
        alone = whole.fit(ARCHS["tiny"], 3, seed)
        assert together.scores.accuracy == alone.scores.accuracy
        for a, b in zip(leaves_of(together), leaves_of(alone), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("form", ["layers", "whole"])
def test_a_longer_training_goes_on_where_a_shorter_one_ended(form: str, tmp_path: Path) -> None:
    """No step is made twice, where a decay has to be left and its steps with it."""
    settings = {"finish": "average", "form": form, "validate": "epoch"}
    straight = evaluator(**settings)(job_of("small", 3))
    kept = evaluator(checkpoints=tmp_path, **settings)
    short = kept(job_of("small", 1))
    longer = kept(job_of("small", 3))
    assert longer.accuracy == straight.accuracy
    assert longer.loss == straight.loss
    assert straight.curve is not None
    assert longer.curve is not None
    np.testing.assert_array_equal(
        longer.curve.validation_accuracy, straight.curve.validation_accuracy
    )
    # And what a training has on the way is what a shorter one ends with.
    assert straight.curve.validation_accuracy[0] == pytest.approx(short.accuracy, abs=1e-6)
    trainer = kept._trainer
    assert trainer.schedule.decay_start(3) == trainer.schedule.total(3)
    whole = kept.weights(job_of("small", 3))
    other = evaluator(checkpoints=tmp_path / "other", **settings)
    other(job_of("small", 3))
    for name, array in other.weights(job_of("small", 3)).items():
        np.testing.assert_array_equal(array, whole[name])


def test_what_is_streamed_gives_the_same_bits() -> None:
    settings = {"finish": "average", "form": "whole"}
    data = dataset(shift=1)
    resident, streamed = (
        Trainer(data, train_config(resident_megabytes=room, **settings), jax.local_devices()[0])
        for room in (100.0, 0.0)
    )
    for a, b in zip(
        leaves_of(resident.fit(TINY, 2, 0)), leaves_of(streamed.fit(TINY, 2, 0)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_statistics_are_of_some_thousand_images_at_most() -> None:
    assert for_statistics(50, 16).shape == (3, 16)
    assert for_statistics(10**6, 128).shape == (32, 128)
    assert for_statistics(20_000, 10_000).shape == (1, 10_000)
    assert len(set(for_statistics(1000, 100).flat)) == 1000


def test_a_diverged_training_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(arch: Arch, recipe: Recipe, seed: int) -> State:
        state = fresh(arch, recipe, seed)
        broken = jax.tree.map(lambda a: np.full_like(a, np.nan), state.parameters)
        return state._replace(parameters=broken)

    monkeypatch.setattr("search.engine.trainer.fresh", poisoned)
    result = evaluator(finish="average")(job_of("small", 3))
    assert result.status == "failed"
    assert result.error == "the loss is nan in epoch 1"


def test_it_is_a_setting_that_older_results_were_made_without() -> None:
    assert "finish" not in digested(TrainConfig())
    assert digested(TrainConfig(finish="average"))["finish"] == "average"
    with pytest.raises(UserError, match=r"train\.finish=.*decay.*average"):
        TrainConfig(finish="last")
