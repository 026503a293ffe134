"""Any text of a user, a file or an error on one line that a terminal and a picture can show."""


def one_line(text: object, limit: int = 200) -> str:
    """Return `text` without line breaks and control characters, cut to `limit` characters.

    Names of studies and classes, labels and error texts come from outside: an escape sequence would
    act on the terminal, and a lone surrogate, from a file name that is not UTF-8, cannot be drawn.
    """
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in _joined(text))
    return plain if len(plain) <= limit else f"{plain[: limit - 1]}…"


def _joined(text: object) -> str:
    return " ".join(str(text).split())
