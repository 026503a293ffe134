"""Checks of values read from a file, before the rest of the program sees them."""

import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from search.errors import UserError
from search.files import canonical_json

# Integers that SQLite can store.
LARGEST = 2**63 - 1
_ID = re.compile(r"[0-9a-f]{12}")
_SHOWN = 60
# Bytes of the largest file that is read as one JSON object: no value of a study is as long.
_LARGEST_FILE = 2**24
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Damaged(ValueError):
    """Content that breaks a rule; the message names the place in the file, the value, the rule."""


@contextmanager
def reading(path: Path, fix: str) -> Iterator[None]:
    """Turn exceptions of reading the content of `path` into a `UserError` of one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); {fix}") from None
    except (Damaged, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({' '.join(str(error).split())}); {fix}") from None


def parsed(text: object, where: str) -> Any:
    """Return the value of JSON text; NaN and infinities, which are not JSON, are refused."""
    if type(text) is not str:
        raise refusal(text, where, "must be JSON text")
    try:
        return _decode(text)
    except RecursionError:
        raise Damaged(f"{where} is nested too deeply") from None
    # Also for integers of thousands of digits.
    except ValueError as error:
        raise Damaged(f"{where} is not JSON: {error}") from None


def as_read(value: object) -> Any:
    """Return a JSON value as it is after it was written and read."""
    return parsed(canonical_json(value), "settings")


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object that a file holds, None where there is no such file.

    Never through a link. Raises `Damaged` for anything else, and `OSError`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_FILE:
            raise Damaged(f"it is not a file of at most {_LARGEST_FILE} bytes")
        content = file.read()
    try:
        return mapping(parsed(content.decode(), "the file"), "the file")
    except UnicodeDecodeError:
        raise Damaged("it is not text") from None


def integer(value: object, where: str, low: int = 0, high: int = LARGEST) -> int:
    """Return `value` if it is an integer in [low, high]."""
    # Not isinstance, which takes True for an integer.
    if type(value) is not int or not low <= value <= high:
        above = f"to {high}" if high <= LARGEST else "on"
        raise refusal(value, where, f"must be an integer from {low} {above}")
    return value


def number(value: object, where: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Return `value` as a float if it is a finite number in [low, high]."""
    # Most values are right, and a study has tens of thousands.
    if type(value) is float and low <= value <= high and math.isfinite(value):
        return value
    found = math.nan
    # Not true, which Python takes for 1; nor an integer of hundreds of digits, which overflows.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with suppress(OverflowError):
            found = float(value)
    if not (math.isfinite(found) and low <= found <= high):
        within = "" if low == -math.inf else f" from {low:g} to {high:g}"
        raise refusal(value, where, f"must be a finite number{within}")
    return found


def number_or_nan(value: object, where: str) -> float:
    """Return `value` as a float; null stands for NaN."""
    return math.nan if value is None else number(value, where)


def string(value: object, where: str) -> str:
    """Return `value` if it is a string."""
    if type(value) is not str:
        raise refusal(value, where, "must be text")
    return value


def is_identifier(text: str) -> bool:
    """Return whether `text` is the id of an architecture."""
    return _ID.fullmatch(text) is not None


def identifier(value: object, where: str) -> str:
    """Return the id of an architecture: 12 hexadecimal digits, so that it can name a file."""
    if type(value) is not str or not is_identifier(value):
        raise refusal(value, where, "must be 12 hexadecimal digits")
    return value


def choice(value: object, where: str, known: tuple[str, ...]) -> str:
    """Return `value` if it is one of `known`."""
    if type(value) is not str or value not in known:
        raise refusal(value, where, f"must be one of {', '.join(known)}")
    return value


def boolean(value: object, where: str) -> bool:
    """Return `value` if it is true or false."""
    if type(value) is not bool:
        raise refusal(value, where, "must be true or false")
    return value


def mapping(value: object, where: str) -> dict[str, Any]:
    """Return `value` if it is a JSON object."""
    if type(value) is not dict:
        raise refusal(value, where, "must be a JSON object")
    return value


def sequence(value: object, where: str) -> list[Any]:
    """Return `value` if it is a JSON list."""
    if type(value) is not list:
        raise refusal(value, where, "must be a JSON list")
    return value


def member(values: Mapping[str, Any], key: str, where: str) -> Any:
    """Return `values[key]`, which must be there."""
    if key not in values:
        raise Damaged(f"{where} lacks {key!r}")
    return values[key]


def cells_of(values: Mapping[str, Any], where: str) -> Callable[[str], tuple[Any, str]]:
    """Return a function from a key to its value, which must be there, and where it stands."""
    return lambda key: (member(values, key, where), f"{where}.{key}")


def refusal(value: object, where: str, rule: str) -> Damaged:
    """Return the error for `value`, of which only the beginning is shown, and the `rule`."""
    try:
        shown = repr(value)
    # An integer of thousands of digits, or a deep nest.
    except (ValueError, RecursionError):
        shown = f"a {type(value).__name__}"
    shown = shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
    return Damaged(f"{where} is {shown}; it {rule}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


# Made once: `json.loads` with an argument makes a decoder for every call.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _decode(text: str) -> Any:
    """Do what `JSONDecoder.decode` does, without its search for blanks around canonical JSON."""
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError:
        end = -1
    return value if end == len(text) else _DECODER.decode(text)
