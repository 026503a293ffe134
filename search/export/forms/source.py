"""What the source files of `flax` and `torch` share: names of layers, head, constants, running."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
from safetensors.numpy import save

from search.export.folded import Floats, Folded
from search.networks.cost import cost_of
from search.networks.layers import Layer

SOURCE, WEIGHTS = "network.py", "network.safetensors"
_WIDTH = 100


def identifier(layer: Layer) -> str:
    """Return the name of a layer in a source file: `stem`, `block0_depthwise`."""
    return layer.role if layer.block is None else f"block{layer.block}_{layer.role}"


def document(network: Folded, needs: str, layout: Sequence[object]) -> list[str]:
    """Return the lines of the file's docstring; `layout` is the shape of the images."""
    pixels = "normalised floats" if network.offset is None else "pixels from 0 to 255"
    inside = (
        "The normalisation of the pixels is left to the caller."
        if network.offset is None
        else "The normalisation of the pixels happens inside."
    )
    cost = cost_of(network.arch)
    return [
        f'"""Network {network.arch.id}: {cost.multiplies:,} multiplies for one image.',
        "",
        f"Needs {needs}, and beside this file {WEIGHTS}:",
        "",
        "    network = load()",
        f"    logits = network(images)  # {pixels}, {shape_text(layout)}",
        "",
        "BatchNorm is folded into kernels and biases.",
        inside,
        '"""',
    ]


def constants(network: Folded) -> list[str]:
    """Return the lines of the constants: name of the data, classes, mean."""
    classes = map(repr, network.data["classes"])
    lines = [f"DATA = {network.data['name']!r}", *wrapped("CLASSES", classes)]
    if network.offset is not None:
        lines.append("# Mean pixel of each channel; the deviation is in the kernel of the stem.")
        lines += wrapped("MEAN", (repr(float(value)) for value in network.offset))
    return lines


def wrapped(name: str, values: Iterable[str]) -> list[str]:
    """Return the assignment of a tuple, on one line if it fits."""
    listed = list(values)
    line = f"{name} = ({', '.join(listed)}{',' if len(listed) == 1 else ''})"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{name} = (", *(f"    {value}," for value in listed), ")"]


def shape_text(shape: Iterable[object]) -> str:
    """Return the shape of an array as comments show it: `[n, 8, 8, 1]`."""
    return f"[{', '.join(map(str, shape))}]"


def leave(folder: Path, lines: Sequence[str], weights: Mapping[str, Floats]) -> None:
    """Write the source file and its weights."""
    (folder / SOURCE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    contiguous = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    # Not `save_file`, which leaves a file that other users cannot read.
    (folder / WEIGHTS).write_bytes(save(contiguous))


def run(folder: Path) -> ModuleType:
    """Import the source file of a folder, without a trace in `sys.modules` or beside the file."""
    spec = spec_from_file_location(f"exported_{folder.name}", folder / SOURCE)
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder / SOURCE} cannot be imported")
    module = module_from_spec(spec)
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module
