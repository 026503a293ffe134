"""Learning curves: written with their trial or not at all, read back lazily, checked."""

import json
import math
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from search.errors import UserError
from search.jobs import Curve, Result
from search.study.study import Study

sys.path.insert(0, str(Path(__file__).parent))
from samples import FACTS, SETTINGS, trial

CURVE = Curve(
    epochs=(1, 2),
    train_loss=(2.25, 1.5),
    train_accuracy=(0.25, 0.5),
    validation_loss=(math.nan, 1.25),
    validation_accuracy=(math.nan, 0.625),
    learning_rate=(0.02, 0.04),
    seconds=(0.5, 0.25),
)
WITH = Result(0.625, 1.25, curve=CURVE)


def test_curves_are_read_by_the_number_of_their_trial(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        for number in (0, 2, 10):
            study.add(trial(number, result=WITH))
        study.add(trial(11))
        study.add(trial(12, result=WITH, same_as=2))
        assert study.trials()[0].result.curve is None
    with Study.read(tmp_path) as study:
        assert str(study.curve(10)) == str(CURVE)
        assert study.curve(11) is None
        assert study.curve(12) is None
        assert list(study.curves()) == [0, 2, 10]
        assert study.trials()[0].result == WITH


def test_curves_of_fresh_seeds_are_kept_apart_from_those_of_trials(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(trial(0, result=WITH))
        study.add_confirmation(trial(0))
        study.add_confirmation(trial(1, result=WITH))
        with pytest.raises(UserError, match="is corrupt"):
            study.add_confirmation(trial(0, result=WITH))
    with Study.read(tmp_path) as study:
        assert list(study.curves()) == [0]
        assert list(study.confirmation_curves()) == [1]
        assert str(study.confirmation_curves()[1]) == str(CURVE)
    with Study.read(Path(__file__).parent / "format1" / "digits") as study:
        assert study.confirmation_curves() == {}


def test_validation_that_was_never_measured_is_null() -> None:
    none = replace(CURVE, validation_loss=(math.nan,) * 2, validation_accuracy=(math.nan,) * 2)
    assert none.as_json()["validation_loss"] is None
    assert CURVE.as_json()["validation_accuracy"] == [None, 0.625]
    assert none.as_json()["seconds"] == [0.5, 0.25]


def test_a_study_in_memory_has_curves_and_an_old_one_has_none(tmp_path: Path) -> None:
    with Study.open(None, SETTINGS, FACTS) as study:
        study.add(trial(0, result=WITH))
        assert list(study.curves()) == [0]
    with Study.read(Path(__file__).parent / "format1" / "digits") as study:
        assert study.curves() == {}
        assert study.curve(0) is None


def test_a_trial_that_cannot_be_written_leaves_no_curve(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(trial(0))
        with pytest.raises(UserError, match="is corrupt"):
            study.add(trial(0, result=WITH))
        assert study.curves() == {}


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ("[]", "must be a JSON object"),
        ("{}", "lacks 'epochs'"),
        ('{"epochs":[0]}', r"curve 0\.epochs is 0"),
        ('{"epochs":[1],"train_loss":["x"]}', r"train_loss is 'x'"),
    ],
)
def test_a_damaged_curve_is_one_line_that_names_the_file(
    value: str, match: str, tmp_path: Path
) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(trial(0))
        study._database.record("curve", {"0": json.loads(value)})
    with Study.read(tmp_path) as study:
        with pytest.raises(UserError, match=rf"study\.db is damaged .*{match}"):
            study.curve(0)
        with pytest.raises(UserError, match=rf"study\.db is damaged .*{match}"):
            study.curves()


@pytest.mark.parametrize("key", ["01", "x", "²", "9" * 30])
def test_a_key_that_is_no_number_is_refused(key: str, tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.record("curve", key, CURVE.as_json())
        with pytest.raises(UserError, match="must be the number of a trial"):
            study.curves()
        study.record("confirmation_curve", key, CURVE.as_json())
        with pytest.raises(UserError, match=r"key of confirmation_curve.*the number of a trial"):
            study.confirmation_curves()


def test_a_flipped_bit_in_a_curve_is_found(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(trial(0, result=WITH))
    with closing(sqlite3.connect(tmp_path / "study.db")) as connection:
        connection.execute("UPDATE records SET value = replace(value, '2.25', '2.24')")
        connection.commit()
    with Study.read(tmp_path) as study, pytest.raises(UserError, match="is corrupt"):
        study.curve(0)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="as many values"):
        replace(CURVE, seconds=(1.0,))
