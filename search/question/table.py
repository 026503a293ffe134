"""Frozen dataclasses of numbers and texts as CSV and back: exact, an empty cell for NaN."""

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from search.errors import UserError, shown

Row = TypeVar("Row")
_FIX = "name a table that convbudget question wrote"
# More multiplies than any network has, and exact as a float.
_LARGEST = 10**15

# What a column requires of a value, and the rule in words.
Rule = tuple[Callable[[Any], bool], str]
COUNT: Rule = (lambda n: 1 <= n <= _LARGEST, f"from 1 to {_LARGEST}")
INDEX: Rule = (lambda n: 0 <= n <= _LARGEST, f"from 0 to {_LARGEST}")
SHARE: Rule = (lambda x: 0 <= x <= 1, "from 0 to 1")
SHARE_OR_NONE: Rule = (lambda x: math.isnan(x) or 0 <= x <= 1, "from 0 to 1, or empty")
SIZE: Rule = (lambda x: 0 <= x < math.inf, "0 or more")
SIZE_OR_NONE: Rule = (lambda x: math.isnan(x) or 0 <= x < math.inf, "0 or more, or empty")
TEXT: Rule = (bool, "a text")


def one_of(known: Sequence[str]) -> Rule:
    """Return the rule of a column that has one of some words."""
    return (lambda text: text in known, f"one of {', '.join(known)}")


def to_csv(kind: type[Any], rows: Sequence[object]) -> str:
    """Return rows of a dataclass as CSV with its fields as columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(kind)]
    writer.writerow(names)
    writer.writerows([_written(getattr(row, name)) for name in names] for row in rows)
    return text.getvalue()


def from_csv(kind: type[Row], path: Path, rules: Mapping[str, Rule]) -> list[Row]:
    """Undo `to_csv`, with the default of a field where its column is missing.

    Raises `UserError`, naming line and column, for anything else: a value against the `rules` of
    its column, and a row that is there twice.
    """
    try:
        # As a spreadsheet saves it, with a byte order mark, or not.
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            head = next(lines, [])
            _check_head(kind, head, path)
            rows = [(lines.line_num, cells) for cells in lines if cells]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); {_FIX}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path} cannot be read (it is no CSV in UTF-8); {_FIX}") from None
    found: dict[str, int] = {}
    result = []
    for line, cells in rows:
        where = f"{path}, line {line}"
        if len(cells) != len(head):
            raise UserError(f"{where} has {len(cells)} cells, the first line {len(head)}; {_FIX}")
        row = _row(kind, dict(zip(head, cells, strict=True)), where, rules)
        first = found.setdefault(repr(row), line)
        if first != line:
            raise UserError(f"{where} repeats line {first}; leave one of them out")
        result.append(row)
    return result


def _check_head(kind: type[Any], head: Sequence[str], path: Path) -> None:
    twice = next((name for name, count in Counter(head).items() if count > 1), None)
    if twice is not None:
        raise UserError(f"{path} has two columns {shown(twice, quoted=True)}; leave one out")
    for field in fields(kind):
        if field.name not in head and field.default is MISSING:
            given = shown(", ".join(head), 60)
            raise UserError(
                f"{path} has no column {field.name} in its first line ({given}); columns are"
                f" separated by commas; {_FIX}"
            )


def _row(kind: type[Row], cells: Mapping[str, str], where: str, rules: Mapping[str, Rule]) -> Row:
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        text = cells.get(field.name)
        if text is None:
            continue
        given = f"{where}: {field.name} is {shown(text, quoted=True)}"
        value: Any = text
        try:
            if field.type is bool:
                value = {"0": False, "1": True}[text]
            elif field.type is int:
                value = int(text)
            elif field.type is float:
                value = float(text) if text else math.nan
        except (ValueError, KeyError):
            wanted = "0 or 1" if field.type is bool else "a number"
            wanted = "a whole number" if field.type is int else wanted
            raise UserError(f"{given}; it must be {wanted}") from None
        holds, rule = rules.get(field.name, (None, ""))
        if holds is not None and not holds(value):
            raise UserError(f"{given}; it must be {rule}")
        values[field.name] = value
    return kind(**values)


def _written(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    return "" if isinstance(value, float) and math.isnan(value) else value
