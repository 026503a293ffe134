"""Curves of trainings: every epoch once, the same for a training that was gone on with."""

import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from search.engine.checkpoints import Checkpoints
from search.engine.curves import curve_of, no_rows, with_steps, with_validation
from search.engine.evaluator import TrainingEvaluator
from search.engine.scores import scores
from search.engine.state import State, fresh
from search.jobs import Curve, Job

sys.path.insert(0, str(Path(__file__).parent))
from small import ARCHS, evaluator, job_of


def told(job: Job, engine: TrainingEvaluator) -> Curve:
    curve = engine(job).curve
    assert curve is not None
    return curve


def without_seconds(curve: Curve) -> Curve:
    return replace(curve, seconds=curve.epochs)


def test_sums_of_an_epoch_in_two_parts_are_those_of_the_whole() -> None:
    generator = np.random.default_rng(0)
    measured = generator.random((5, 2)).astype(np.float32)
    rates = generator.random(5).astype(np.float32)
    whole = with_steps(no_rows(), 1, measured, rates, 3.0)
    part = with_steps(no_rows(), 1, measured[:2], rates[:2], 1.0)
    np.testing.assert_allclose(with_steps(part, 1, measured[2:], rates[2:], 2.0), whole)
    two = with_validation(with_steps(whole, 2, measured, rates, 4.0), 0.5, 0.25)
    curve = curve_of(two)
    assert curve is not None
    assert curve.epochs == (1, 2)
    assert curve.train_loss == pytest.approx((measured[:, 0].mean(),) * 2)
    assert curve.learning_rate == pytest.approx((rates.mean(),) * 2)
    assert curve.seconds == (3.0, 4.0)
    assert np.isnan(curve.validation_loss[0])
    assert (curve.validation_loss[1], curve.validation_accuracy[1]) == (0.5, 0.25)
    assert curve_of(no_rows()) is None


@pytest.fixture(scope="module")
def often() -> TrainingEvaluator:
    """One for several tests, because compiling takes longer than training."""
    return evaluator(validate="epoch")


def test_a_curve_has_every_epoch_and_the_schedule(often: TrainingEvaluator) -> None:
    engine = often
    result = engine(job_of("tiny", 5, 0))
    curve = result.curve
    assert curve is not None
    schedule = engine._trainer.schedule
    assert curve.epochs == (1, 2, 3, 4, 5)
    assert curve.train_loss[-1] == pytest.approx(result.details["train_loss"], rel=1e-6)
    assert curve.validation_loss[-1] == result.loss
    assert curve.validation_accuracy[-1] == result.accuracy
    assert all(0 <= one <= 1 for one in (*curve.train_accuracy, *curve.validation_accuracy))
    assert curve.train_accuracy[-1] > curve.train_accuracy[0]
    assert min(curve.seconds) > 0
    rates = np.array([schedule.rate(step, 5) for step in range(schedule.total(5))], np.float32)
    np.testing.assert_allclose(curve.learning_rate, rates.reshape(5, -1).mean(1), rtol=1e-6)


def test_validation_is_measured_on_the_weights_at_an_epochs_end(often: TrainingEvaluator) -> None:
    # The stable phase of four epochs ends with the second, and so does the one of that length.
    trainer = often._trainer
    fitted = trainer.fit(ARCHS["tiny"], 4, 1)
    curve = curve_of(fitted.rows)
    assert curve is not None
    (programs, _, _), *_ = trainer._forms(ARCHS["tiny"])
    programs.ready(trainer.programs)
    state = programs.to_device([fitted.stable_phase], trainer.device)
    (totals,) = programs.totals(state, trainer._validation, 13)
    found = scores(totals)
    assert (curve.validation_loss[1], curve.validation_accuracy[1]) == (found.loss, found.accuracy)


def test_how_often_validation_is_measured_changes_no_result(often: TrainingEvaluator) -> None:
    once = evaluator()
    one, other = (engine._trainer.fit(ARCHS["tiny"], 5, 0) for engine in (often, once))
    assert one.scores == other.scores
    for a, b in zip(jax.tree.leaves(one.state), jax.tree.leaves(other.state), strict=True):
        np.testing.assert_array_equal(a, b)
    curve = curve_of(other.rows)
    assert curve is not None
    assert all(np.isnan(curve.validation_loss))


def test_a_job_that_is_gone_on_with_has_its_whole_curve(
    often: TrainingEvaluator, tmp_path: Path
) -> None:
    # An odd length: the stable phase of three epochs ends in the middle of the second.
    short, long = job_of("tiny", 3, 2), job_of("tiny", 9, 2)
    broken = evaluator(checkpoints=tmp_path, validate="epoch")
    first = told(short, broken)
    found = without_seconds(told(long, broken))
    unbroken = without_seconds(told(long, often))
    assert found.epochs == unbroken.epochs == tuple(range(1, 10))
    for name, column in vars(unbroken).items():
        np.testing.assert_allclose(getattr(found, name), column, rtol=1e-6, err_msg=name)
    # This time read from its checkpoint, with the seconds of then.
    assert told(short, broken) == first


def test_a_checkpoint_without_a_curve_is_gone_on_with(tmp_path: Path) -> None:
    engine = evaluator(checkpoints=tmp_path)
    engine(job_of("tiny", 4, 0))
    store = engine._store
    assert isinstance(store, Checkpoints)
    (place,) = store.places()
    arrays = store.read(place)
    assert arrays is not None
    store.write(place, {name: one for name, one in arrays.items() if "curve" not in name})
    assert engine(job_of("tiny", 4, 0)).curve is None
    assert told(job_of("tiny", 8, 0), engine).epochs == (3, 4, 5, 6, 7, 8)


def test_seeds_side_by_side_have_curves_of_their_own() -> None:
    config = evaluator(validate="epoch", form="whole")
    trainer = config._trainer
    fitted = trainer.fit_seeds(ARCHS["tiny"], 2, [0, 1])
    curves = [curve_of(one.rows) for one in fitted]
    alone = curve_of(trainer.fit(ARCHS["tiny"], 2, 1).rows)
    assert alone is not None
    assert curves[0] != curves[1]
    for name in ("train_loss", "train_accuracy", "validation_loss", "learning_rate"):
        np.testing.assert_allclose(getattr(curves[1], name), getattr(alone, name), rtol=1e-3)


def test_one_that_diverges_shows_its_curve_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(*given: object) -> State:
        state = fresh(*given)
        state.parameters["classifier"]["bias"] = state.parameters["classifier"]["bias"] + np.inf
        return state

    monkeypatch.setattr("search.engine.trainer.fresh", poisoned)
    result = evaluator()(job_of("tiny", 3, 0))
    assert result.status == "failed"
    assert result.curve is not None
    assert result.curve.epochs == (1,)
    assert result.curve.as_json()["train_loss"] == [None]
