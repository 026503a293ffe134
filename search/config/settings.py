"""How a setting is declared: default, help, range and choices, said once, in the schema.

`run --help`, the comments of `--cfg job`, shell completion and the checks all read this.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import Field, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, cast

Value = TypeVar("Value")
_KEY = "setting"


@dataclass(frozen=True)
class Setting:
    """What the schema says of one key beside its type and default.

    `help`: a phrase without a full stop. `low`, `high`: the range of a number, or of each number
    in a list; `open_low`, `open_high`: whether that end itself is excluded. `choices`: the values
    allowed, empty for any. `null`: what null stands for; empty where null is not allowed.
    `identity`: whether the value defines a study's results.
    """

    help: str
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    choices: tuple[object, ...] = ()
    null: str = ""
    identity: bool = True


def setting(default: Value, text: str, **said: Any) -> Value:
    """Declare a field of a configuration class; `text` is its help, `said` the rest of `Setting`.

    Typed as its default, as `dataclasses.field` is. Lists are copied for each instance.
    """
    metadata = {_KEY: Setting(text, **said)}
    if isinstance(default, list):
        return cast(Value, field(default_factory=lambda: deepcopy(default), metadata=metadata))
    return field(default=default, metadata=metadata)


def said_of(declared: "Field[Any]") -> Setting:
    """Return what `setting` was told of a dataclass field."""
    return cast(Setting, declared.metadata[_KEY])


def walk(config: object, prefix: str = "") -> Iterator[tuple[str, Setting, Any]]:
    """Yield the dotted key, the declaration and the value of every setting, groups flattened."""
    for declared in fields(cast(Any, config)):
        value = getattr(config, declared.name)
        if is_dataclass(value):
            yield from walk(value, f"{prefix}{declared.name}.")
        else:
            yield f"{prefix}{declared.name}", said_of(declared), value


def identity(config: object) -> dict[str, Any]:
    """Return the settings of a group that define a study's results."""
    return {
        declared.name: deepcopy(getattr(config, declared.name))
        for declared in fields(cast(Any, config))
        if said_of(declared).identity
    }
