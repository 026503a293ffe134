"""The SQLite file of a study: every result, transactional, readable while it is written.

A rollback journal and full synchronisation, because home folders on clusters are NFS, where
write-ahead logging is unsafe. Format 2 keeps a checksum in every row and, for each table, the
number of its rows and the sum of their checksums, so that changed and lost rows are both found.
Format 1, without those, is read as it is and becomes format 2 when the study goes on.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search.errors import UserError
from search.files import canonical_json
from search.study.checks import Damaged, parsed, string
from search.study.connection import NAME, WRITER, check_token, connect
from search.study.rows import Row, checksum, from_rows, record_text, to_row
from search.study.schema import (
    COLUMNS,
    CONFIRMATIONS,
    FIRST_COLUMNS,
    FIRST_TABLES,
    RECORDS,
    RECORDS_SQL,
    TABLES,
    TRIALS,
    check_schema,
)
from search.study.trials import FORMAT, Trial

__all__ = ["NAME", "Database"]
# Marks the file as ours for `file` and for us: the letters "cvbg".
_APPLICATION = 0x63766267
# Sums of checksums are kept in 32 bits.
_MODULUS = 2**32


class Database:
    """Meta data and trials in one SQLite file, or in memory where `path` is None."""

    def __init__(self, path: Path | None, *, writable: bool = True) -> None:
        self.path = path
        # The token of this process, once it has the right to write; see `claim`.
        self._token: str | None = None
        self._shown = str(path) if path else "the study in memory"
        with self._reported():
            self._connection = connect(self.path, writable=writable)
            try:
                if writable and not self._version():
                    self._create()
                self.format = self._checked_format()
            except BaseException:
                self._connection.close()
                raise

    def meta(self) -> dict[str, Any]:
        """Return all of the meta data."""
        with self._reported(), self._snapshot():
            if self.format == 1:
                query = "SELECT key, value FROM meta"
                pairs = self._connection.execute(query).fetchall()
            else:
                rows = self._connection.execute("SELECT key, value, checksum FROM meta").fetchall()
                pairs = self._verified("meta", rows)
            return {
                string(key, "a key of meta"): parsed(value, f"meta {key!r:.40}")
                for key, value in pairs
            }

    def claim(self, token: str, check: Callable[[], None]) -> None:
        """Let this process alone write from now on: those that could before cannot any more.

        `check` raises where another process has taken the study over since.
        """
        with self._reported(), self._transaction():
            check()
            self._write_meta({WRITER: token})
        self._token = token

    def check_writer(self) -> None:
        """Raise `UserError` where another process has claimed the study since `claim`."""
        if self._token is not None:
            with self._reported():
                check_token(self._connection, self._token, self._shown)

    def counted(self, table: str) -> tuple[int, int]:
        """Return how many rows of a table were written, and the sum of their checksums."""
        query = "SELECT rows, checksum FROM totals WHERE name = ?"
        with self._reported():
            return self._connection.execute(query, (table,)).fetchone() or (0, 0)

    def set_meta(self, values: Mapping[str, Any]) -> None:
        """Write meta data, all of it or, on a failure, none."""
        with self._reported(), self._transaction():
            self._write_meta(values)

    def add(self, trial: Trial, records: Mapping[str, Any] | None = None) -> None:
        """Write a trial; once this returns it survives a kill and a loss of power.

        `records`: JSON values by their kind, written with it under its number.
        """
        self._add(TRIALS, trial, records or {})

    def trials(self, *, values: bool = True) -> list[Trial]:
        """Return all trials by number; `values` as in `from_row`."""
        return self._read(TRIALS, values=values)

    def add_confirmation(self, trial: Trial, records: Mapping[str, Any] | None = None) -> None:
        """Write a training with a fresh seed, as durably as a trial; numbers count from 0 anew."""
        self._add(CONFIRMATIONS, trial, records or {})

    def confirmations(self) -> list[Trial]:
        """Return all trainings with fresh seeds by number."""
        return self._read(CONFIRMATIONS)

    def record(self, kind: str, values: Mapping[str, Any]) -> None:
        """Write JSON values by their keys, in place of earlier ones: all or, on a failure, none."""
        texts = {key: record_text(kind, key, value) for key, value in values.items()}
        with self._reported(), self._transaction():
            self._write_records(kind, texts)

    def record_of(self, kind: str, key: str) -> Any:
        """Return one value, None where there is none."""
        with self._reported(), self._snapshot():
            if self.format == 1 or not self._has_records():
                return None
            query = f"SELECT * FROM {RECORDS} WHERE kind = ? AND key = ?"
            row = self._connection.execute(query, (kind, key)).fetchone()
            if row is None:
                return None
            if checksum(row[:-1]) != row[-1]:
                raise Damaged(f"{kind} {key!r:.40} was changed: its checksum is wrong")
            return parsed(row[2], f"{kind} {key!r:.40}")

    def records(self, kind: str) -> dict[str, Any]:
        """Return all values of one kind by their keys, in the order of the keys."""
        with self._reported(), self._snapshot():
            if self.format == 1:
                return {}
            rows = []
            if self._has_records():
                query = f"SELECT * FROM {RECORDS} WHERE kind = ? ORDER BY key"
                rows = self._connection.execute(query, (kind,)).fetchall()
            return {
                string(key, f"a key of {kind}"): parsed(value, f"{kind} {key!r:.40}")
                for _, key, value in self._verified(_total_of(kind), rows)
            }

    def migrate(self) -> None:
        """Bring a file of format 1 to the present one, in one transaction; rows stay as they are.

        What cannot be read is refused before anything is changed.
        """
        if self.format == FORMAT:
            return
        meta, tables = self.meta(), (TRIALS, CONFIRMATIONS)
        trials = {name: self._read(name) for name in tables}
        with self._reported(), self._transaction():
            for name in FIRST_TABLES:
                self._connection.execute(f"DROP TABLE IF EXISTS {name}")
            self._create_tables()
            self._write_meta(meta)
            for name in tables:
                for trial in trials[name]:
                    self._insert(name, to_row(trial))
        self.format = FORMAT

    def close(self) -> None:
        """Close the file; the object is of no more use."""
        self._connection.close()

    def _add(self, table: str, trial: Trial, records: Mapping[str, Any]) -> None:
        try:
            row = to_row(trial)
        except Damaged as error:
            raise UserError(
                f"trial {trial.number} cannot be recorded: {error}; mend the evaluator or the"
                " strategy that gave it, then the same command goes on"
            ) from None
        key = str(trial.number)
        texts = {kind: record_text(kind, key, value) for kind, value in records.items()}
        with self._reported(), self._transaction():
            self._insert(table, row)
            for kind, text in texts.items():
                self._write_records(kind, {key: text})

    def _insert(self, table: str, row: Row) -> None:
        check = checksum(row)
        places = ", ".join("?" * (len(row) + 1))
        query = f"INSERT INTO {table} ({COLUMNS}, checksum) VALUES ({places})"
        self._connection.execute(query, (*row, check))
        self._add_to_total(table, 1, check)

    def _write_records(self, kind: str, texts: Mapping[str, str]) -> None:
        if not self._has_records():
            self._connection.execute(RECORDS_SQL)
        for key, text in texts.items():
            row = (kind, key, text)
            check, rows = checksum(row), 1
            change = check
            query = f"SELECT checksum FROM {RECORDS} WHERE kind = ? AND key = ?"
            earlier = self._connection.execute(query, (kind, key)).fetchone()
            if earlier is not None:
                rows, change = 0, check - int(earlier[0]) + _MODULUS
            query = f"INSERT OR REPLACE INTO {RECORDS} VALUES (?, ?, ?, ?)"
            self._connection.execute(query, (*row, check))
            self._add_to_total(_total_of(kind), rows, change)

    def _has_records(self) -> bool:
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
        (there,) = self._connection.execute(query, (RECORDS,)).fetchone()
        return bool(there)

    def _add_to_total(self, name: str, rows: int, check: int) -> None:
        self._connection.execute(
            "INSERT INTO totals VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
            f" rows = rows + excluded.rows, checksum = (checksum + excluded.checksum) % {_MODULUS}",
            (name, rows, check),
        )

    def _write_meta(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            pair = (key, canonical_json(value))
            query = "INSERT OR REPLACE INTO meta VALUES (?, ?, ?)"
            self._connection.execute(query, (*pair, checksum(pair)))
        self._connection.execute(
            "INSERT OR REPLACE INTO totals"
            f" SELECT 'meta', count(*), coalesce(sum(checksum), 0) % {_MODULUS} FROM meta"
        )

    def _read(self, table: str, *, values: bool = True) -> list[Trial]:
        with self._reported(), self._snapshot():
            if self.format == 1:
                rows = self._first_rows(table)
            else:
                query = f"SELECT {COLUMNS}, checksum FROM {table} ORDER BY number"
                rows = self._verified(table, self._connection.execute(query).fetchall())
            return from_rows(table, rows, values=values)

    def _first_rows(self, table: str) -> list[Row]:
        """Return the rows of format 1, whose table of confirmations came with the first of them."""
        query = "SELECT count(*) FROM sqlite_master WHERE name = ?"
        (there,) = self._connection.execute(query, (table,)).fetchone()
        query = f"SELECT {FIRST_COLUMNS}, '{{}}', 1 FROM {table} ORDER BY number"
        return self._connection.execute(query).fetchall() if there else []

    def _verified(self, table: str, rows: list[Row]) -> list[Row]:
        """Return the rows without their checksums, which must be right, and no row missing."""
        expected = self.counted(table)
        total = 0
        for row in rows:
            found = checksum(row[:-1])
            total += found
            if found != row[-1]:
                raise Damaged(f"row {row[0]!r:.40} of {table} was changed: its checksum is wrong")
        if (len(rows), total % _MODULUS) != expected:
            raise Damaged(
                f"{table} holds {len(rows)} rows where {expected[0]!r:.40} were written, or others"
            )
        return [row[:-1] for row in rows]

    def _version(self) -> int:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and not version:
            raise UserError(f"{self._shown} is not a study: it is a database of something else")
        return int(version)

    def _create(self) -> None:
        with self._transaction():
            self._create_tables()

    def _create_tables(self) -> None:
        for statement in TABLES.values():
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id={_APPLICATION}")
        self._connection.execute(f"PRAGMA user_version={FORMAT}")

    def _checked_format(self) -> int:
        version = self._version()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        if not version or application != _APPLICATION:
            raise UserError(f"{self._shown} is not a study: it was not written by this program")
        if not 1 <= version <= FORMAT:
            raise UserError(
                f"{self._shown} has the study format {version}; this version reads up to {FORMAT},"
                " update convbudget"
            )
        query = "SELECT type, name, sql FROM sqlite_master"
        check_schema(version, self._connection.execute(query).fetchall())
        state = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if state != ("ok",):
            raise sqlite3.DatabaseError(str(state[0]) if state else "no answer to quick_check")
        return version

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Read rows and totals in one transaction, while another process may write."""
        try:
            self._connection.execute("BEGIN")
            yield
        finally:
            self._connection.rollback()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # Begun inside: an interrupt at any moment must leave no transaction open.
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self.check_writer()
            yield

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            raise UserError(
                f"{self._shown} cannot be read or written ({_line(error)}); what was recorded is"
                " kept, free the disk or the file and give the same command again"
            ) from error
        # UnicodeError: a name in the schema; OverflowError: a text beyond SQLite's limits.
        except (sqlite3.Error, Damaged, UnicodeError, OverflowError) as error:
            raise UserError(
                f"{self._shown} is corrupt ({_line(error)}); nothing was changed, put a copy of it"
                " back, or move it away to begin anew"
            ) from error


def _total_of(kind: str) -> str:
    """Return the name under which the records of one kind are counted."""
    return f"{RECORDS}/{kind}"


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:199]}…"
