"""An argparse parser whose errors are one line: the value, the rule and the fix."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from search.errors import UserError, nearest, shown

Value = TypeVar("Value")

_UNKNOWN = "unrecognized arguments: "


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that raises `UserError` where argparse prints its usage and exits.

    Options can't be abbreviated; an unknown one is answered with its nearest neighbours.
    """

    def __init__(self, *, allow_abbrev: bool = False, **settings: Any) -> None:
        super().__init__(allow_abbrev=allow_abbrev, **settings)
        # Wider than argparse's own, so that -1x3x3 reaches the check that can say what is wrong.
        self._negative_number_matcher = re.compile(r"-(\.?\d|inf|nan)")

    def error(self, message: str) -> NoReturn:
        """Raise `UserError`: `message` on one line, with the way to help or the option meant."""
        head, unknown, rest = " ".join(message.split()).partition(_UNKNOWN)
        if not unknown:
            raise UserError(f"{shown(head, 300)}; `{self.prog} --help` shows what it takes")
        options = [word for word in rest.split() if word.startswith("-")]
        if not options:
            raise UserError(f"{self.prog} takes no further argument '{shown(rest)}'; leave it out")
        name = options[0].partition("=")[0]
        known = sorted(word for word in self._option_string_actions if word.startswith("--"))
        raise UserError(f"{self.prog} has no option {shown(name)}; {nearest(name[:40], known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            name = "/".join(action.option_strings) or action.metavar or action.dest
            known = [str(choice) for choice in action.choices]
            raise UserError(f"{name} is '{shown(value)}'; {nearest(str(value)[:40], known)}")


def reads(function: Callable[[str], Value]) -> Callable[[str], Value]:
    """Wrap a `type=` function, so that the line of its `UserError` reaches the user.

    argparse replaces the message of any `ValueError` by "invalid value".
    """

    def read(text: str) -> Value:
        try:
            return function(text)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def folder(text: str) -> str:
    """Check that a folder exists; raises `UserError`."""
    try:
        exists = Path(text).is_dir()
    except (OSError, ValueError):
        # A name that is too long, or has a NUL.
        exists = False
    if not exists:
        raise UserError(f"{shown(text)} is not a folder; name one that exists")
    return text


def new_file(text: str) -> Path:
    """Return the path of a file to write; raises `UserError` unless its folder exists."""
    path = Path(text)
    folder(str(path.parent))
    return path


def new_folder(text: str) -> Path:
    """Return the path of a folder to write into; raises `UserError` for an empty name."""
    if not text.strip():
        raise UserError("it is empty and names no folder; write a folder's name, or . for this one")
    return Path(text)


def positive(text: str) -> int:
    """Read one positive integer; raises `UserError`."""
    number = _digits(text)
    if number is None:
        raise UserError(f"'{shown(text)}' is not a positive integer of at most 7 digits; write one")
    return number


def sizes(text: str, example: str) -> tuple[int, ...]:
    """Read as many positive integers as `example` has, with an x between; raises `UserError`."""
    numbers = tuple(_digits(part) for part in text.lower().split("x"))
    found = tuple(number for number in numbers if number is not None)
    if len(found) != len(numbers) or len(found) != len(example.split("x")):
        raise UserError(f"'{shown(text)}' is not a size; write positive integers like {example}")
    return found


def _digits(text: str) -> int | None:
    # int() alone also takes blanks, signs, underscores and the digits of every script.
    plain = text.isascii() and text.isdigit() and len(text) <= 7
    return int(text) or None if plain else None


def page_path(text: str) -> Path:
    """Return the path of a page; raises `UserError` unless it ends in .html."""
    path = Path(text)
    if path.suffix not in (".html", ".htm"):
        raise UserError(f"{text!r} is not a page; write a file's name that ends in .html")
    return path
