"""A network drawn to scale, as SVG: width is channels, height resolution, colour the block."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import cycle

from search.networks.arch import Arch
from search.networks.blocks import BLOCKS
from search.networks.layers import IMAGE, Layer, layers_of

# Okabe and Ito's colours, which those who cannot tell red from green can tell apart
# (https://jfly.uni-koeln.de/color/); their lightness differs too, for prints in grey. A block has
# that of its place in the registry.
_PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
COLOURS = dict(zip(BLOCKS, cycle(_PALETTE), strict=False))
_OTHER, _FRAME = "#8a8a8a", "#8a8a8a"
# Within a block the cheap layers are the lighter ones.
_OPACITY = {"standard": 1.0, "pointwise": 0.7, "depthwise": 0.4, "pool": 0.25, "dense": 1.0}

# Pixels: the widest drawing, the image's height, and what keeps small things visible.
_WIDTH, _HEIGHT, _TOP, _LEFT = 720.0, 120.0, 26.0, 6.0
_NARROWEST, _LOWEST, _GAP, _BETWEEN, _PER_CHANNEL = 2.0, 3.0, 1.5, 9.0, 3.0
_SLOT = 26.0


@dataclass(frozen=True)
class Bar:
    """One layer as it is drawn: `x`, `width`, `height` in pixels; `about` says what it is."""

    layer: Layer
    x: float
    width: float
    height: float
    about: str

    @property
    def middle(self) -> float:
        """Where the bar's middle is, in pixels from the left."""
        return self.x + self.width / 2


def bars(arch: Arch) -> list[Bar]:
    """Return the layers in their order, from left to right; widths and heights are to scale.

    Widths are proportional to the channels and heights to the output's height in pixels, but for
    the least that can be seen. All fit into one width, whatever the network.
    """
    layers = layers_of(arch)
    groups = _groups(layers)
    free = _WIDTH - 2 * _LEFT - _BETWEEN * len(groups) - _GAP * len(layers) - _SLOT
    channels = sum(layer.shape.outputs for layer in layers)
    scale = min(_PER_CHANNEL, max(free, 0.0) / channels)
    pixel = _HEIGHT / max(arch.input.height, arch.input.width)
    found: list[Bar] = []
    x = _LEFT + _SLOT
    for group in groups:
        widths = [max(_NARROWEST, layer.shape.outputs * scale) for layer in group]
        used = sum(widths) + _GAP * (len(group) - 1)
        slack = max(0.0, _SLOT - used) / 2
        x += _BETWEEN + slack
        for layer, width in zip(group, widths, strict=True):
            height = max(_LOWEST, layer.shape.out_size[0] * pixel)
            found.append(Bar(layer, x, width, height, _about(layer)))
            x += width + _GAP
        x += slack - _GAP
    return found


def draw_network(arch: Arch) -> str:
    """Return the network as one SVG element, which shows what a layer is where the pointer rests.

    Text has the colour of the text around it, so that it is readable on light and dark pages.
    """
    drawn = bars(arch)
    base = _TOP + _HEIGHT
    height, width = arch.input.height, arch.input.width
    tall = _HEIGHT * height / max(height, width)
    size = f"{height}×{width}×{arch.input.channels}"
    parts = [
        f'<rect x="{_LEFT}" y="{base - tall:.1f}" width="{2 + arch.input.channels}"'
        f' height="{tall:.1f}" fill="none" stroke="{_FRAME}"><title>image {size}</title></rect>',
        _text(_LEFT, base - tall - 6, size, "start"),
    ]
    for bar in drawn:
        colour = COLOURS.get(op_of(arch, bar.layer), _OTHER)
        parts.append(
            f'<rect x="{bar.x:.1f}" y="{base - bar.height:.1f}" width="{bar.width:.1f}"'
            f' height="{bar.height:.1f}" fill="{colour}"'
            f' fill-opacity="{_OPACITY[bar.layer.shape.kind]}" stroke="{colour}"'
            f' stroke-width="0.8"><title>{escape(bar.about)}</title></rect>'
        )
    parts += _arcs(drawn, base)
    parts += _labels(arch, drawn, base)
    right = max([bar.x + bar.width for bar in drawn]) + _SLOT / 2
    legend, reach = _legend(arch, base + 52)
    total = max(right, reach) + _LEFT
    bottom = base + 60
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:.0f} {bottom:.0f}"'
        f' width="{total:.0f}" style="max-width:100%;height:auto" role="img"'
        f' aria-label="{escape(_spoken(arch), quote=True)}" font-family="system-ui, sans-serif"'
        f' font-size="11" fill="currentColor">{"".join(parts + legend)}</svg>'
    )


def op_of(arch: Arch, layer: Layer) -> str:
    """Return the kind of block that a layer belongs to; empty for stem, pooling and head."""
    return "" if layer.block is None else arch.blocks[layer.block].op


def _groups(layers: tuple[Layer, ...]) -> list[list[Layer]]:
    """Return the layers by block; what is in none stands by itself."""
    found: list[list[Layer]] = []
    for layer in layers:
        if found and layer.block is not None and found[-1][0].block == layer.block:
            found[-1].append(layer)
        else:
            found.append([layer])
    return found


def _about(layer: Layer) -> str:
    shape = layer.shape
    (height, width), stride = shape.out_size, f", stride {shape.stride}" * (shape.stride > 1)
    return (
        f"{layer.path}: {shape.kind} {shape.kernel}×{shape.kernel}{stride}, {shape.inputs} to"
        f" {shape.outputs} channels, {height}×{width}, {shape.multiplies:,} multiplies"
    )


def _arcs(drawn: list[Bar], base: float) -> Iterator[str]:
    """Draw each addition as an arc from the layer added to the one that adds it."""
    for bar in drawn:
        added = bar.layer.added
        if added is None:
            continue
        start = _LEFT if added == IMAGE else drawn[added].middle
        low = base - max(bar.height, 0.0 if added == IMAGE else drawn[added].height) - 2
        high = low - 14
        yield (
            f'<path d="M{start:.1f} {low:.1f} C{start:.1f} {high:.1f} {bar.middle:.1f} {high:.1f}'
            f' {bar.middle:.1f} {low:.1f}" fill="none" stroke="currentColor" stroke-width="1"/>'
        )


def _labels(arch: Arch, drawn: list[Bar], base: float) -> Iterator[str]:
    """Write each block's initial and kernel below it, and below that its channels."""
    by_layer = {bar.layer: bar for bar in drawn}
    reached = _LEFT + _SLOT
    for group in _groups(tuple(bar.layer for bar in drawn)):
        first, last = by_layer[group[0]], by_layer[group[-1]]
        middle = (first.x + last.x + last.width) / 2
        op = op_of(arch, group[0])
        initial = BLOCKS[op].initial if op else group[0].role
        kernel = arch.blocks[group[0].block].kernel if group[0].block is not None else 0
        label = f"{initial}{kernel or ''}"
        # A narrow neighbour keeps its bar and loses its label.
        if middle - len(label) * 3.2 < reached:
            continue
        reached = middle + max(len(label), len(str(last.layer.shape.outputs))) * 3.2
        yield _text(middle, base + 14, label)
        yield _text(middle, base + 28, str(last.layer.shape.outputs))


def _legend(arch: Arch, y: float) -> tuple[list[str], float]:
    """Return the names of the blocks beside their colours, and where they end."""
    x, parts = _LEFT, list[str]()
    for op in dict.fromkeys(block.op for block in arch.blocks):
        parts.append(
            f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10"'
            f' fill="{COLOURS.get(op, _OTHER)}"/>'
        )
        name = f"{BLOCKS[op].initial} {op}"
        parts.append(_text(x + 14, y, name, "start"))
        x += 28 + 6.2 * len(name)
    return parts, x


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _spoken(arch: Arch) -> str:
    """Say what the drawing shows, for those who hear it."""
    blocks = ", ".join(f"{b.op} {b.channels} channels stride {b.stride}" for b in arch.blocks)
    return f"Network {arch.id}: stem of {arch.stem.channels} channels, then {blocks or 'no block'}"
