"""`convbudget question STUDY…`: which kind of block is best at equal multiplies, claim by claim."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from search.cli.arguments import Parser, new_folder, reads
from search.study.study import locate

_EPILOG = """STUDY is a folder or name, or the trials.csv of an earlier answer, which stands for
the populations; searches may be named beside it. Studies may still be growing; these
commands make them:
  convbudget run -m experiment=question        populations of each kind of block
  convbudget run experiment=question_pairs     what replacing the blocks of a network loses
  convbudget run -m experiment=question_best   the best of each kind, confirmed
"""


def main(argv: Sequence[str]) -> int:
    """Answer from the studies named in `argv`; return the exit code.

    Raises `UserError` where there is no population of two kinds, and for studies that cannot be
    compared.
    """
    options = _parser().parse_args(list(argv))
    # Imported here: SciPy alone takes longer than --help may.
    from search.question.answer import answer
    from search.question.leave import as_object, leave
    from search.question.reading import read_material

    material = read_material(options.study)
    found = answer(material)
    target = options.out
    if target is None and not options.json:
        first = Path(options.study[0])
        beside = first if first.is_file() else locate(options.study[0])
        target = beside.absolute().parent / "question"
    if target is not None:
        leave(target, material, found)
    if options.json:
        print(json.dumps(as_object(found), indent=1))
        return 0
    from rich.console import Console

    from search.question.terminal import show

    console = Console(width=None if sys.stdout.isatty() else 120)
    show(console, found)
    console.print(
        f"Page: {target / 'question.html'}", highlight=False, markup=False, soft_wrap=True
    )
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="convbudget question",
        description="Standard, separable or mixed at equal multiplies: the claims, each with its"
        " verdict and interval.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "study", nargs="+", metavar="STUDY", help="a population's folder or name, or a trials.csv"
    )
    parser.add_argument(
        "--out",
        type=reads(new_folder),
        metavar="FOLDER",
        help="where page, figures and tables go, by default the folder question beside the first"
        " study; with --json, none",
    )
    parser.add_argument("--json", action="store_true", help="print all tables as one object")
    return parser
