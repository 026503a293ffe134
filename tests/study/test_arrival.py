"""Where trials ran and when they were told: kept with them, shown in tables, checked."""

import csv
import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from search.errors import UserError
from search.jobs import Result
from search.report.content.front import front_page
from search.study.arrival import Arrival
from search.study.study import Study
from search.study.tables import export, read_front
from search.study.trials import Trial

sys.path.insert(0, str(Path(__file__).parent))
from samples import FACTS, SETTINGS, trial

CPU = {"platform": "cpu", "device_kind": "cpu", "precision": "float32", "cores": "2"}
GPU = {**CPU, "platform": "gpu", "device_kind": "NVIDIA H200"}


def ran(number: int, worker: str, computed: dict[str, str] | None = None) -> Trial:
    one = trial(number)
    return replace(one, result=replace(one.result, worker=worker, computed=computed))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    better = ran(1, "node3:0", CPU)
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(replace(better, result=replace(better.result, accuracy=0.75)), Arrival(0, 3))
        study.add(ran(0, "node3:1", CPU), Arrival(1, 4, True))
        study.add(trial(2))
        study.add_confirmation(ran(0, "node4:0", CPU))
        export(study, study.trials())
    return tmp_path


@pytest.mark.parametrize("again", [True, False])
def test_workers_and_arrivals_are_read_back(folder: Path, again: bool) -> None:
    with Study.open(folder, SETTINGS, FACTS) if again else Study.read(folder) as study:
        trials = study.trials()
        assert [one.result.worker for one in trials] == ["node3:1", "node3:0", ""]
        assert [one.computed for one in trials] == [CPU, CPU, {}]
        assert {one.result.computed for one in trials} == {None}
        assert study.arrivals() == {1: Arrival(0, 3), 0: Arrival(1, 4, True)}
        assert [one.result.worker for one in study.confirmations()] == ["node4:0"]


def test_tables_and_page_say_where_trials_ran(folder: Path) -> None:
    with (folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]][-1] == "worker"
    assert [row["worker"] for row in rows] == ["node3:1", "node3:0", ""]
    with (folder / "confirmations.csv").open() as file:
        assert [row["worker"] for row in csv.DictReader(file)] == ["node4:0"]
    with Study.read(folder) as study:
        content, found = read_front(folder)
        page = front_page(study)
    named = {row["trial"]: row.get("worker") for row in content["members"]}
    workers = {1: "node3:0", 0: "node3:1"}
    assert named == workers
    assert [row.worker for row in found] == [named[row.trial] or "" for row in found]
    assert page.trials.worker == workers
    assert ("2 workers", "node3:0 (1 trial), node3:1 (1 trial)") in page.provenance.platform
    (folder / "study.db").unlink()
    # Not compared whole: NaN differs from itself once it was read.
    again, rows = read_front(folder)
    assert (again, [row.worker for row in rows]) == (content, [row.worker for row in found])


def test_a_result_that_is_taken_over_ran_where_the_first_did(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(ran(0, "a:0", CPU))
        study.add(replace(ran(1, "a:0", None), same_as=0))
        assert [(one.result.worker, one.computed) for one in study.trials()] == [("a:0", CPU)] * 2


def test_a_worker_on_another_platform_is_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(ran(0, "a:0", CPU))
        with pytest.raises(UserError, match=r"worker b:0 computes on something else: .*cpu -> gpu"):
            study.add(ran(1, "b:0", GPU))
        study.add(ran(1, "c:0", {**CPU, "cores": "8"}))
        assert len(study.trials()) == 2
        (note,) = study.notes
        assert "cores 2 -> 8" in note
    with Study.open(tmp_path, SETTINGS, FACTS, allow_mixed=True) as study:
        study.add(ran(2, "b:0", GPU))
        assert [one.computed["platform"] for one in study.trials()] == ["cpu", "cpu", "gpu"]


@pytest.mark.parametrize(
    "value", ['{"asked":3}', '{"asked":0,"place":0}', '{"asked":3,"exhausted":1,"place":0}', "[]"]
)
def test_a_damaged_arrival_is_found(folder: Path, value: str) -> None:
    with Study.open(folder, SETTINGS, FACTS) as study:
        study._database.record("arrival", {"1": json.loads(value)})
        with pytest.raises(UserError, match="arrival 1"):
            study.arrivals()


def test_a_changed_worker_is_found(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "study.db")) as connection:
        connection.execute("UPDATE records SET value = '\"elsewhere\"' WHERE kind = 'worker'")
        connection.commit()
    with pytest.raises(UserError, match="checksum"), Study.open(folder, SETTINGS, FACTS):
        pass


def test_results_compare_equal_wherever_they_were_computed() -> None:
    assert Result(0.5, worker="a:0", computed=CPU) == Result(0.5)
