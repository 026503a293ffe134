"""`convbudget compare STUDY…`: which strategy, space or budget did better, and how sure that is."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from search.cli.arguments import Parser, new_file, page_path, reads
from search.errors import UserError
from search.files import write
from search.report.axes import form_of
from search.study.study import locate
from search.units import parse_multiplies

_EPILOG = """Studies that differ in nothing but their seed are one group; the groups are named after
what sets them apart. Studies of other data, another split or another way of counting are refused.
"""


def main(argv: Sequence[str]) -> int:
    """Compare the studies named in `argv`, in the terminal and as a page; return the exit code.

    Raises `UserError` for a folder that is not a study, and for studies that cannot be compared.
    """
    options = _parser().parse_args(list(argv))
    # Imported here: SciPy alone takes longer than --help may.
    from search.compare.figures import as_json, measure
    from search.compare.studies import read

    # An earlier page lies beside the studies, where outputs/* finds it.
    studies = [name for name in options.study if Path(name).suffix != ".html"]
    if not studies:
        raise UserError(f"{options.study[0]} is a page, not a study; name folders, as outputs/*")
    comparison = measure(read(studies), options.at, options.seed)
    target = options.out
    if target is None and not options.json:
        target = locate(studies[0]).absolute().parent / "compare.html"
    if target is not None:
        from search.compare.page import page

        write(target, page(comparison))
    if options.picture is not None:
        from search.compare.picture import draw

        write(options.picture, draw(comparison, form_of(options.picture)))
    if options.json:
        print(json.dumps(as_json(comparison), indent=1))
        return 0
    from rich.console import Console

    from search.compare.table import show

    console = Console(width=None if sys.stdout.isatty() else 120)
    show(console, comparison)
    console.print(f"Page: {target}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="convbudget compare",
        description="Compares studies over seeds: fronts, accuracy within a cost, whole"
        " distributions at matched multiplies.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("study", nargs="+", metavar="STUDY", help="a study's folder or name")
    parser.add_argument(
        "--at", type=reads(_levels), metavar="50k,100k", help="costs at which to give accuracies"
    )
    parser.add_argument(
        "--out",
        type=reads(page_path),
        metavar="FILE.html",
        help="where the page goes, by default compare.html beside the first study; with --json,"
        " none",
    )
    parser.add_argument(
        "--picture",
        type=reads(_picture),
        metavar="FILE",
        help="draw the comparison as FILE.png, .svg or .pdf, for a paper",
    )
    parser.add_argument(
        "--seed", type=reads(_seed), default=0, metavar="0", help="of the random permutations"
    )
    parser.add_argument("--json", action="store_true", help="print all figures as one object")
    return parser


def _levels(text: str) -> list[int]:
    return [parse_multiplies(part, "--at") for part in text.split(",")]


def _picture(text: str) -> Path:
    form_of(Path(text))
    return new_file(text)


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise UserError(f"{text!r} is not a seed; write an integer from 0 on, such as 0")
    return int(text)
