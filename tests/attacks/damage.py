"""Damaged files: flipped bits, cut ends, swapped bytes and edited values, each from a seed.

Every attack yields the path that was damaged. A reader must then either give what it gave before,
or raise one `UserError` that names the file.
"""

import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from search.errors import UserError

# What stands in for any value: other types, ends of ranges, names that lead elsewhere.
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**62,
    10**400,
    1.5,
    -0.5,
    1e308,
    "",
    "../../escaped/x",
    "ok",
    "0123456789ab",
    "é\n\x1b[2J",
    [],
    [[]],
    {},
    {"format": "convbudget-arch/1"},
    {"format": "convbudget-arch/1", "blocks": [{"op": []}]},
)
CELLS: tuple[Any, ...] = (
    *(
        value
        for value in VALUES
        if type(value) in (int, float, str, type(None)) and value != 10**400
    ),
    b"\xff\xfe",
    "[" * 3000 + "]" * 3000,
    "NaN",
    "[NaN]",
    "{}",
    '["a",[1]]',
    '{"a":"b"}',
    '{"format":"convbudget-arch/1","blocks":7}',
    "9" * 5000,
    9.9e307,
    -(2**63),
)


def flip(path: Path, rng: random.Random) -> None:
    """Flip one bit."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    """Cut the end off, down to nothing or to a single byte."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.choice((0, 1, rng.randrange(len(content))))])


def overwrite(path: Path, rng: random.Random) -> None:
    """Replace a stretch by zeros, by ones or by noise."""
    content = bytearray(path.read_bytes())
    size = min(len(content), rng.choice((1, 16, 512, 4096)))
    start = rng.randrange(len(content) - size + 1)
    content[start : start + size] = rng.choice((b"\0" * size, b"\xff" * size, rng.randbytes(size)))
    path.write_bytes(content)


def insert(path: Path, rng: random.Random) -> None:
    """Insert bytes, or repeat a stretch."""
    content = path.read_bytes()
    at = rng.randrange(len(content) + 1)
    more = rng.choice((b"\xff", b"[" * 3000, b"9" * 5000, b"NaN", content[at : at + 100]))
    path.write_bytes(content[:at] + more + content[at:])


def edit_json(path: Path, rng: random.Random) -> None:
    """Replace, remove or add one value anywhere in a JSON file."""
    content = json.loads(path.read_text())
    places = list(_containers(content))
    where = rng.choice(places)
    key = rng.choice(list(where) if isinstance(where, dict) else range(len(where)))
    if rng.random() < 0.2:
        del where[key]
    elif rng.random() < 0.1 and isinstance(where, dict):
        where[f"{key} "] = rng.choice(VALUES)
    else:
        where[key] = rng.choice(VALUES)
    path.write_text(json.dumps(content))


def edit_cell(path: Path, rng: random.Random) -> None:
    """Replace one cell of a database, drop a row or a table, or change what the file says it is."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            )
        ]
        table = rng.choice(tables)
        kind = rng.random()
        if kind < 0.05:
            statement = rng.choice(
                (
                    f"DROP TABLE {table}",
                    f"ALTER TABLE {table} ADD COLUMN more",
                    "PRAGMA user_version = 7",
                    "PRAGMA application_id = 7",
                    f"CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END",
                )
            )
            connection.execute(statement)
        elif kind < 0.15:
            connection.execute(f"DELETE FROM {table} WHERE rowid = 1 + abs(random()) % 3")
        else:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            column, at = rng.choice(columns), rng.randrange(max(1, rows))
            query = (
                f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid ="
                f" (SELECT rowid FROM {table} LIMIT 1 OFFSET {at})"
            )
            try:
                connection.execute(query, (rng.choice(CELLS),))
            except sqlite3.Error:
                # NOT NULL, or a type that the column refuses: no damage was done.
                connection.rollback()
        connection.commit()


def edit_weights(path: Path, rng: random.Random) -> None:
    """Write the arrays again: one missing, added, renamed, reshaped, of another type, or text."""
    with safe_open(path, framework="np") as file:
        metadata = dict(file.metadata())
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # Without it, as in files of the first version, shapes and types must be found wrong alone.
    metadata.pop("checksum", None)
    name = rng.choice(sorted(arrays))
    kind = rng.randrange(7)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[f"{name}.more"] = arrays[name]
    elif kind == 2:
        arrays[f"{name}x"] = arrays.pop(name)
    elif kind == 3:
        arrays[name] = np.concatenate([arrays[name].reshape(-1), np.zeros(1, np.float32)])
    elif kind == 4:
        arrays[name] = arrays[name].astype(rng.choice((np.float16, np.float64, np.int32)))
    elif kind == 5:
        del metadata[rng.choice(("format", "arch", "data", "accuracy", "multiplies"))]
    else:
        key = rng.choice(("format", "arch", "data", "accuracy", "multiplies"))
        metadata[key] = rng.choice([text for text in CELLS if isinstance(text, str)])
    path.write_bytes(save(arrays, metadata))


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


BYTES = (flip, cut, overwrite, insert)


def attack(
    healthy: Path,
    name: str,
    ways: tuple[Callable[[Path, random.Random], None], ...],
    read: Callable[[Path], object],
    folder: Path,
    count: int,
    seed: int,
    *,
    exact: bool = True,
) -> Counter[str]:
    """Damage the file `name` of the folder `healthy`, `count` times, and `read` a copy each time.

    `read` is given the damaged folder. Returns how many copies read as before, how many as
    something else, and how many were refused. Raises `AssertionError` for another exception, a
    message of several lines or one that does not name the file and, where `exact`, for a content
    that is neither refused nor what it was: such files carry checksums.
    """
    expected = read(healthy)
    damaged = folder / "victim"
    outcomes: Counter[str] = Counter()
    for number in range(count):
        rng = random.Random(f"{seed} {name} {number}")
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(healthy, damaged)
        way = ways[number % len(ways)]
        way(damaged / name, rng)
        case = f"{name}, {way.__name__}, seed {seed}, number {number}"
        try:
            found = read(damaged)
        except UserError as error:
            text = str(error)
            assert "\n" not in text, f"{case}: several lines"
            assert len(text) < 1000, f"{case}: {len(text)} characters"
            assert Path(name).name in text or damaged.name in text, f"{case}: {text}"
            outcomes["refused"] += 1
        except Exception as error:
            raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error
        else:
            same = found == expected
            assert same or not exact, f"{case}: read as something else"
            outcomes["unchanged" if same else "changed"] += 1
    return outcomes
