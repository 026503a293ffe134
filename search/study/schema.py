"""The tables of a study's file in both formats, and a check that a file has them."""

from collections.abc import Iterable

from search.study.checks import Damaged

# Columns of format 1; SQL that makes them stands in old files and must not change.
_FIRST_SCHEMA = """
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
# `computed`: what the result was computed on; `format`: that of the study when the row was first
# written; `checksum`: CRC-32 of all other cells.
_SCHEMA = f"""{_FIRST_SCHEMA.rstrip()},
    computed TEXT NOT NULL,
    format INTEGER NOT NULL,
    checksum INTEGER NOT NULL
"""
FIRST_COLUMNS = (
    "number, options, epochs, seed, value, arch_id, multiplies, params, asked_after, status,"
    " accuracy, loss, seconds, error, details, same_as"
)
COLUMNS = f"{FIRST_COLUMNS}, computed, format"
# The tables of trials; `confirmations` holds trainings with fresh seeds, numbered on their own.
TRIALS, CONFIRMATIONS = "trials", "confirmations"
_META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL)"
# For each table the number of its rows and the sum of their checksums.
_TOTALS = (
    "CREATE TABLE totals (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, checksum INTEGER NOT NULL)"
)
# What belongs to a study beside its trials, by kind and key; made with the first of them.
RECORDS = "records"
RECORDS_SQL = (
    f"CREATE TABLE {RECORDS} (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " checksum INTEGER NOT NULL, PRIMARY KEY (kind, key))"
)
FIRST_TABLES = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    **{name: f"CREATE TABLE {name} ({_FIRST_SCHEMA})" for name in (TRIALS, CONFIRMATIONS)},
}
TABLES = {
    "meta": _META,
    "totals": _TOTALS,
    **{name: f"CREATE TABLE {name} ({_SCHEMA})" for name in (TRIALS, CONFIRMATIONS)},
}


def check_schema(version: int, entries: Iterable[tuple[str, str, str | None]]) -> None:
    """Raise `Damaged` for tables of another definition, and for triggers.

    `entries` are type, name and SQL from `sqlite_master`. A trigger, in a stranger's file, would
    run inside our writes. Other tables and views are ignored.
    """
    found = {(kind, name): sql for kind, name, sql in entries}
    for name, statement in (FIRST_TABLES if version == 1 else TABLES).items():
        absent = version == 1 and name == CONFIRMATIONS and ("table", name) not in found
        if not absent and found.get(("table", name)) != statement:
            raise Damaged(f"its table {name} is not that of study format {version}")
    if found.get(("table", RECORDS), RECORDS_SQL) != RECORDS_SQL:
        raise Damaged(f"its table {RECORDS} is not that of study format {version}")
    if any(kind == "trigger" for kind, _ in found):
        raise Damaged("it holds a trigger, which no study does")
