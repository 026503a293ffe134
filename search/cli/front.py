"""`convbudget front PATH…`: the fronts of studies, as tables or JSON."""

import json
from collections.abc import Sequence

from search.cli.arguments import Parser
from search.study.study import locate
from search.study.tables import read_front


def main(argv: Sequence[str]) -> int:
    """Print the front of each study named in `argv`; returns the exit code.

    Raises `UserError` for a path that is not a study.
    """
    parser = Parser(
        prog="convbudget front", description="Prints the front of one study or several."
    )
    parser.add_argument("path", nargs="+", help="a study's folder or name")
    parser.add_argument(
        "--json", action="store_true", help="print front.json of each, as one list if several"
    )
    arguments = parser.parse_args(argv)
    # All are read before anything is printed: a bad path leaves no half output.
    fronts = [read_front(locate(path)) for path in arguments.path]
    if arguments.json:
        contents = [content for content, _ in fronts]
        print(json.dumps(contents[0] if len(contents) == 1 else contents, indent=1))
        return 0
    from rich.console import Console

    from search.report.table import show

    console = Console()
    for content, found in fronts:
        show(console, content, found)
    return 0
