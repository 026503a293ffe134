"""Published networks as ordinary Archs, at any resolution and width."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from numbers import Real

from search.errors import UserError, nearest
from search.networks.arch import Arch, Block, Head, Input, Stem
from search.networks.cost import multiplies_of
from search.units import format_multiplies

_IMAGENET = Input(224, 224, 3), 1000
_CIFAR = Input(32, 32, 3), 10
# (channels, stride) behind the stem; MobileNets, arXiv:1704.04861, table 1. Its last stride is
# printed as 2 but the map stays 7x7, as in the original code.
_V1_BODY = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)
# (expansion, channels, repeats, first stride); MobileNetV2, arXiv:1801.04381, table 2.
_V2_BODY = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclass(frozen=True)
class _Entry:
    """How to build a network, and what it was published for."""

    build: Callable[[float, Input, int], Arch]
    default: tuple[Input, int]


def names() -> tuple[str, ...]:
    """Return the name of every network that `network` knows."""
    return tuple(_NETWORKS)


def network(
    name: str,
    *,
    width: float = 1.0,
    input: Input | None = None,  # noqa: A002 - the name of the field that it sets
    classes: int | None = None,
) -> Arch:
    """Return the published network `name`; input and classes default to its own data set's.

    `width` multiplies every layer's channels, rounded as the original does; ResNets, published at
    one width, as Wide ResNets do (arXiv:1605.07146), to the nearest integer. Raises `UserError` for
    an unknown name, a width that is not finite and positive, and for an input too small for the
    network's strides.
    """
    entry = _NETWORKS.get(name)
    if entry is None:
        raise UserError(f"{name!r} is not a network of the zoo; {nearest(name, _NETWORKS)}")
    if not isinstance(width, Real) or not (math.isfinite(width) and width > 0):
        raise UserError(f"width is {width!r}; it must be positive and finite, such as 0.75")
    default_input, default_classes = entry.default
    shape = default_input if input is None else input
    try:
        return entry.build(width, shape, default_classes if classes is None else classes)
    except UserError as error:
        size = f"{shape.height}x{shape.width}x{shape.channels}"
        raise UserError(f"{name} at width {width} and input {size}: {error}") from None


def widest(
    name: str,
    budget: int,
    *,
    input: Input | None = None,  # noqa: A002 - as in `network`
    classes: int | None = None,
) -> tuple[float, Arch]:
    """Return `name` at its own width or, above the budget, at the largest hundredth within it.

    `budget` in multiplies. Returns the width and the network. Raises `UserError` where nothing is
    that cheap, and as `network` does.
    """
    own = network(name, input=input, classes=classes)
    if multiplies_of(own) <= budget:
        return 1.0, own

    def at(hundredths: int) -> Arch:
        return network(name, width=hundredths / 100, input=input, classes=classes)

    # Channels, and so the cost, never fall as the width grows.
    first_above = bisect_right(range(1, 100), budget, key=lambda step: multiplies_of(at(step)))
    if not first_above:
        least = multiplies_of(at(1))
        raise UserError(
            f"{name} costs {format_multiplies(least)} multiplies at width 0.01, above"
            f" {format_multiplies(budget)}"
        )
    return first_above / 100, at(first_above)


def truncated(channels: int, width: float) -> int:
    """Scale a number of channels as MobileNetV1 does: cut to an integer, never under 8."""
    return max(int(channels * width), 8)


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round to the nearest multiple of `divisor` as MobileNetV2 does: at most 10 % down."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def _mobilenet_v1(
    body: Iterable[tuple[int, int]], *, separable: bool = True
) -> Callable[[float, Input, int], Arch]:
    layers = tuple(body)

    def build(width: float, shape: Input, classes: int) -> Arch:
        stem = Stem(truncated(32, width), stride=2)
        blocks = tuple(
            Block("separable" if separable else "conv", truncated(channels, width), stride=stride)
            for channels, stride in layers
        )
        return Arch(shape, stem, blocks, Head(), classes)

    return build


def _mobilenet_v2(width: float, shape: Input, classes: int) -> Arch:
    stem = Stem(make_divisible(32 * width), stride=2)
    channels = stem.channels
    blocks: list[Block] = []
    for expansion, base, repeats, first_stride in _V2_BODY:
        out = make_divisible(base * width)
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            skip = stride == 1 and out == channels
            blocks.append(
                Block("inverted", out, stride=stride, expansion=expansion, skip=skip),
            )
            channels = out
    # The last layer stays wide in the narrow networks: section 5 of the paper.
    head = Head(make_divisible(1280 * max(1.0, width)))
    return Arch(shape, stem, tuple(blocks), head, classes, "relu6")


def _resnet(
    stem: Stem, widths: Iterable[int], repeats: Iterable[int]
) -> Callable[[float, Input, int], Arch]:
    """Stages of basic blocks; each stage but the first begins with stride 2 (arXiv:1512.03385)."""
    stages = tuple(zip(widths, repeats, strict=True))

    def build(width: float, shape: Input, classes: int) -> Arch:
        def scaled(channels: int) -> int:
            return max(1, round(channels * width))

        blocks = tuple(
            Block("basic", scaled(channels), stride=2 if stage > 0 and repeat == 0 else 1)
            for stage, (channels, count) in enumerate(stages)
            for repeat in range(count)
        )
        scaled_stem = replace(stem, channels=scaled(stem.channels))
        return Arch(shape, scaled_stem, blocks, Head(), classes)

    return build


def _imagenet_resnet(repeats: tuple[int, int, int, int]) -> _Entry:
    stem = Stem(64, kernel=7, stride=2, pool=2)
    return _Entry(_resnet(stem, (64, 128, 256, 512), repeats), _IMAGENET)


def _cifar_resnet(depth: int) -> _Entry:
    """6n+2 layers; the shortcut is projected where the shape changes (option B of the paper)."""
    repeats = ((depth - 2) // 6,) * 3
    return _Entry(_resnet(Stem(16), (16, 32, 64), repeats), _CIFAR)


_NETWORKS: dict[str, _Entry] = {
    "mobilenet_v1": _Entry(_mobilenet_v1(_V1_BODY), _IMAGENET),
    "conv_mobilenet": _Entry(_mobilenet_v1(_V1_BODY, separable=False), _IMAGENET),
    # Without the five equal layers at 14x14 (table 5 of the paper).
    "shallow_mobilenet": _Entry(_mobilenet_v1((*_V1_BODY[:6], *_V1_BODY[11:])), _IMAGENET),
    "mobilenet_v2": _Entry(_mobilenet_v2, _IMAGENET),
    "resnet18": _imagenet_resnet((2, 2, 2, 2)),
    "resnet34": _imagenet_resnet((3, 4, 6, 3)),
    **{f"cifar_resnet{depth}": _cifar_resnet(depth) for depth in (20, 32, 44, 56, 110)},
}
