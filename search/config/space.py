"""What can be set of the space of networks: which blocks, how wide, how deep, how strided."""

from dataclasses import dataclass

from search.config.checks import check, distinct
from search.config.settings import setting
from search.errors import UserError
from search.networks.arch import ACTIVATIONS
from search.networks.blocks import SEARCHABLE_OPS, uses

_MOST = 1_000_000


@dataclass(frozen=True)
class SpaceConfig:
    """Networks in stages: a stem, stages of blocks of equal width, a head.

    A stage that keeps the size of the feature map changes the width; otherwise it could not be
    told from a longer stage before it. The default is the space `small`. Raises `UserError` for a
    value out of range, an unknown operation, and `widths` and `strides` of different lengths.
    """

    name: str = setting("small", "name of the space")
    ops: list[str] = setting(
        # Those of the shipped spaces: a block that is added later changes no study's settings.
        ["conv", "separable", "inverted"],
        "kinds of block to choose from; one alone is allowed",
        choices=SEARCHABLE_OPS,
    )
    kernels: list[int] = setting([3], "kernel sides of the blocks, in pixels", low=1, high=_MOST)
    expansions: list[int] = setting(
        [2, 4], "expansion ratios of blocks that expand", low=1, high=_MOST
    )
    stem: list[int] = setting(
        [4, 8, 16], "channels that the first convolution may have", low=1, high=_MOST
    )
    stem_kernel: int = setting(3, "kernel side of the first convolution", low=1, high=_MOST)
    stem_stride: int = setting(1, "stride of the first convolution", low=1, high=_MOST)
    strides: list[int] = setting(
        [1, 2, 2],
        "stride of each stage's first block; a map of one pixel keeps its size",
        low=1,
        high=_MOST,
    )
    widths: list[list[int]] = setting(
        [[4, 8, 16, 24], [8, 16, 24, 32], [16, 32, 48, 64]],
        "channels that each stage may have, one list per stage",
        low=1,
        high=_MOST,
    )
    depths: list[int] = setting(
        [1, 2, 3], "numbers of blocks that a stage may have", low=1, high=_MOST
    )
    head: int = setting(
        0, "channels of the 1x1 convolution before pooling, 0 for none", low=0, high=_MOST
    )
    activation: str = setting("relu", "activation of every block", choices=ACTIVATIONS)

    def __post_init__(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        check(self, "space")
        if not self.name.strip():
            raise UserError("space.name is empty; give the space a name, such as mine")
        for key in ("ops", "kernels", "stem", "depths"):
            distinct(f"space.{key}", getattr(self, key))
        if any(uses(op, "expansion") for op in self.ops):
            distinct("space.expansions", self.expansions)
        if not self.strides:
            raise UserError("space.strides is []; give one stride a stage, such as [1,2,2]")
        if len(self.widths) != len(self.strides):
            raise UserError(
                f"space.widths is for {len(self.widths)} stages and space.strides for"
                f" {len(self.strides)}; give both one entry a stage"
            )
        for stage, widths in enumerate(self.widths):
            distinct(f"space.widths[{stage}]", widths)
