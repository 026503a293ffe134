"""Frozen dataclasses of numbers and texts as CSV and back: exact, an empty cell for NaN."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from search.errors import UserError, shown

Row = TypeVar("Row")
_FIX = "name a table that convbudget question wrote"


def to_csv(kind: type[Any], rows: Sequence[object]) -> str:
    """Return rows of a dataclass as CSV with its fields as columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(kind)]
    writer.writerow(names)
    writer.writerows([_written(getattr(row, name)) for name in names] for row in rows)
    return text.getvalue()


def from_csv(kind: type[Row], path: Path) -> list[Row]:
    """Undo `to_csv`, with the default of a field where its column is missing.

    Raises `UserError`, naming line and column, for anything else.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [*csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({shown(str(error))}); {_FIX}") from None
    return [_row(kind, row, f"{path}, line {line}") for line, row in enumerate(rows, 2)]


def _row(kind: type[Row], cells: dict[str, str], where: str) -> Row:
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        text = cells.get(field.name)
        if text is None and field.default is not MISSING:
            continue
        if text is None:
            raise UserError(f"{where} has no column {field.name}; {_FIX}")
        try:
            if field.type is bool:
                values[field.name] = bool(int(text))
            elif field.type is int:
                values[field.name] = int(text)
            elif field.type is float:
                values[field.name] = float(text) if text else math.nan
            else:
                values[field.name] = text
        except ValueError:
            given = shown(text, quoted=True)
            raise UserError(f"{where}: {field.name} is {given}, not a number; {_FIX}") from None
    return kind(**values)


def _written(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    return "" if isinstance(value, float) and math.isnan(value) else value
