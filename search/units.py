"""Numbers of multiplies as people write them: `2M`, `350k`, `1.5G` or plain integers."""

import re
from fractions import Fraction

from search.errors import UserError

_SCALE = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_NUMBER = re.compile(
    r"\s*(\d[\d_]*(?:\.\d*)?|\.\d+)(?:e(\+?\d{1,2}))?\s*([kmgt]?)\s*", re.IGNORECASE
)
_RULE = "write a positive integer or one with a suffix, such as 200k, 2M or 1.5G"


def parse_multiplies(text: str | int | float, name: str = "budget") -> int:
    """Read a positive number of multiplies.

    `text` is `200k`, `2M`, `1.5G`, `2e6`, `200_000` or a plain number; fractions of one multiply
    are refused. Raises `UserError`, naming the quantity `name`, for anything else.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise UserError(f"{name}={text!r} is not a number of multiplies; {_RULE}")
    match = _NUMBER.fullmatch(str(text))
    if match is None:
        kind = "is negative" if re.match(r"\s*-\s*\.?\d", str(text)) else "is not a number"
        raise UserError(f"{name}={text} {kind}; {_RULE}")
    digits, exponent, suffix = match.groups()
    # Fractions, because 1.1e6 * 1000 in floating point is not the integer its writer meant.
    value = Fraction(digits.replace("_", "")) * 10 ** int(exponent or 0) * _SCALE[suffix.lower()]
    if value.denominator != 1:
        raise UserError(f"{name}={text} is not a whole number of multiplies; {_RULE}")
    if value == 0:
        raise UserError(f"{name}={text} leaves nothing to compute with; {_RULE}")
    return int(value)


def format_multiplies(value: int) -> str:
    """Write a number of multiplies in at most four characters of precision: `199.6k`, `2M`."""
    for suffix, scale in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= scale:
            return f"{value / scale:.4g}{suffix}"
    return str(value)
