"""`convbudget front PATH…`: the fronts of studies, as tables or JSON."""

import json
from collections.abc import Sequence
from pathlib import Path

from search.cli.arguments import Parser, page_path, reads
from search.errors import UserError
from search.files import write
from search.report.axes import form_of
from search.study.study import Study, locate
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
    parser.add_argument(
        "--picture",
        type=reads(_picture),
        metavar="FILE",
        help="draw the front of one study as FILE.png, .svg or .pdf, for a paper",
    )
    parser.add_argument(
        "--page",
        type=reads(page_path),
        metavar="FILE.html",
        help="write the page of one study as it stands, also while it is searched",
    )
    arguments = parser.parse_args(argv)
    if arguments.picture is not None or arguments.page is not None:
        return _drawn(arguments.path, arguments.picture, arguments.page)
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


def _drawn(paths: Sequence[str], picture: Path | None, page: Path | None) -> int:
    """Write the picture and the page of one study, and say where they are."""
    if len(paths) > 1:
        raise UserError(
            f"{len(paths)} studies do not share one picture or page; name one of them, or compare"
            " them with convbudget compare"
        )
    from search.report.study import study_page, study_picture

    folder = locate(paths[0])
    if not (folder / "study.db").exists():
        raise UserError(
            f"{folder} keeps its front alone, and what is drawn are all trials, which are in"
            " study.db; name a study that has it"
        )
    with Study.read(folder) as study:
        if picture is not None:
            write(picture, study_picture(study, form_of(picture)))
            print(f"Picture: {picture}")
        if page is not None:
            write(page, study_page(study))
            print(f"Page: {page}")
    return 0


def _picture(text: str) -> Path:
    form_of(Path(text))
    return Path(text)
