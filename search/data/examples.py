"""Encoded examples, and how a reader provides them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Called as progress(what, done, total), with total 0 where it is unknown.
Progress = Callable[[str, int, int], None]
# Called with a one-line notice for the user.
Say = Callable[[str], None]


@dataclass(frozen=True)
class Encoded:
    """One image before decoding.

    `name`: what errors call it; `data`: the file's bytes; `label`: from 0; `error`: why the bytes
    couldn't be read, empty if they could.
    """

    name: str
    data: bytes
    label: int
    error: str = ""


@dataclass(frozen=True)
class Examples:
    """The examples of one split, read on demand.

    `classes`: names in the order of the labels; `height`, `width`, `channels`: of every example, 0
    where they differ or are unknown; `read`: returns the encoded examples at the given indices.
    """

    classes: tuple[str, ...]
    count: int
    height: int
    width: int
    channels: int
    read: Callable[[Sequence[int]], list[Encoded]]


@dataclass(frozen=True)
class Source:
    """A part of a data set that was located but not opened.

    `title`: what messages call it; `identity`: returns what its decoded arrays depend on, as
    values that JSON can hold, and is quick enough for every start; `load`: opens it, which may be
    slow.
    """

    title: str
    identity: Callable[[], Mapping[str, object]]
    load: Callable[[], Examples]
