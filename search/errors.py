"""The errors a user can cause: one line that says the value, the rule and the fix."""

from collections.abc import Iterable


class UserError(ValueError):
    """Input that breaks a rule; the command line prints it on one line and exits with code 2.

    The message names the value that was given, the rule it breaks, and what to write instead.
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


def shown(value: object, limit: int = 80) -> str:
    """Return `value` as an error's line shows it: printable, the middle left out beyond `limit`."""
    try:
        text = str(value)
    except (ValueError, RecursionError):
        # An integer of more digits than Python writes, or a list nested too deep.
        text = f"{type(value).__name__} too large to show"
    text = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}…{text[len(text) + 1 - (limit - limit // 2) :]}"


def one_line(error: BaseException) -> str:
    """Return an error's message for the terminal: one line, and never more than a screen of it."""
    return shown(" ".join(str(error).split()), 1200)
