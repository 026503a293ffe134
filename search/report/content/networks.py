"""The networks of a study with their cost by layer, small enough for ten thousand of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from search.errors import UserError, shown
from search.networks.arch import FORMAT, Arch, from_json
from search.networks.blocks import BLOCKS
from search.networks.decisions import short_form
from search.networks.parts import NAMES, Part, parts_of
from search.study.trials import Trial

# Characters of a short form, and of a value of a user's own.
_LONGEST = 500
OTHER = "other"
"""Family of what is not a network, such as a value of a user's own space."""


@dataclass(frozen=True)
class LayerRow:
    """One layer: its shape and its exact cost for one image; `memory` in elements alive."""

    role: str
    kind: str
    kernel: int
    stride: int
    inputs: int
    outputs: int
    multiplies: int
    params: int
    memory: int


@dataclass(frozen=True)
class PartRow:
    """One part of a network, as `search.networks.parts` counts it, shared by all that have it.

    `detail` states what sets a block apart: `k5 e4 stride 2 skip`; `height`, `width` in pixels.
    """

    name: str
    detail: str
    channels: int
    height: int
    width: int
    layers: list[LayerRow]


@dataclass(frozen=True)
class NetworkRow:
    """One network: its id, its decisions, its family, and its parts by their place in the table.

    `family`: the kinds of its blocks, `conv + separable`; `blocks`: their number; `memory`: peak
    activation in elements for one image, None for what is not a network.
    """

    id: str
    short: str
    family: str
    blocks: int
    memory: int | None
    parts: list[int]


@dataclass(frozen=True)
class Networks:
    """Distinct parts, the networks made of them, and the image that all of them read.

    `kinds`: the names of all parts there are, in the order of their colours.
    """

    kinds: list[str]
    parts: list[PartRow]
    rows: list[NetworkRow]  # [networks]
    image: list[int] | None  # height, width, channels


def networks(trials: Iterable[Trial]) -> tuple[Networks, dict[str, int]]:
    """Return the networks of `trials`, and the place of each by its id."""
    table: dict[Part, int] = {}
    rows: list[NetworkRow] = []
    places: dict[str, int] = {}
    image: list[int] | None = None
    for trial in trials:
        if trial.arch_id in places:
            continue
        places[trial.arch_id] = len(rows)
        arch = arch_of(trial.value)
        if arch is None:
            text = shown(trial.value, _LONGEST)
            rows.append(NetworkRow(trial.arch_id, text, OTHER, 0, None, []))
            continue
        image = image or [arch.input.height, arch.input.width, arch.input.channels]
        parts = parts_of(arch)
        rows.append(
            NetworkRow(
                trial.arch_id,
                shown(short_form(arch), _LONGEST),
                family(arch),
                len(arch.blocks),
                max(part.peak_activation for part in parts),
                [table.setdefault(part, len(table)) for part in parts],
            )
        )
    return Networks([*NAMES], [_row(part) for part in table], rows, image), places


def arch_of(value: str) -> Arch | None:
    """Return the Arch whose canonical JSON is `value`; None for any other value."""
    try:
        data = json.loads(value)
        own = isinstance(data, Mapping) and data.get("format") == FORMAT
        return from_json(value) if own else None
    except UserError:
        # A study of a later version may hold a block that this one does not know.
        return None


def family(arch: Arch) -> str:
    """Return the kinds of block of a network: `conv + separable`."""
    present = {block.op for block in arch.blocks}
    return " + ".join(op for op in BLOCKS if op in present) or "stem only"


def families(rows: Sequence[NetworkRow]) -> list[str]:
    """Return the families present: those of one kind of block first, in the order of `BLOCKS`."""
    order = {op: place for place, op in enumerate(BLOCKS)}

    def key(name: str) -> tuple[int, list[int]]:
        return name.count("+"), [order.get(op, len(order)) for op in name.split(" + ")]

    return sorted({row.family for row in rows}, key=key)


def _row(part: Part) -> PartRow:
    return PartRow(
        part.name,
        _detail(part),
        part.channels,
        *part.size,
        [
            LayerRow(
                cost.role,
                cost.kind,
                cost.kernel,
                cost.stride,
                cost.in_channels,
                cost.out_channels,
                cost.multiplies,
                cost.params,
                cost.activation,
            )
            for cost in part.layers
        ],
    )


def _detail(part: Part) -> str:
    block = part.block
    if block is None:
        return ""
    words = [f"kernel {block.kernel}×{block.kernel}"]
    words += [f"expansion {block.expansion}"] * (block.expansion > 1)
    words += [f"stride {block.stride}"] * (block.stride > 1)
    words += ["skip"] * block.skip
    return ", ".join(words)
