"""Figures as aligned columns of plain text, and a layer's as JSON."""

from collections.abc import Sequence
from typing import Any

from search.networks.cost import LayerCost


def layer_json(layer: LayerCost) -> dict[str, Any]:
    """Return one layer's figures as JSON values; the params also split."""
    names = [
        *("name", "kind", "kernel", "stride", "in_channels", "out_channels", "in_size"),
        *("out_size", "multiplies", "params", "weights", "biases", "batch_norms"),
    ]
    return {name: getattr(layer, name) for name in names}


def table(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Align columns: the first `left` to the left, the others, being numbers, to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
