"""`convbudget cost`: what a network costs for one image, exactly, without building it."""

import argparse
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from search.cli.arguments import Parser, positive, reads, sizes
from search.cli.text import layer_json, table
from search.errors import UserError, nearest
from search.networks import zoo
from search.networks.arch import Arch, Input, from_json
from search.networks.blocks import SEARCHABLE_OPS
from search.networks.cost import Cost, LayerCost, cost_of
from search.units import format_multiplies

_EPILOG = f"""NAME is one of {", ".join(zoo.names())}.

`convbudget cost block {"|".join(SEARCHABLE_OPS)}` compares blocks of the same shape;
see `convbudget cost block --help`."""


def main(argv: list[str]) -> int:
    """Print the cost of a network, or of blocks of one shape; return the exit code.

    Raises `UserError` for every mistake in `argv` and in a file that it names.
    """
    if argv[:1] == ["block"]:
        # A command of its own, imported when it is called.
        from search.cli import cost_block

        return cost_block.main(argv[1:])
    options = _parser().parse_args(argv)
    arch = _arch(options)
    cost = cost_of(arch)
    if options.json:
        print(json.dumps(_as_json(options.network, arch, cost, options.layers), indent=2))
    else:
        print("\n".join(_as_text(options.network, arch, cost, options.layers)))
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="convbudget cost",
        description="Exact multiplies and parameters of a network, for one image.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", metavar="NAME|FILE.json", help="a known network, or an Arch")
    parser.add_argument(
        "--width", type=reads(_width), metavar="0.75", help="width multiplier of a known network"
    )
    parser.add_argument(
        "--input", type=reads(_input), metavar="224x224x3", help="height, width and channels"
    )
    parser.add_argument(
        "--classes", type=reads(positive), metavar="1000", help="outputs of the classifier"
    )
    parser.add_argument("--layers", action="store_true", help="every layer by itself")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser


def _width(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{text!r} is not a number; write a positive one, such as 0.75") from None


def _input(text: str) -> Input:
    return Input(*sizes(text, "224x224x3"))


def _arch(options: argparse.Namespace) -> Arch:
    named: str = options.network
    if named in zoo.names():
        width = 1.0 if options.width is None else options.width
        return zoo.network(named, width=width, input=options.input, classes=options.classes)
    path = Path(named)
    if not (path.suffix == ".json" or len(path.parts) > 1 or os.path.exists(path)):
        raise UserError(
            f"{named!r} is neither a known network nor a file; {nearest(named, zoo.names())}"
        )
    if options.width is not None:
        raise UserError(
            f"--width {options.width} can't apply to {named}, whose channels are given; leave it"
            " out, or name a MobileNet"
        )
    arch = read_arch(path)
    changes = {"input": options.input, "classes": options.classes}
    return dataclasses.replace(arch, **{k: v for k, v in changes.items() if v is not None})


def read_arch(path: Path) -> Arch:
    """Read an arch JSON; raises `UserError` that names the file."""
    return from_json(_text_of(path), source=str(path))


def _text_of(path: Path) -> str:
    rule = "name an arch JSON that can be read"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}); {rule}") from None
    except ValueError:
        raise UserError(f"{path} is not text in UTF-8; {rule}") from None


def _as_json(name: str, arch: Arch, cost: Cost, with_layers: bool) -> dict[str, Any]:
    shape = arch.input
    found: dict[str, Any] = {
        "network": name,
        "id": arch.id,
        "input": [shape.height, shape.width, shape.channels],
        "classes": arch.classes,
        "multiplies": cost.multiplies,
        "params": cost.params,
        "weights": cost.weights,
        "biases": cost.biases,
        "batch_norms": cost.batch_norms,
        "multiplies_by_kind": cost.multiplies_by_kind,
        "params_by_kind": cost.params_by_kind,
        "peak_activation": cost.peak_activation,
        "weight_bytes": cost.weight_bytes,
    }
    return {**found, "layers": [layer_json(a) for a in cost.layers]} if with_layers else found


def _as_text(name: str, arch: Arch, cost: Cost, with_layers: bool) -> list[str]:
    shape = f"{arch.input.height}x{arch.input.width}x{arch.input.channels}"
    lines = [f"{name}  input {shape}  classes {arch.classes}  id {arch.id}", ""]
    if with_layers:
        lines += [*table([_LAYER_HEAD, *map(_layer_row, cost.layers)], left=2), ""]
    rows = [("", "multiplies", "share", "params", "share")]
    for kind, multiplies in cost.multiplies_by_kind.items():
        params = cost.params_by_kind[kind]
        shares = multiplies / cost.multiplies, params / cost.params
        rows.append((kind, str(multiplies), f"{shares[0]:.1%}", str(params), f"{shares[1]:.1%}"))
    rows.append(("total", str(cost.multiplies), "", str(cost.params), ""))
    lines += [*table(rows), ""]
    details = [
        ("multiplies", f"{cost.multiplies} ({format_multiplies(cost.multiplies)})"),
        (
            "params",
            f"{cost.params} = {cost.weights} weights + {cost.biases} biases"
            f" + {cost.batch_norms} BatchNorm",
        ),
        ("weight bytes", f"{cost.weight_bytes} (float32)"),
        ("peak activation", f"{cost.peak_activation} elements"),
    ]
    return lines + table(details, left=2)


_LAYER_HEAD = ("layer", "kind", "kernel", "stride", "input", "output", "multiplies", "params")


def _layer_row(layer: LayerCost) -> tuple[str, ...]:
    before = (*layer.in_size, layer.in_channels)
    after = (*layer.out_size, layer.out_channels)
    return (
        layer.name,
        layer.kind,
        str(layer.kernel),
        str(layer.stride),
        "x".join(map(str, before)),
        "x".join(map(str, after)),
        str(layer.multiplies),
        str(layer.params),
    )
