"""The errors a user can cause: one line that says the value, the rule and the fix."""

from collections.abc import Iterable


class UserError(ValueError):
    """Input that breaks a rule; the command line prints it on one line and exits with code 2.

    The message names the value that was given, the rule it breaks, and what to write instead.
    """


class SurroundingsError(Exception):
    """A failure that says nothing about the candidate: memory taken by others, I/O, a lost device.

    It is never recorded as a candidate's result. The message is one line, the reason.
    """


class Interrupted(Exception):
    """The user asked to stop; everything recorded so far is kept and the same command goes on."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the end of an error's line: the known names closest to `word`, or all of them."""
    # Here, because most commands never err and difflib takes milliseconds to import.
    from difflib import get_close_matches

    names = list(known)
    close = get_close_matches(word, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(names)}"


def shown(value: object, limit: int = 80, *, quoted: bool = False) -> str:
    """Return `value` as error messages show it: printable, on one line, at most `limit` long.

    Strings stand as they were typed, or with quotes if `quoted`; the middle of a longer text is
    left out.
    """
    try:
        text = str(value) if isinstance(value, str) and not quoted else repr(value)
    except (ValueError, RecursionError):
        # Python prints no integers of more than 4300 digits, and no lists nested too deep.
        text = f"<{type(value).__name__} too large to print>"
    text = _shortened(text, limit)
    text = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    return _shortened(text, limit)


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}…{text[len(text) + 1 - (limit - limit // 2) :]}"


def one_line(error: BaseException) -> str:
    """Return an error's message for the terminal: one line, and never more than a screen of it."""
    return shown(" ".join(str(error).split()), 1200)
