"""An Arch written as the decisions that define it: `s4 w4 separable k3 plain d1 w8 conv k3 d1`."""

import json
from collections.abc import Iterator, Mapping

from search.networks.arch import FORMAT, Arch, from_json
from search.networks.blocks import BLOCKS, Block, uses

PREFIXES = {"kernel": "k", "expansion": "e"}
"""What a number decided for a field of a block begins with."""
PLAIN, SKIP = "plain", "skip"


def decisions(arch: Arch) -> tuple[str, ...]:
    """Return the encoding of `arch` in a stage-wise space, in the order in which it is decided.

    `s16` is a stem of 16 channels. A stage opens with its width (`w24`) and its first block, which
    is followed by the number of blocks (`d2`) and the others. A stage ends where the map shrinks
    or the width changes. What a space holds constant (input, head, classes, activation) is left
    out, so the encoding identifies a network among those of one space.
    """
    found, rest, channels = [f"s{arch.stem.channels}"], list(arch.blocks), arch.stem.channels
    while rest:
        width = rest[0].channels
        ends = (i for i, b in enumerate(rest) if i and (b.stride > 1 or b.channels != width))
        depth = next(ends, len(rest))
        first, *others = rest[:depth]
        found += [f"w{width}", *_of_block(first, channels), f"d{depth}"]
        found += [decision for block in others for decision in _of_block(block, width)]
        rest, channels = rest[depth:], width
    return tuple(found)


def short_form(value: str | Arch) -> str:
    """Return the decisions of an Arch on one line, as `convbudget space` prints them.

    `value` is an Arch or the canonical JSON that a study stores. JSON of anything else, such as
    the value of a user's own space, is returned as it is. Raises `UserError` for a damaged Arch.
    """
    if isinstance(value, str):
        data = json.loads(value)
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            return value
        value = from_json(value)
    return " ".join(decisions(value))


def may_skip(block: Block, channels: int) -> bool:
    """Whether a block whose input has `channels` could add that input to its output."""
    return uses(block.op, "skip") and block.stride == 1 and block.channels == channels


def _of_block(block: Block, channels: int) -> Iterator[str]:
    """Yield the decisions of one block whose input has `channels`."""
    yield block.op
    for field in BLOCKS[block.op].fields:
        if field != "skip":
            yield f"{PREFIXES[field]}{getattr(block, field)}"
        elif may_skip(block, channels):
            yield SKIP if block.skip else PLAIN
