"""One trial as a row of the study's file, and back: every cell is checked, in both directions."""

import gc
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast, get_args

from search.errors import UserError
from search.files import canonical_json
from search.jobs import Candidate, Option, Result, Status
from search.networks.arch import id_of
from search.study.checks import (
    LARGEST,
    Damaged,
    choice,
    identifier,
    integer,
    mapping,
    number,
    number_or_nan,
    parsed,
    refusal,
    sequence,
    string,
)
from search.study.trials import FORMAT, Trial, check_value

_STATUSES = get_args(Status)

Row = tuple[Any, ...]


def checksum(row: Row) -> int:
    """Return the CRC-32 of a row's cells, which finds any flipped bit."""
    try:
        return zlib.crc32(canonical_json(row).encode())
    except (TypeError, ValueError, RecursionError):
        raise Damaged("a cell is neither a number nor text") from None


def to_row(trial: Trial) -> Row:
    """Return the cells of a trial in the order of `schema.COLUMNS`.

    Raises `Damaged` for a trial that `from_row` would refuse: nothing unreadable is stored.
    """
    job, result = trial.job, trial.result
    try:
        row = (
            int(trial.number),
            canonical_json(job.options),
            int(job.epochs),
            int(job.seed),
            trial.value,
            trial.arch_id,
            int(trial.multiplies),
            None if trial.params is None else int(trial.params),
            int(trial.asked_after),
            result.status,
            _finite(result.accuracy),
            _finite(result.loss),
            float(result.seconds),
            # File names in it need not be UTF-8.
            result.error.encode(errors="backslashreplace").decode(),
            canonical_json({key: _finite(value) for key, value in result.details.items()}),
            trial.same_as,
            canonical_json(trial.computed),
            trial.format,
        )
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise Damaged(" ".join(str(error).split())) from None
    from_row(row)
    return row


def from_row(row: Row, *, values: bool = True) -> Trial:
    """Return the trial of a row of `schema.COLUMNS`; raises `Damaged` for a cell that is wrong.

    Without `values` what the encoding stands for is taken as it was written, which is checked where
    it is read: of 10,000 trials a front reads a few.

    The text of a value is returned in canonical JSON, which format 1 did not store for values
    with letters beyond ASCII, though its ids were made from it.
    """
    (at, options, epochs, seed, value, arch_id, multiplies, params, asked_after) = row[:9]
    (status, accuracy, loss, seconds, error, details, same_as, computed, version) = row[9:]
    succeeded = choice(status, "status", _STATUSES) == "ok"
    text = value_text(value) if values or version == 1 else _as_written(value)
    # Rows of format 1 came without a checksum, but an id is a checksum of the value.
    if version == 1 and id_of(text) != arch_id:
        raise refusal(arch_id, "arch_id", "must be the id of its value")
    result = Result(
        number(accuracy, "accuracy") if succeeded else number_or_nan(accuracy, "accuracy"),
        number_or_nan(loss, "loss"),
        number(seconds, "seconds", 0),
        cast(Status, status),
        string(error, "error"),
        {
            key: number_or_nan(one, f"details.{key:.40}")
            for key, one in mapping(parsed(details, "details"), "details").items()
        },
    )
    found = Candidate(
        options_of(sequence(parsed(options, "options"), "options")),
        identifier(arch_id, "arch_id"),
        integer(multiplies, "multiplies"),
        None if params is None else integer(params, "params"),
        text,
    )
    return Trial(
        integer(at, "number"),
        found.job(integer(epochs, "epochs", 1), integer(seed, "seed", -LARGEST)),
        found.text,
        found.id,
        found.multiplies,
        found.params,
        integer(asked_after, "asked_after"),
        result,
        None if same_as is None else integer(same_as, "same_as"),
        _computed(computed),
        integer(version, "format", 1, FORMAT),
    )


def from_rows(table: str, rows: Iterable[Row], *, values: bool = True) -> list[Trial]:
    """Return the trials of a table's rows, as `from_row` does, which `Damaged` names."""
    # Many objects are made and none becomes garbage: collecting meanwhile is a fifth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return [_placed(table, row, values) for row in rows]
    finally:
        if collecting:
            gc.enable()


def _placed(table: str, row: Row, values: bool) -> Trial:
    try:
        return from_row(row, values=values)
    except Damaged as error:
        raise Damaged(f"row {row[0]!r:.40} of {table}: {error}") from None


def record_text(kind: str, key: str, value: Any) -> str:
    """Return the cell of a record's value; raises `UserError` for what JSON cannot express."""
    try:
        return canonical_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{kind} {[key]!r:.80} cannot be recorded: {error}") from None


def options_of(values: list[Any]) -> tuple[Option, ...]:
    """Return `values` if each is one decision of an encoding."""
    # All types at once: a study of 10,000 trials has a quarter of a million decisions.
    if not {*map(type, values)} <= {str, int}:
        wrong = next(one for one in values if type(one) not in (str, int))
        raise refusal(wrong, "options", "may hold text and integers only")
    return tuple(values)


def value_text(text: object) -> str:
    """Return the canonical JSON of what an encoding stands for, from stored JSON."""
    value = parsed(text, "value")
    check_value(value)
    text = string(text, "value")
    # Not sorted again: the keys of a user's mapping may have been numbers, sorted as such.
    return text if _canonical(text) else _plain(value)


def _as_written(value: object) -> str:
    """Return what `value_text` does of text that this program wrote, without reading it."""
    text = string(value, "value")
    return text if _canonical(text) else value_text(text)


def _canonical(text: str) -> bool:
    return text.isascii() and "\x7f" not in text


def _plain(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


@lru_cache(maxsize=64)
def _computed(text: object) -> Mapping[str, str]:
    found = mapping(parsed(text, "computed"), "computed")
    return {key: string(value, f"computed.{key:.40}") for key, value in found.items()}


def _finite(value: float) -> float | None:
    # JSON has no infinity, and SQLite turns NaN into NULL by itself.
    return float(value) if math.isfinite(value) else None
