"""The study's folder and file: what it keeps, what it refuses, and what it says then."""

import csv
import errno
import json
import math
import os
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from samples import FACTS, SETTINGS, trial

from search.errors import UserError
from search.files import write
from search.jobs import Job, Result, failed
from search.study.database import FORMAT
from search.study.study import Study, check_name, locate
from search.study.tables import FRONT_COLUMNS, export, read_front
from search.study.trials import front_entries, op_mix


def test_trials_come_back_as_they_were(tmp_path: Path) -> None:
    trials = [
        trial(0),
        trial(1, result=failed("loss is NaN")),
        trial(2, params=42, same_as=0, value='"\\u00e9"'),
    ]
    with Study.open(tmp_path / "s", SETTINGS, FACTS) as study:
        for one in trials:
            study.add(one)
    with Study.open(tmp_path / "s", SETTINGS, FACTS) as study:
        read = study.trials()
        assert study.info == FACTS
        assert study.settings == SETTINGS
    assert [read[0], read[2]] == [trials[0], trials[2]]
    assert read[1].result.error == "loss is NaN"
    assert math.isnan(read[1].result.accuracy)


def test_the_journal_rolls_back(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS):
        connection = sqlite3.connect(tmp_path / "study.db")
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        connection.close()


def test_other_settings_are_refused_with_the_difference(tmp_path: Path) -> None:
    Study.open(tmp_path, SETTINGS, FACTS).close()
    changed = {"seed": 1, "data": {"name": "digits", "sizes": [1, 3]}}
    with pytest.raises(UserError, match=r"data.sizes \[1, 2\] -> \[1, 3\], seed 0 -> 1"):
        Study.open(tmp_path, changed, FACTS)


def test_two_writers_are_refused_and_readers_are_not(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        with pytest.raises(UserError, match=f"written by process {os.getpid()}"):
            Study.open(tmp_path, SETTINGS, FACTS)
        study.add(trial(0))
        with Study.read(tmp_path) as reader:
            assert reader.trials() == [trial(0)]
    Study.open(tmp_path, SETTINGS, FACTS).close()


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match=r"is not a study: it holds 'thesis.tex'"):
        Study.open(tmp_path, SETTINGS, FACTS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UserError, match="is not a study"):
        Study.read(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        Study.open(tmp_path / "thesis.tex", SETTINGS, FACTS)
    with pytest.raises(UserError, match="is not the folder"):
        locate(tmp_path / "nowhere")


def test_a_start_killed_early_is_no_hindrance(tmp_path: Path) -> None:
    for name in (".lock", "study.db", "run.log", ".writing-0123"):
        (tmp_path / name).touch()
    Study.open(tmp_path, SETTINGS, FACTS).close()
    (tmp_path / "study.db").unlink()
    sqlite3.connect(tmp_path / "study.db").close()
    with pytest.raises(UserError, match=r"not a study|never started"):
        Study.read(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    Study.open(tmp_path, SETTINGS, FACTS).close()
    connection = sqlite3.connect(tmp_path / "study.db")
    connection.execute(f"PRAGMA user_version={FORMAT + 1}")
    connection.close()
    for use in (lambda: Study.open(tmp_path, SETTINGS, FACTS), lambda: Study.read(tmp_path)):
        with pytest.raises(UserError, match=f"study format {FORMAT + 1}; .* up to {FORMAT}"):
            use()


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "study.db")
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(UserError, match="something else"):
        Study.open(tmp_path, SETTINGS, FACTS)


@pytest.mark.parametrize("at", [0, 5000])
def test_a_corrupt_file_is_named_and_kept(tmp_path: Path, at: int) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        for number in range(200):
            study.add(trial(number))
    path = tmp_path / "study.db"
    content = bytearray(path.read_bytes())
    content[at : at + 3000] = b"\xff" * 3000
    path.write_bytes(content)
    for use in (lambda: Study.open(tmp_path, SETTINGS, FACTS), lambda: Study.read(tmp_path)):
        with pytest.raises(UserError, match=r"study\.db is corrupt") as caught:
            use()
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x y", "a" * 300])
def test_a_name_must_be_one_folder(name: str) -> None:
    with pytest.raises(UserError, match="cannot name a folder"):
        check_name(name)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        Study.open(tmp_path / "file" / "s", SETTINGS, FACTS)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "front.csv"
    write(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_under_sqlite_is_said(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        # SQLite's own way to run out of room.
        connection = study._database._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

        def fill() -> None:
            for number in range(1000):
                study.add(trial(number))

        with pytest.raises(UserError, match="disk is full"):
            fill()
        kept = study.trials()
        assert kept == [trial(number) for number in range(len(kept))]


def test_tables_hold_the_contract(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        for one in (
            trial(0, 0.5),
            trial(1, 0.4),
            trial(2, 0.9),
            trial(3, result=failed("NaN")),
            trial(4, 0.99, job=Job(("conv", 4), epochs=2)),
        ):
            study.add(one)
        export(study, study.trials())
    rows = list(csv.reader((tmp_path / "front.csv").read_text().splitlines()))
    promised = "arch_id, multiplies, params, accuracy, accuracy_std, seeds, epochs, seed, status"
    assert rows[0] == list(FRONT_COLUMNS)
    assert rows[0][:9] == promised.split(", ")
    assert [row[1] for row in rows[1:]] == ["1000", "1002"]
    trials = list(csv.reader((tmp_path / "trials.csv").read_text().splitlines()))
    assert trials[0][:9] == promised.split(", ")
    assert len(trials) == 6
    assert trials[4][3] == ""
    assert {path.stem for path in (tmp_path / "archs").iterdir()} == {r[0] for r in trials[1:]}
    content, found = read_front(tmp_path)
    assert content["facts"]["within"] == FACTS.within
    assert content["hypervolume"] == pytest.approx(0.444, abs=0.01)
    (tmp_path / "study.db").unlink()
    assert [repr(row) for row in read_front(tmp_path)[1]] == [repr(row) for row in found]


def test_seeds_of_one_architecture_become_a_mean() -> None:
    first, second = trial(0, 0.6), replace(trial(0, 0.8), job=Job(("conv", 0), 8, 1))
    (row,) = front_entries([second, first], epochs=8)
    assert (row.accuracy, row.seeds, row.seed) == (pytest.approx(0.7), 2, 0)
    assert row.accuracy_std == pytest.approx(0.1414, abs=1e-3)


def test_balanced_accuracy_is_in_every_table_where_it_was_measured(tmp_path: Path) -> None:
    results = [Result(0.9, details={"balanced_accuracy": 0.8}), Result(0.7)]
    with Study.open(tmp_path / "study", {}, FACTS) as study:
        for number, result in enumerate(results):
            study.add(
                trial(number, result=result, arch_id=f"{number:012x}", multiplies=2000 - number)
            )
        export(study, study.trials())
        folder = tmp_path / "study"
        for name, said in (("trials.csv", ["0.8", ""]), ("front.csv", ["", "0.8"])):
            rows = list(csv.DictReader((folder / name).read_text().splitlines()))
            assert [row["balanced_accuracy"] for row in rows] == said
    _, found = read_front(folder)
    assert found[1].balanced_accuracy == 0.8
    assert math.isnan(found[0].balanced_accuracy)


def test_op_mix_counts_blocks_of_archs_alone() -> None:
    arch = {"format": "convbudget-arch/1", "blocks": [{"op": "conv"}, {"op": "inverted"}] * 2}
    assert op_mix(json.dumps(arch)) == "2 conv + 2 inverted"
    assert op_mix("[1, 2]") == ""


def test_ten_thousand_trials_are_read_fast(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        rows = [trial(n, (n % 997) / 1000) for n in range(10_000)]
        connection = study._database._connection
        connection.execute("PRAGMA synchronous=OFF")
        for row in rows:
            study.add(row)
    start = time.process_time()
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        assert len(study.trials()) == 10_000
    assert time.process_time() - start < 1
