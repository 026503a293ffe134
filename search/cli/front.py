"""`convbudget front PATH…`: the fronts of studies, at their end or while they run."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from search.cli.arguments import Parser, new_file, page_path, reads
from search.errors import UserError, shown
from search.files import write
from search.report.axes import form_of
from search.study.study import Study, locate
from search.study.tables import read_front

# Of `--serve` by itself.
_PORT = 8765
# Options that go together; each other one is an action of its own.
_TOGETHER = {"--picture": "draw", "--page": "draw", "--watch": "follow", "--serve": "follow"}


def main(argv: Sequence[str]) -> int:
    """Print the front of each study named in `argv`; returns the exit code.

    Raises `UserError` for a path that is not a study.
    """
    arguments = _parse(argv)
    if arguments.picture is not None or arguments.page is not None:
        return _drawn(arguments.path, arguments.picture, arguments.page)
    # All are read before anything is printed: a bad path leaves no half output.
    folders = [locate(path) for path in arguments.path]
    if arguments.to is not None:
        from search.export.optuna import export

        print(export(folders[0], arguments.to[1], name=arguments.study_name))
        return 0
    if arguments.watch or arguments.serve is not None:
        from rich.console import Console

        from search.cli.watch import follow

        follow(folders[0], Console(), watch=arguments.watch, port=arguments.serve)
        return 0
    fronts = [read_front(folder) for folder in folders]
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


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="convbudget front",
        description="Prints the front of one study or several, or follows one that runs.",
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
        type=reads(_page),
        metavar="FILE.html",
        help="write the page of one study as it stands, also while it is searched",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="redraw the table as trials arrive, until the run has ended or Ctrl-C",
    )
    parser.add_argument(
        "--serve",
        nargs="?",
        type=_port,
        const=_port(""),
        metavar="PORT",
        help=f"serve the study's page on 127.0.0.1 (port {_PORT}), renewed as trials arrive, until"
        " Ctrl-C; 0 takes any free port",
    )
    parser.add_argument(
        "--to",
        nargs=2,
        metavar=("optuna", "STORAGE"),
        help="write all trials as a study of Optuna's, into sqlite:///x.db or the file x.db",
    )
    parser.add_argument(
        "--study-name", metavar="NAME", help="name of Optuna's study, by default that of the study"
    )
    arguments = parser.parse_args(argv)
    _check_one_action(arguments)
    following = arguments.watch or arguments.serve is not None
    if (following or arguments.to is not None) and len(arguments.path) > 1:
        raise UserError(
            f"{len(arguments.path)} studies are given, and --watch, --serve and --to take one;"
            " name it"
        )
    if arguments.to is not None and arguments.to[0] != "optuna":
        raise UserError(f"--to {shown(arguments.to[0])} is unknown; known is optuna")
    if arguments.study_name is not None and arguments.to is None:
        raise UserError("--study-name has no effect without --to optuna; leave it out")
    return arguments


def _check_one_action(arguments: argparse.Namespace) -> None:
    """Raise `UserError` that names what to leave out, where options ask for different things."""
    given = {
        "--picture": arguments.picture is not None,
        "--page": arguments.page is not None,
        "--json": arguments.json,
        "--watch": arguments.watch,
        "--serve": arguments.serve is not None,
        "--to": arguments.to is not None,
    }
    names = [name for name, is_given in given.items() if is_given]
    first = [name for name in names if _action(name) == _action(names[0])]
    rest = [name for name in names if name not in first]
    if rest:
        raise UserError(
            f"{' and '.join(names)} exclude each other; leave out {' and '.join(rest)}, or"
            f" {' and '.join(first)}"
        )


def _action(option: str) -> str:
    return _TOGETHER.get(option, option)


def _port(text: str) -> int:
    """Read a port; the usual one where none is given."""
    if not text:
        return _PORT
    if text.isascii() and text.isdigit() and int(text[:6]) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"'{shown(text)}' is not a port; write 0 to 65535, or put --serve after the study"
    )


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


def _page(text: str) -> Path:
    page_path(text)
    return new_file(text)


def _picture(text: str) -> Path:
    form_of(Path(text))
    return new_file(text)
