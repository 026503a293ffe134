"""What a study keeps beside its trials: written whole, read back, found when it was changed."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from search.errors import UserError
from search.study.study import Study

sys.path.insert(0, str(Path(__file__).parent))
from samples import FACTS, SETTINGS, trial


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(trial(0))
        study.record("final", "b", {"accuracy": 0.5})
        study.record("final", "a", {"accuracy": 0.25, "names": ["é", "木"]})
        study.record("final", "b", {"accuracy": 0.75})
        study.record("landmark", "a", {"accuracy": 1})
    return tmp_path


def test_records_are_read_back_by_kind_in_the_order_of_keys(folder: Path) -> None:
    with Study.read(folder) as study:
        assert list(study.records("final").items()) == [
            ("a", {"accuracy": 0.25, "names": ["é", "木"]}),
            ("b", {"accuracy": 0.75}),
        ]
        assert study.records("landmark") == {"a": {"accuracy": 1}}
        assert study.records("curve") == {}
        assert len(study.trials()) == 1


def test_a_study_without_records_has_none(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        assert study.records("final") == {}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE records SET value = '{\"accuracy\":0.9}' WHERE key = 'b'",
        "UPDATE records SET key = 'c' WHERE key = 'b'",
        "UPDATE records SET kind = 'final', key = 'z' WHERE kind = 'landmark'",
        "DELETE FROM records WHERE key = 'b'",
        "DELETE FROM totals WHERE name = 'records/final'",
        "DROP TABLE records",
        "DROP TABLE records; CREATE TABLE records (kind, key, value, checksum)",
    ],
)
def test_a_changed_or_lost_record_is_found(folder: Path, damage: str) -> None:
    with closing(sqlite3.connect(folder / "study.db")) as connection:
        connection.executescript(damage)
        connection.commit()
    with (
        pytest.raises(UserError, match=r"study\.db is corrupt"),
        Study.read(folder) as study,
    ):
        study.records("final")


def test_a_value_that_is_no_json_is_refused_and_nothing_written(folder: Path) -> None:
    with Study.open(folder, SETTINGS, FACTS) as study:
        with pytest.raises(UserError, match=r"final \['c'\] cannot be recorded"):
            study.record("final", "c", {"accuracy": float("nan")})
        assert list(study.records("final")) == ["a", "b"]
