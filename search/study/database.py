"""The SQLite file of a study: every result, transactional, readable while it is written.

A rollback journal and full synchronisation, because home folders on clusters are NFS, where
write-ahead logging is unsafe.
"""

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search.errors import UserError
from search.files import canonical_json, reported
from search.jobs import Candidate, Job, Result
from search.study.trials import Trial

FORMAT = 1
NAME = "study.db"
# Marks the file as ours for `file` and for us: the letters "cvbg".
_APPLICATION = 0x63766267
_META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
_TRIALS = """
    number INTEGER PRIMARY KEY,
    options TEXT NOT NULL,
    epochs INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    value TEXT NOT NULL,
    arch_id TEXT NOT NULL,
    multiplies INTEGER NOT NULL,
    params INTEGER,
    asked_after INTEGER NOT NULL,
    status TEXT NOT NULL,
    accuracy REAL,
    loss REAL,
    seconds REAL NOT NULL,
    error TEXT NOT NULL,
    details TEXT NOT NULL,
    same_as INTEGER
"""
# Trainings again with fresh seeds; the table is made by the first of them.
_AGAIN = "confirmations"
_COLUMNS = (
    "number, options, epochs, seed, value, arch_id, multiplies, params, asked_after, status,"
    " accuracy, loss, seconds, error, details, same_as"
)


class Database:
    """Meta data and trials in one SQLite file, or in memory where `path` is None."""

    def __init__(self, path: Path | None, *, writable: bool = True) -> None:
        self.path = path
        self._shown = str(path) if path else "the study in memory"
        with self._reported():
            self._connection = self._connect(writable)
            if writable and not self._version():
                self._create()
            self._check()

    def meta(self) -> dict[str, Any]:
        """Return all of the meta data."""
        with self._reported():
            rows = self._connection.execute("SELECT key, value FROM meta").fetchall()
        return {key: json.loads(value) for key, value in rows}

    def set_meta(self, values: Mapping[str, Any]) -> None:
        """Write meta data, all of it or, on a failure, none."""
        rows = [(key, canonical_json(value)) for key, value in values.items()]
        with self._reported(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def add(self, trial: Trial) -> None:
        """Write a trial; once this returns it survives a kill and a loss of power."""
        with self._reported(), self._connection:
            self._insert("trials", trial)

    def trials(self) -> list[Trial]:
        """Return all trials by number."""
        with self._reported():
            return self._select("trials")

    def add_confirmation(self, trial: Trial) -> None:
        """Write a training again with a fresh seed, as durably as a trial; numbers count anew."""
        with self._reported(), self._connection:
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {_AGAIN} ({_TRIALS})")
            self._insert(_AGAIN, trial)

    def confirmations(self) -> list[Trial]:
        """Return all trainings with fresh seeds by number."""
        with self._reported():
            query = "SELECT count(*) FROM sqlite_master WHERE name = ?"
            (there,) = self._connection.execute(query, (_AGAIN,)).fetchone()
            return self._select(_AGAIN) if there else []

    def close(self) -> None:
        """Close the file; the object is of no more use."""
        self._connection.close()

    def _insert(self, table: str, trial: Trial) -> None:
        row = _to_row(trial)
        places = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT INTO {table} ({_COLUMNS}) VALUES ({places})", row)

    def _select(self, table: str) -> list[Trial]:
        query = f"SELECT {_COLUMNS} FROM {table} ORDER BY number"
        return [_from_row(row) for row in self._connection.execute(query)]

    def _connect(self, writable: bool) -> sqlite3.Connection:
        if self.path is None:
            return sqlite3.connect(":memory:", check_same_thread=False)
        if not writable and not self.path.exists():
            raise UserError(f"{self.path.parent} is no study: it holds no {NAME}")
        # A reader opens for writing where it may: only then can it roll back what a kill left.
        mode = "rwc" if writable else "rw"
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        try:
            connection = sqlite3.connect(uri, uri=True, timeout=30, check_same_thread=False)
            connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.OperationalError:
            if writable:
                raise
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=30, check_same_thread=False)
        if writable:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=FULL")
        return connection

    def _version(self) -> int:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and not version:
            raise UserError(f"{self._shown} is no study: it is a database of something else")
        return int(version)

    def _create(self) -> None:
        script = (
            f"BEGIN; {_META}; CREATE TABLE trials ({_TRIALS});"
            f" PRAGMA application_id={_APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT;"
        )
        self._connection.executescript(script)

    def _check(self) -> None:
        version = self._version()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        if not version or application != _APPLICATION:
            raise UserError(f"{self._shown} is no study: it was not written by this program")
        if version > FORMAT:
            raise UserError(
                f"{self._shown} has the study format {version}; this version reads up to {FORMAT},"
                " update convbudget"
            )
        (state,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise sqlite3.DatabaseError(state)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            with reported(self.path or Path(self._shown)):
                yield
        except sqlite3.OperationalError as error:
            raise UserError(
                f"{self._shown} cannot be read or written ({error}); what was recorded is kept,"
                " free the disk or the file and give the same command again"
            ) from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{self._shown} is corrupt ({' '.join(str(error).split())}); nothing was changed,"
                " put a copy of it back, or move it away to begin anew"
            ) from error


def _to_row(trial: Trial) -> tuple[Any, ...]:
    job, result = trial.job, trial.result
    return (
        trial.number,
        canonical_json(job.options),
        job.epochs,
        job.seed,
        trial.value,
        trial.arch_id,
        trial.multiplies,
        trial.params,
        trial.asked_after,
        result.status,
        _finite(result.accuracy),
        _finite(result.loss),
        result.seconds,
        result.error,
        canonical_json({key: _finite(value) for key, value in result.details.items()}),
        trial.same_as,
    )


def _from_row(row: tuple[Any, ...]) -> Trial:
    (number, options, epochs, seed, value, arch_id, multiplies, params, asked_after) = row[:9]
    (status, accuracy, loss, seconds, error, details, same_as) = row[9:]
    read = {key: _number(number) for key, number in json.loads(details).items()}
    decided = tuple(json.loads(options))
    return Trial(
        number,
        Job(decided, epochs, seed, Candidate(decided, arch_id, multiplies, params, value)),
        value,
        arch_id,
        multiplies,
        params,
        asked_after,
        Result(_number(accuracy), _number(loss), seconds, status, error, read),
        same_as,
    )


def _finite(value: float) -> float | None:
    # JSON has no infinity, and SQLite turns NaN into NULL by itself.
    return float(value) if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
