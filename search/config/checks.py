"""Checks of single values, with one wording for all groups; each raises `UserError`."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints
from unicodedata import category

from search.config.settings import Setting, said_of
from search.errors import UserError, nearest, shown


def check(config: object, group: str = "") -> None:
    """Check every setting of a configuration against its declared type, range and choices.

    `group` is the first part of its keys, empty for the top level. Nested groups are not entered:
    they were checked when they were made.
    """
    hints = get_type_hints(type(config))
    for declared in fields(cast(Any, config)):
        key = f"{group}.{declared.name}" if group else declared.name
        value, hint = getattr(config, declared.name), hints[declared.name]
        if declared.metadata:
            _check_value(key, value, hint, said_of(declared))
        elif not isinstance(value, hint):
            raise UserError(f"{key}={shown(value)} must be a group of settings, a {hint.__name__}")


def check_key(config: object, key: str, value: object) -> None:
    """Check one value for the dotted `key` of a configuration, as `check` does for all.

    Unknown keys pass: what they are is for others to say.
    """
    *groups, name = key.split(".")
    for group in groups:
        config = getattr(config, group, None)
    declared = [one for one in fields(cast(Any, config)) if one.name == name] if config else []
    for one in declared:
        if one.metadata:
            _check_value(key, value, get_type_hints(type(config))[name], said_of(one))


def among(key: str, value: object, known: Iterable[object]) -> None:
    """Refuse a value that is not one of `known`."""
    known = list(known)
    if not any(value == item and type(value) is type(item) for item in known):
        names = [str(item) for item in known]
        raise UserError(f"{key}={shown(value)} is unknown; {nearest(shown(value), names)}")


def integer(key: str, value: object, said: Setting) -> None:
    """Refuse what is not an integer in the declared range."""
    if isinstance(value, bool) or not isinstance(value, int) or not _inside(value, said):
        raise UserError(f"{key}={shown(value)} must be an integer{_range(said)}{_null(said)}")


def number(key: str, value: object, said: Setting) -> None:
    """Refuse what is not a finite number in the declared range."""
    whole = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (whole and _inside(cast(float, value), said)):
        raise UserError(f"{key}={shown(value)} must be a number{_range(said)}{_null(said)}")


def text(key: str, value: object) -> None:
    """Refuse what is not a text, and control characters and undecodable bytes in it."""
    if not isinstance(value, str):
        raise UserError(f"{key}={shown(value)} must be a text")
    if any(category(sign) in ("Cc", "Cs") for sign in value):
        raise UserError(
            f"{key}={shown(value)} has control characters or bytes that are not UTF-8; leave them"
            " out"
        )


def distinct(key: str, values: Sequence[object]) -> None:
    """Refuse an empty list and repeated entries."""
    if not values:
        raise UserError(f"{key}=[] is empty; give at least one value")
    if any(value in values[:index] for index, value in enumerate(values)):
        raise UserError(f"{key}={shown(list(values))} repeats a value; name each once")


def check_class_weights(key: str, value: object) -> None:
    """Refuse what is neither null, `balanced`, nor a list of numbers of which one is above 0."""
    if value is None or value == "balanced":
        return
    if not isinstance(value, list):
        raise UserError(
            f"{key}={shown(value)} must be null, balanced, or a list of one number for each class"
        )
    for index, weight in enumerate(value):
        number(f"{key}[{index}]", weight, Setting("", low=0))
    if not any(value):
        raise UserError(f"{key}={shown(value)} has no number above 0; give a class some weight")


def _check_value(key: str, value: object, hint: object, said: Setting) -> None:
    if hint is Any:
        # A union that only its own class can check.
        return
    if isinstance(hint, UnionType):
        if value is None:
            return
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) is list:
        if not isinstance(value, list):
            raise UserError(f"{key}={shown(value)} must be a list, such as {_example(hint, said)}")
        for index, entry in enumerate(value):
            _check_value(f"{key}[{index}]", entry, get_args(hint)[0], said)
    elif said.choices:
        among(key, value, said.choices)
    elif hint is bool:
        if not isinstance(value, bool):
            raise UserError(f"{key}={shown(value)} must be true or false")
    elif hint is int:
        integer(key, value, said)
    elif hint is float:
        number(key, value, said)
    else:
        text(key, value)


def _inside(value: float, said: Setting) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if said.low is not None and (value <= said.low if said.open_low else value < said.low):
        return False
    return said.high is None or (value < said.high if said.open_high else value <= said.high)


def _range(said: Setting) -> str:
    low, high = (None if end is None else _plain(end) for end in (said.low, said.high))
    if low is not None and high is not None and not (said.open_low or said.open_high):
        return f" from {low} to {high}"
    ends = []
    if low is not None:
        ends.append(f"above {low}" if said.open_low else f"at least {low}")
    if high is not None:
        ends.append(f"below {high}" if said.open_high else f"at most {high}")
    return f" {' and '.join(ends)}" if ends else ""


def _null(said: Setting) -> str:
    return f", or null for {said.null}" if said.null else ""


def _plain(end: float) -> str:
    return str(int(end)) if end == int(end) else str(end)


def _example(hint: object, said: Setting) -> str:
    if get_origin(hint) is list:
        return f"[{_example(get_args(hint)[0], said)}]"
    if said.choices:
        return str(said.choices[0])
    return {int: "1", float: "0.5"}.get(cast(type, hint), "name")
