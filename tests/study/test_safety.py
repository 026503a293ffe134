"""Nothing unreadable is recorded; no study, not even a stranger's, writes outside its folder."""

import errno
import fcntl
import json
import math
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import search

sys.path.insert(0, str(Path(__file__).parent))
from samples import FACTS, SETTINGS, trial

from search.__main__ import main
from search.errors import UserError
from search.jobs import Job, Options, Result, failed
from search.study.rows import to_row
from search.study.schema import COLUMNS, TRIALS
from search.study.study import Study
from search.study.tables import export, read_front


def test_a_database_of_one_byte_is_not_a_new_study(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    for content in (b"S", b"SQLite format", b"\0" * 600, b"not a database"):
        path.write_bytes(content)
        for use in (lambda: Study.open(tmp_path, SETTINGS, FACTS), lambda: Study.read(tmp_path)):
            with pytest.raises(UserError, match=r"study\.db is (corrupt|not a study)"):
                use()
            assert path.read_bytes() == content


@pytest.mark.parametrize(
    "arch_id", ["../../../ESCAPED/x", "/tmp/x", "ABCDEF012345", "0" * 13, "", 7]
)
def test_an_id_of_a_stranger_never_becomes_a_path(tmp_path: Path, arch_id: object) -> None:
    folder = shutil.copytree(
        Path(__file__).parent / "format1" / "own", tmp_path / "a" / "b" / "own"
    )
    connection = sqlite3.connect(folder / "study.db")
    connection.execute("UPDATE trials SET arch_id = ? WHERE number = 3", (arch_id,))
    connection.commit()
    connection.close()
    for use in (
        lambda: read_front(folder),
        lambda: Study.open(folder, {}, FACTS),
        lambda: search.run(
            space=Sum(), budget=30, evaluator=lambda job: 0.5, study=folder, trials=16, seed=3
        ),
    ):
        with pytest.raises(UserError, match=r"study\.db is corrupt|other settings"):
            use()
    assert not list(tmp_path.rglob("ESCAPED"))
    assert not (folder / "archs").exists()
    content = json.loads((folder / "front.json").read_text())
    content["members"][0]["arch_id"] = arch_id
    (folder / "front.json").write_text(json.dumps(content))
    (folder / "study.db").unlink()
    with pytest.raises(UserError, match=r"front\.json is damaged \(members\[0\]\.arch_id is"):
        search.load(folder)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "value is not JSON"),
        ('{"format":"convbudget-arch/1","blocks":7}', "must be a JSON list"),
        ('{"format":"convbudget-arch/1","blocks":[{}]}', "must be a list of blocks"),
    ],
)
@pytest.mark.parametrize("dominated", [False, True])
def test_a_value_of_a_stranger_is_refused_where_it_is_read(
    tmp_path: Path, value: str, said: str, dominated: bool
) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(trial(0, 0.5))
        healthy = read_front(tmp_path)[1]
        row = list(to_row(trial(1, 0.1 if dominated else 0.9)))
        # With the checksum of what it says, as no damage has it.
        row[COLUMNS.split(", ").index("value")] = value
        with study._database._transaction():
            study._database._insert(TRIALS, tuple(row))
    if dominated:
        assert read_front(tmp_path)[1] == healthy
    else:
        with pytest.raises(UserError, match=rf"study\.db is damaged .*{said}"):
            read_front(tmp_path)
    with Study.read(tmp_path) as study, pytest.raises(UserError, match=rf"is corrupt .*{said}"):
        study.trials()


@pytest.mark.parametrize("name", ["archs", "weights", "study.db", "run.log", ".lock"])
def test_a_study_does_not_write_through_links(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = tmp_path / "study"
    Study.open(folder, SETTINGS, FACTS).close()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside if name in ("archs", "weights") else outside / "file")
    with pytest.raises(UserError, match=f"{name} is a link"):
        Study.open(folder, SETTINGS, FACTS)
    assert not list(outside.iterdir())
    # The study's folder itself may well lie elsewhere.
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()
    Study.open(tmp_path / "link", SETTINGS, FACTS).close()


def test_leftovers_of_a_kill_are_swept_by_the_next_writer(tmp_path: Path) -> None:
    Study.open(tmp_path, SETTINGS, FACTS).close()
    left = [
        tmp_path / ".writing-1",
        tmp_path / "archs/.writing-2",
        tmp_path / "checkpoints/.x.part",
    ]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    Study.read(tmp_path).close()
    assert all(path.exists() for path in left)
    Study.open(tmp_path, SETTINGS, FACTS).close()
    assert not any(path.exists() for path in left)


def test_a_file_system_without_locks_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", absent)
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(trial(0))
        assert "without locks" in study.notes[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"multiplies": 2**63}, "multiplies is 9223372036854775808; it must be an integer from 0"),
        ({"job": Job(("a",), 0, 0)}, "epochs is 0"),
        ({"job": Job(("a",), 1, 2**70)}, "seed is 1180591620717411303424"),
        ({"arch_id": "../x"}, "arch_id is '../x'"),
        ({"result": Result(math.nan)}, "accuracy is None; it must be a finite number"),
        ({"result": Result(0.5, seconds=math.nan)}, "seconds is nan"),
        ({"result": Result(0.5, seconds=-1)}, "seconds is -1.0"),
        ({"result": Result(0.5, details={"x": "y"})}, "must be real number"),
        ({"value": "{"}, "value is not JSON"),
        ({"value": "[NaN]"}, "NaN is not a JSON number"),
    ],
)
def test_what_could_not_be_read_again_is_not_recorded(
    changes: dict[str, object], said: str
) -> None:
    with Study.open(None, SETTINGS, FACTS) as study:
        with pytest.raises(UserError, match=f"trial 0 cannot be recorded: .*{re.escape(said)}"):
            study.add(trial(0, **changes))
        assert study.trials() == []
        study.add(trial(0))


def test_an_error_that_is_not_utf8_is_recorded(tmp_path: Path) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        study.add(trial(0, result=failed(os.fsdecode(b"caf\xe9 is missing"))))
        export(study, study.trials())
    with Study.read(tmp_path) as study:
        assert study.trials()[0].result.error == "caf\\udce9 is missing"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chance": math.nan}, "not JSON compliant"),
        ({"chance": 1.0}, "chance is 1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"low": 20_000}, "a lower bound is above"),
        ({"data": {"classes": ["a"]}}, "data lacks 'name'"),
    ],
)
def test_facts_that_no_reader_would_take_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=f"cannot be recorded: .*{re.escape(said)}"):
        Study.open(None, SETTINGS, replace(FACTS, **changes))


def test_an_interrupt_leaves_no_transaction_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Study.open(tmp_path, SETTINGS, FACTS) as study:

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(study._database, "_insert", interrupted)
            with pytest.raises(KeyboardInterrupt):
                study.add(trial(0))
        assert study.confirmations() == []
        study.add(trial(0))
    with Study.read(tmp_path) as study:
        assert study.trials() == [trial(0)]


def test_a_reader_leaves_the_locks_of_its_process(tmp_path: Path) -> None:
    """A file that is opened and closed drops all locks that its process holds on it."""
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    command = [sys.executable, "-c", code, str(tmp_path / "study.db")]
    with Study.open(tmp_path, SETTINGS, FACTS) as study:
        with study._database._transaction():
            Study.read(tmp_path).close()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "database is locked" in done.stderr
        subprocess.run(command, check=True)


class Sum:
    """One choice, which is its price."""

    def start(self) -> int:
        return 0

    def options(self, position: int, state: int) -> Sequence[int]:
        return range(1, 20) if position == 0 else ()

    def step(self, position: int, state: int, option: int) -> tuple[int, int]:
        return 0, option

    def finish(self, state: int) -> int:
        return 0

    def value(self, options: Options) -> int:
        return int(options[0])


@pytest.mark.parametrize("command", ["front", "compare"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("study.db", b"x" * size) for size in (1, 100, 511, 512, 9000)),
        ("front.json", b'{"format":'),
        ("front.json", b"\xff"),
    ],
)
def test_commands_end_in_one_line_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert main([command, str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert str(tmp_path) in printed.err
