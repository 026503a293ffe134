"""`Arch`: the description of one small convolutional network, a frozen and hashable value.

Its canonical JSON (`convbudget-arch/1`) is its identity: the id is the first 12 hexadecimal digits
of that text's SHA-256.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any, Literal, get_args

from search.errors import UserError
from search.files import canonical_json
from search.networks.blocks import BLOCKS, OPS, Block, uses
from search.networks.shapes import Size, output_size

__all__ = [
    "ACTIVATIONS",
    "FORMAT",
    "Activation",
    "Arch",
    "Block",
    "Head",
    "Input",
    "Stem",
    "from_json",
    "id_of",
    "to_json",
]
FORMAT = "convbudget-arch/1"
Activation = Literal["relu", "relu6", "swish"]
ACTIVATIONS: tuple[str, ...] = get_args(Activation)
# Far above any network on images; keeps a typing error from asking for terabytes.
_LARGEST = 1_000_000


@dataclass(frozen=True)
class Input:
    """Shape of one image: height and width in pixels, channels (1 grey, 3 RGB, 4 RGBA)."""

    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class Stem:
    """First k×k standard convolution; `pool` 2 adds a 3×3 max pooling with stride 2 (ResNet)."""

    channels: int
    kernel: int = 3
    stride: int = 1
    pool: int = 1


@dataclass(frozen=True)
class Head:
    """Before global average pooling: a 1×1 convolution to `channels`, or nothing if 0."""

    channels: int = 0


@dataclass(frozen=True)
class Arch:
    """A whole network: input shape, stem, blocks, head, number of classes.

    Validated on construction; raises `UserError` that names the field. The last layer is a dense
    one with bias from the pooled channels to `classes`.
    """

    input: Input
    stem: Stem
    blocks: tuple[Block, ...]
    head: Head
    classes: int
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        _validate(self)

    @property
    def id(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return id_of(to_json(self))

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the network drawn to scale."""
        # Found by its name: the description of a network does not depend on how one is drawn.
        return str(import_module("search.report.drawing").draw_network(self))


def to_json(arch: Arch) -> str:
    """Canonical JSON: sorted keys, no spaces, every field present."""
    # `asdict` copies every value, which for a search is a third of what a candidate costs it.
    return canonical_json(
        {
            "format": FORMAT,
            **vars(arch),
            "input": vars(arch.input),
            "stem": vars(arch.stem),
            "blocks": [vars(block) for block in arch.blocks],
            "head": vars(arch.head),
        }
    )


def id_of(text: str) -> str:
    """Return the id of the Arch, or of another value, with this canonical JSON."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def from_json(text: str, source: str = "arch JSON") -> Arch:
    """Read an Arch from its JSON; `source` (a path, say) is named in errors.

    Raises `UserError` on broken JSON, another format version, an unknown or missing key, an
    unknown block, or a value out of range.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is not JSON ({error}); expected one {FORMAT} object") from None
    if not isinstance(data, Mapping):
        raise UserError(f"{source} holds a {type(data).__name__}; expected one {FORMAT} object")
    found = data.get("format")
    if found != FORMAT:
        raise UserError(f"{source} has format {found!r:.60}; this version reads {FORMAT!r} only")
    try:
        blocks = data.get("blocks")
        if not isinstance(blocks, list):
            raise UserError(f"blocks is {blocks!r:.60}; it must be a list of blocks")
        parsed = {
            "input": _read(Input, data.get("input"), "input"),
            "stem": _read(Stem, data.get("stem"), "stem"),
            "blocks": tuple(_read(Block, b, f"blocks[{i}]") for i, b in enumerate(blocks)),
            "head": _read(Head, data.get("head"), "head"),
        }
        rest = {key: value for key, value in data.items() if key not in (*parsed, "format")}
        arch: Arch = _read(Arch, {**parsed, **rest}, "arch")
        return arch
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def _read(kind: type[Any], data: Any, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise UserError(f"{where} is {data!r:.60}; it must be an object")
    known = [field.name for field in fields(kind)]
    for key in data:
        if key not in known:
            raise UserError(
                f"{where} has the unknown key {key!r:.60}; known are {', '.join(known)}"
            )
    try:
        return kind(**data)
    except TypeError:
        missing = [name for name in known if name not in data]
        raise UserError(f"{where} lacks a key; absent are {', '.join(missing)}") from None


def _integer(value: object, where: str, low: int, high: int = _LARGEST) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UserError(f"{where} is {value!r:.60}; it must be an integer from {low} to {high}")


def _choice(value: object, where: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"{where} is {value!r:.60}; known are {', '.join(known)}")


def _validate(arch: Arch) -> None:
    for name in ("height", "width", "channels"):
        _integer(getattr(arch.input, name), f"input.{name}", 1)
    _integer(arch.stem.channels, "stem.channels", 1)
    _integer(arch.stem.kernel, "stem.kernel", 1)
    _integer(arch.stem.stride, "stem.stride", 1)
    _integer(arch.stem.pool, "stem.pool", 1, 2)
    _integer(arch.head.channels, "head.channels", 0)
    _integer(arch.classes, "classes", 1)
    _choice(arch.activation, "activation", ACTIVATIONS)
    size = arch.input.height, arch.input.width
    size = _strided(size, arch.stem.stride, "stem.stride")
    size = _strided(size, arch.stem.pool, "stem.pool")
    channels = arch.stem.channels
    for index, block in enumerate(arch.blocks):
        _validate_block(block, channels, f"blocks[{index}]")
        size = _strided(size, block.stride, f"blocks[{index}].stride")
        channels = block.channels


def _validate_block(block: Block, channels: int, where: str) -> None:
    _choice(block.op, f"{where}.op", OPS)
    for name in ("channels", "kernel", "stride", "expansion"):
        _integer(getattr(block, name), f"{where}.{name}", 1)
    if not isinstance(block.skip, bool):
        raise UserError(f"{where}.skip is {block.skip!r:.60}; it must be true or false")
    if block.expansion != 1 and not uses(block.op, "expansion"):
        expanding = " and ".join(op for op in BLOCKS if uses(op, "expansion"))
        raise UserError(
            f"{where}.expansion is {block.expansion} on a {block.op} block; only {expanding}"
            " blocks expand, elsewhere it must be 1"
        )
    if block.skip and not uses(block.op, "skip"):
        raise UserError(
            f"{where}.skip is true; a {block.op} block has its own shortcut, leave it false"
        )
    if block.skip and (block.stride != 1 or block.channels != channels):
        raise UserError(
            f"{where}.skip needs stride 1 and equal channels; here stride {block.stride},"
            f" {channels} to {block.channels} channels"
        )


def _strided(size: Size, stride: int, where: str) -> Size:
    if stride > min(size):
        raise UserError(
            f"{where} is {stride} on a map of {size[0]}x{size[1]}; that leaves no pixel,"
            f" a stride must be at most {min(size)} here"
        )
    return output_size(size, 1, stride)
