"""Values in Hydra's grammar, as they stand behind KEY= on a command line."""

import re
from typing import Any

# Texts that Hydra takes as they stand; others are quoted, as are those that it would convert.
_PLAIN = re.compile(r"[A-Za-z_./][\w./+-]*", re.ASCII)
_CONVERTED = ("true", "false", "on", "off", "yes", "no", "null", "nan", "inf")


def word(value: Any) -> str:
    """Return a value in Hydra's grammar; texts are quoted where they have to be."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(word, value))}]"
    text = str(value)
    if not text or (_PLAIN.fullmatch(text) and text.lower() not in _CONVERTED):
        return text
    # Backslashes escape only before a quote.
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    trailing = len(text) - len(text.rstrip("\\"))
    return f"'{escaped}{chr(92) * trailing}'"
