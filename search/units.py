"""Numbers as people write them: multiplies as `2M`, `350k`, `1.5G`, things as `12 epochs`."""

import re
from fractions import Fraction

from search.errors import UserError, shown

# SQLite and NumPy hold integers below 2^63; no network costs a millionth of this.
MOST_MULTIPLIES = 10**18
# Characters of a number, far above any that is allowed; int() refuses more than 4300 digits.
_LONGEST = 100
_SCALE = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_NUMBER = re.compile(
    r"\s*(\d[\d_]*(?:\.\d*)?|\.\d+)(?:e(\+?\d{1,3}))?\s*([kmgt]?)\s*", re.IGNORECASE
)
_RULE = "write a positive integer or one with a suffix, such as 200k, 2M or 1.5G"


def parse_multiplies(text: str | int | float, name: str = "budget") -> int:
    """Read a positive number of multiplies.

    `text` is `200k`, `2M`, `1.5G`, `2e6`, `200_000` or a plain number. Raises `UserError`, naming
    the quantity `name`, for anything else, for a fraction of one multiply, and beyond
    `MOST_MULTIPLIES`.
    """
    given = f"{name}={shown(text)}"
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise UserError(f"{given} is not a number of multiplies; {_RULE}")
    too_many = UserError(f"{given} is more than 10^18, the most that is counted")
    if isinstance(text, int) and text > MOST_MULTIPLIES:
        raise too_many
    if isinstance(text, int) and text < 0:
        raise UserError(f"{given} is negative; {_RULE}")
    match = _NUMBER.fullmatch(str(text))
    if match is None:
        kind = "is negative" if re.match(r"\s*-\s*\.?\d", str(text)) else "is not a number"
        raise UserError(f"{given} {kind}; {_RULE}")
    digits, exponent, suffix = match.groups()
    if len(digits) > _LONGEST:
        raise UserError(f"{given} has {len(digits)} characters, too many for a number; {_RULE}")
    # Fractions, because 1.1e6 * 1000 in floating point is not the integer its writer meant.
    value = Fraction(digits.replace("_", "")) * 10 ** int(exponent or 0) * _SCALE[suffix.lower()]
    if value > MOST_MULTIPLIES:
        raise too_many
    if value.denominator != 1:
        raise UserError(f"{given} is not a whole number of multiplies; {_RULE}")
    if value == 0:
        raise UserError(f"{given} leaves nothing to compute with; {_RULE}")
    return int(value)


def counted(count: int, noun: str) -> str:
    """Return a number of things in words: `1 epoch`, `12 epochs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def format_multiplies(value: int) -> str:
    """Return a number of multiplies to four significant digits: `199.6k`, `2M`."""
    for suffix, scale in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= scale:
            return f"{value / scale:.4g}{suffix}"
    return str(value)
