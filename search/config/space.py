"""Settings of a stage-wise space: its blocks, widths, depths and strides."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from search.errors import UserError, nearest
from search.networks.arch import ACTIVATIONS
from search.networks.blocks import SEARCHABLE_OPS, uses

_LARGEST = 1_000_000


@dataclass
class SpaceConfig:
    """Networks in stages: a stem, stages of blocks of equal width, a head.

    `ops`: the families of blocks to mix, one or more of the searchable ones of
    `search.networks.blocks`. `kernels`: sides of the blocks' kernels in pixels; `expansions`: of
    blocks that expand. `stem`: choices of channels for the first convolution, of kernel
    `stem_kernel` and stride `stem_stride`. `strides`: for each stage, that of its first block; a
    stage shrinks the map only where at least two pixels are left each way, and otherwise keeps its
    size. `widths`: for each stage, the choices of channels; `depths`: the choices of numbers of
    blocks. A stage that keeps the map's size must change the width, or the two stages could not be
    told apart.
    `head`: channels of the 1×1 convolution before pooling, 0 for none.

    The default is the space `small`.
    """

    name: str = "small"
    ops: list[str] = field(default_factory=lambda: ["conv", "separable", "inverted"])
    kernels: list[int] = field(default_factory=lambda: [3])
    expansions: list[int] = field(default_factory=lambda: [2, 4])
    stem: list[int] = field(default_factory=lambda: [4, 8, 16])
    stem_kernel: int = 3
    stem_stride: int = 1
    strides: list[int] = field(default_factory=lambda: [1, 2, 2])
    widths: list[list[int]] = field(
        default_factory=lambda: [[4, 8, 16, 24], [8, 16, 24, 32], [16, 32, 48, 64]]
    )
    depths: list[int] = field(default_factory=lambda: [1, 2, 3])
    head: int = 0
    activation: str = "relu"

    def validate(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        if not self.name.strip():
            raise UserError("space.name is empty; give the space a name, such as mine")
        _distinct("ops", self.ops)
        for op in self.ops:
            if op not in SEARCHABLE_OPS:
                raise UserError(
                    f"space.ops: {op!r} is no family; {nearest(str(op), SEARCHABLE_OPS)}"
                )
        for key in ("kernels", "stem", "depths"):
            _positive(key, getattr(self, key))
        if any(uses(op, "expansion") for op in self.ops):
            _positive("expansions", self.expansions)
        for key in ("stem_kernel", "stem_stride"):
            _positive(key, [getattr(self, key)])
        if not self.strides:
            raise UserError("space.strides is []; give one stride a stage, such as [1,2,2]")
        for stride in self.strides:
            _positive("strides", [stride])
        if len(self.widths) != len(self.strides):
            raise UserError(
                f"space.widths is for {len(self.widths)} stages and space.strides for"
                f" {len(self.strides)}; give both one entry a stage"
            )
        for stage, widths in enumerate(self.widths):
            _positive(f"widths[{stage}]", widths)
        if isinstance(self.head, bool) or not 0 <= self.head <= _LARGEST:
            raise UserError(f"space.head={self.head} must lie between 0 (none) and {_LARGEST}")
        if self.activation not in ACTIVATIONS:
            raise UserError(
                f"space.activation={self.activation!r} is unknown;"
                f" {nearest(str(self.activation), ACTIVATIONS)}"
            )


def _distinct(key: str, values: Sequence[object]) -> None:
    if not values:
        raise UserError(f"space.{key} is empty; give at least one value")
    if len(set(values)) < len(values):
        raise UserError(f"space.{key}={list(values)} repeats a value; name each once")


def _positive(key: str, values: Sequence[int]) -> None:
    _distinct(key, values)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST:
            raise UserError(
                f"space.{key}: {value!r} is out of range; write an integer from 1 to {_LARGEST}"
            )
