"""Opening the SQLite file of a study, which may be a stranger's, a link, or no database at all."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from search.errors import UserError

NAME = "study.db"
# The key of the token in `meta`: who may write, see `search.study.hold`.
WRITER = "writer"
# Bytes of SQLite's smallest page: no database is shorter.
_SMALLEST = 512


def connect(path: Path | None, *, writable: bool) -> sqlite3.Connection:
    """Open the file, or a database in memory where `path` is None; made if `writable`.

    Raises `UserError` where a reader finds none, `sqlite3.Error` and `OSError` for the rest.
    """
    if path is None:
        return _configured(sqlite3.connect(":memory:", check_same_thread=False))
    if not writable and not path.exists():
        raise UserError(f"{path.parent} is not a study: it holds no {NAME}")
    # A reader opens for writing where it may: only then can it roll back what a kill left.
    # Never through a link, which could lead anywhere.
    linked = path.is_symlink()
    mode = "rwc" if writable else "ro" if linked else "rw"
    try:
        connection = _opened(path, mode)
    except sqlite3.OperationalError:
        if writable:
            raise
        connection = _opened(path, "ro")
    if writable:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA synchronous=FULL")
    return connection


def token_in(connection: sqlite3.Connection) -> str | None:
    """Return the token of the process that may write; None where none was ever put there."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (WRITER,)).fetchone()
    return None if row is None else str(json.loads(row[0]))


def check_token(connection: sqlite3.Connection, token: str, shown: str) -> None:
    """Raise `UserError` where another process took over the study, `shown`, from `token`'s."""
    if token_in(connection) != token:
        raise UserError(
            f"{shown} was taken over by another process while this one was silent; what this one"
            " recorded before is kept, and it writes no more: give the same command with join=true"
            " to train for the other"
        )


def writer_of(path: Path) -> str | None:
    """Return that token of a study that this process need not have open; None if it has none."""
    try:
        with closing(connect(path, writable=False)) as connection:
            return token_in(connection)
    except (sqlite3.Error, OSError, UserError, ValueError):
        return None


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=30, check_same_thread=False)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
        # SQLite takes a file of one byte for a new database. The file is not opened to look:
        # closing it would drop the locks of this process's other connections to it.
        if 0 < path.stat().st_size < _SMALLEST:
            raise sqlite3.DatabaseError("file is not a database")
    except BaseException:
        connection.close()
        raise
    return _configured(connection)


def _configured(connection: sqlite3.Connection) -> sqlite3.Connection:
    # Transactions are begun by hand: reads are to be consistent too.
    connection.isolation_level = None
    # The file may be a stranger's.
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    return connection
