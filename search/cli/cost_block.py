"""`convbudget cost block`: every searchable block at the same shape, side by side.

A separable convolution costs 1/out + 1/k² of the standard one's multiplies (MobileNets,
arXiv:1704.04861, section 3.1).
"""

import argparse
import json
from dataclasses import dataclass
from typing import Any

from search.cli.arguments import Parser, positive, reads, sizes
from search.cli.text import layer_json, table
from search.errors import UserError
from search.networks.blocks import SEARCHABLE_OPS, Block, uses
from search.networks.cost import ConvolutionStyle, LayerCost, block_layers
from search.networks.shapes import Size


@dataclass(frozen=True)
class _BlockCost:
    """The cost of one block: its layers, with their totals."""

    op: str
    layers: tuple[LayerCost, ...]

    @property
    def multiplies(self) -> int:
        return sum(layer.multiplies for layer in self.layers)

    @property
    def params(self) -> int:
        return sum(layer.params for layer in self.layers)


def main(argv: list[str]) -> int:
    """Print the cost of the block beside those of the others; return the exit code.

    Raises `UserError` for every mistake in `argv`.
    """
    options = _parser().parse_args(argv)
    _check(options)
    ways = {op: _BlockCost(op, _layers(op, options)) for op in SEARCHABLE_OPS}
    if options.json:
        print(json.dumps(_as_json(options, ways), indent=2))
    else:
        print("\n".join(_as_text(options, ways)))
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="convbudget cost block",
        description="Multiplies and parameters of a block, beside other blocks of its shape.",
    )
    parser.add_argument("op", metavar="|".join(SEARCHABLE_OPS), choices=SEARCHABLE_OPS)
    whole = reads(positive)
    # The question's own example: one convolution of an RGB image to 128 channels.
    parser.add_argument(
        "--in", dest="inputs", metavar="3", type=whole, default=3, help="channels of the input"
    )
    parser.add_argument(
        "--out", metavar="128", type=whole, default=128, help="channels of the output"
    )
    parser.add_argument("--kernel", metavar="3", type=whole, default=3, help="side of the kernel")
    parser.add_argument(
        "--input", metavar="32x32", type=reads(_size), default=(32, 32), help="height and width"
    )
    parser.add_argument("--stride", metavar="1", type=whole, default=1)
    parser.add_argument(
        "--expansion",
        metavar="6",
        type=whole,
        default=6,
        help="where a block has one, such as inverted",
    )
    parser.add_argument("--padding", choices=("same", "valid"), default="same")
    parser.add_argument("--bias", action="store_true", help="a bias on every convolution")
    parser.add_argument(
        "--batch-norm", action="store_true", help="count the scale and shift behind each, too"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser


def _size(text: str) -> Size:
    height, width = sizes(text, "32x32")
    return height, width


def _check(options: argparse.Namespace) -> None:
    smallest = min(options.input)
    shape = "x".join(map(str, options.input))
    if options.padding == "valid" and options.kernel > smallest:
        raise UserError(
            f"--kernel {options.kernel} doesn't fit into {shape} with valid padding; take at most"
            f" {smallest}, or --padding same"
        )
    if options.stride > smallest:
        raise UserError(
            f"--stride {options.stride} leaves no pixel of {shape}; take at most {smallest}"
        )


def _layers(op: str, options: argparse.Namespace) -> tuple[LayerCost, ...]:
    expansion = options.expansion if uses(op, "expansion") else 1
    block = Block(op, options.out, options.kernel, options.stride, expansion)
    style = ConvolutionStyle(options.padding, options.bias, options.batch_norm)
    return tuple(block_layers(block, options.inputs, options.input, style=style))


def _ratios(way: _BlockCost, standard: _BlockCost) -> tuple[float, float]:
    return way.multiplies / standard.multiplies, way.params / standard.params


def _as_json(options: argparse.Namespace, ways: dict[str, _BlockCost]) -> dict[str, Any]:
    def described(way: _BlockCost) -> dict[str, Any]:
        multiplies, params = _ratios(way, ways["conv"])
        return {
            "multiplies": way.multiplies,
            "params": way.params,
            "ratio": {"multiplies": multiplies, "params": params},
            "layers": [layer_json(layer) for layer in way.layers],
        }

    return {
        "op": options.op,
        "in": options.inputs,
        "out": options.out,
        "kernel": options.kernel,
        "stride": options.stride,
        "input": list(options.input),
        "output": list(ways["conv"].layers[-1].out_size),
        "padding": options.padding,
        "bias": options.bias,
        "batch_norm": options.batch_norm,
        "expansion": options.expansion,
        **described(ways[options.op]),
        "ways": {op: described(way) for op, way in ways.items()},
    }


def _as_text(options: argparse.Namespace, ways: dict[str, _BlockCost]) -> list[str]:
    standard = ways["conv"]
    before = "x".join(map(str, (*options.input, options.inputs)))
    after = "x".join(map(str, (*standard.layers[0].out_size, options.out)))
    extras = [name for name in ("bias", "batch_norm") if getattr(options, name)]
    counted = " + ".join(["weights", *extras]).replace("_", " ")
    kernel = f"{options.kernel}x{options.kernel}"
    rows = [("", "multiplies", "ratio", "params", "ratio")]
    for way in ways.values():
        multiplies, params = (f"{ratio:.2f}" for ratio in _ratios(way, standard))
        sign = ">" if way.op == options.op else " "
        expands = uses(way.op, "expansion")
        label = f"{way.op}, expansion {options.expansion}" if expands else way.op
        rows.append((f"{sign} {label}", str(way.multiplies), multiplies, str(way.params), params))
        if len(way.layers) > 1:
            rows += [
                (
                    f"    {layer.role} {layer.kernel}x{layer.kernel}",
                    str(layer.multiplies),
                    "",
                    str(layer.params),
                    "",
                )
                for layer in way.layers
            ]
    return [
        f"{before} -> {after}, kernel {kernel}, stride {options.stride}, padding"
        f" {options.padding}; params count {counted}",
        "",
        *table(rows),
        "",
        _law(options, ways),
    ]


def _law(options: argparse.Namespace, ways: dict[str, _BlockCost]) -> str:
    ratio, _ = _ratios(ways["separable"], ways["conv"])
    return (
        f"separable / conv = {ratio:.2f} = 1/{options.out} + 1/{options.kernel**2} of the"
        " multiplies: 1/out + 1/kernel^2"
    )
