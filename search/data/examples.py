"""The nouns of this room: encoded examples, and how a reader hands them over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Called as progress(what, done, total); a bar belongs to whoever calls.
Progress = Callable[[str, int, int], None]
# Called with one line that the user should see.
Say = Callable[[str], None]


@dataclass(frozen=True)
class Encoded:
    """One image as it lies on disk: `name` for errors, the file's bytes, the label from 0.

    `error` says why the bytes couldn't be read, if they couldn't.
    """

    name: str
    data: bytes
    label: int
    error: str = ""


@dataclass(frozen=True)
class Examples:
    """The examples of one split, read on demand.

    `classes`: names in the order of the labels; `count`: how many examples; `height`, `width` and
    `channels` of all of them, 0 where they differ or are unknown; `read`: the encoded examples at
    the given indices, in that order.
    """

    classes: tuple[str, ...]
    count: int
    height: int
    width: int
    channels: int
    read: Callable[[Sequence[int]], list[Encoded]]


@dataclass(frozen=True)
class Source:
    """A split that was found, not yet opened.

    `title`: what to call it in messages; `identity`: all that its decoded arrays depend on, cheap
    to compute and JSON-able; `load`: opens it, which may be slow.
    """

    title: str
    identity: Mapping[str, object]
    load: Callable[[], Examples]
