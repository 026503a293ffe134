"""`convbudget export STUDY --to FORM`: found networks in the forms that other programs read."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search.cli.arguments import Parser, new_folder, reads
from search.export.forms import FORMS, Choice, check_choice
from search.units import parse_multiplies


def parser() -> Parser:
    """Return the parser of the command."""
    made = Parser(
        prog="convbudget export",
        description=(
            "Writes trained networks of a study's front as files that other programs run. Each is"
            " run on the validation images before it is left, and must compute what ours does."
        ),
    )
    made.add_argument("study", help="a study's folder or name")
    made.add_argument(
        "--to", required=True, choices=tuple(FORMS), help=" | ".join(FORMS), metavar="FORM"
    )
    which = made.add_mutually_exclusive_group()
    which.add_argument("--id", help="the network with this id, or its beginning; default: the best")
    which.add_argument("--at", metavar="BUDGET", help="the best within so many multiplies, as 50k")
    which.add_argument("--all", action="store_true", help="every network of the front")
    made.add_argument(
        "--int8",
        action="store_true",
        help="quantise, calibrated on training images (onnx and tflite)",
    )
    made.add_argument(
        "--raw",
        action="store_true",
        help="leave out the normalisation: the file takes (pixel / 255 - mean) / std",
    )
    made.add_argument(
        "--out",
        type=reads(new_folder),
        help="where the folders go; default: export in the study's, export/NAME of a shipped front",
    )
    made.add_argument("--json", action="store_true", help="print what export.json says of each")
    return made


def main(argv: Sequence[str]) -> int:
    """Export the networks that `argv` names; returns the exit code. Raises `UserError`."""
    arguments = parser().parse_args(argv)
    choice = Choice(arguments.to, arguments.int8, arguments.raw)
    check_choice(choice)
    written = _exported(arguments, choice)
    if arguments.json:
        print(json.dumps(written if arguments.all else written[0], indent=1))
    return 0


def _exported(arguments: argparse.Namespace, choice: Choice) -> list[dict[str, Any]]:
    """Export and print one network after another; returns what is said of each."""
    # Imported here, so that --help need not wait for JAX.
    from search.export.deliver import deliver
    from search.export.images import check_images
    from search.export.load import find
    from search.study.places import is_shipped, locate
    from search.study.tables import read_front

    folder = locate(arguments.study)
    if arguments.at is not None:
        parse_multiplies(arguments.at, "--at")
    at = "" if arguments.at is None else f"@{arguments.at}"
    ids = [arguments.id]
    if arguments.all:
        # Without a front `find` says so, as it does for the best.
        ids = [row.arch_id for row in read_front(folder)[1]] or [None]
    models = [find(f"{folder}{at}", each) for each in ids]
    images = check_images(folder, models[0].arch.input)
    if images.reason and not choice.int8:
        print(f"checked on random images, because {images.reason}", file=sys.stderr)
    own = Path("export", folder.name) if is_shipped(folder) else folder / "export"
    out = own if arguments.out is None else arguments.out.expanduser()
    written = []
    for packed in models:
        said = deliver(packed, choice, images, out)
        written.append(said)
        if not arguments.json:
            print(describe(said, out))
    return written


def describe(said: dict[str, Any], out: Path) -> str:
    """Return what the command prints of one export, from what its `export.json` says."""
    check, taken = said["check"], said["input"]
    folder = out / f"{said['arch_id']}-{Choice(said['form'], said['int8'], said['raw']).folder}"
    files = ", ".join(f"{name} ({size:,} bytes)" for name, size in said["files"].items())
    shape = ", ".join(map(str, taken["shape"]))
    lines = [
        f"{folder}: {files}",
        f"  takes {taken['layout']} {taken['dtype']} [{shape}]: {taken['values']}",
        f"  logits differ from ours by at most {check['largest_difference']:.2g} (the largest is"
        f" {check['largest_logit']:.3g}), predictions are the same on {check['same_predictions']:,}"
        f" of {check['images']:,} {check['part']} images",
    ]
    if check["accuracy"] is not None:
        before = f"{check['accuracy_before']:.4f} before, " if said["int8"] else ""
        after = f"{check['accuracy']:.4f}" + (" in int8" if said["int8"] else "")
        seen = ", on images of its training" if check["trained_on_these_images"] else ""
        lines.append(f"  validation accuracy {before}{after}{seen}")
    if said["calibration_images"]:
        lines[-1] += f", calibrated on {said['calibration_images']} training images"
    if said["notice"]:
        lines.append(f"  {said['notice']}")
    return "\n".join(lines)
