"""The options of `convbudget retrain`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.cli.arguments import Parser
from search.errors import UserError, nearest, shown

if TYPE_CHECKING:
    from search.config.data import DataConfig

_PROGRAMS = "cache.programs="


def main(argv: Sequence[str]) -> int:
    """Train the named networks to the end and print what the test part tells; return the code.

    Raises `UserError` for a mistake in the command line, the study or the data.
    """
    arguments = _parser().parse_intermixed_args(list(argv))
    from rich.console import Console

    from search.finals.networks import Choice
    from search.finals.plan import Plan
    from search.finals.retrain import retrain
    from search.report.finals import FINAL_TEXT, final_lines, final_rows
    from search.report.terminal import table
    from search.study.study import locate

    folder = locate(arguments.study)
    _check_together(arguments)
    plan = Plan(
        choice=Choice(arguments.at, arguments.id, arguments.all),
        zoo=arguments.zoo,
        epochs=arguments.epochs,
        seeds=arguments.seeds,
        teacher=arguments.teacher,
        begin=getattr(arguments, "from"),
        **{key: value for key, value in _strengths(arguments).items() if value is not None},
    )
    programs, words = _programs(arguments.override)
    data = _data(folder, words)
    # Figures alone on stdout where they are for a program.
    console = Console(stderr=arguments.json, width=None if sys.stdout.isatty() else 120)
    other = any(word.startswith("data=") for word in words)
    moved = "" if other else " ".join(words)
    finals = retrain(folder, plan, data, console, moved=moved, programs=programs)
    if arguments.json:
        print(json.dumps(finals, indent=1))
        return 0
    for final in finals:
        place, seed = folder / final["folder"], final["seed_numbers"][0]
        weights = f"  weights            {place} (seed {seed})"
        for line in (*final_lines(final), weights):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if len(finals) > 1:
        console.print(table(final_rows(finals), left=FINAL_TEXT, whole=(0, 2, 3)), highlight=False)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="convbudget retrain",
        description="Trains networks of a study to the end, on all images but the test part, and"
        " reads that part once for each.",
        epilog="KEY=VALUE name other data, as for convbudget run: data=folder data.path=FOLDER;"
        " cache.programs=FOLDER keeps compiled programs there, cache.programs=null nowhere",
    )
    parser.add_argument("study", metavar="STUDY", help="a study's folder or name")
    parser.add_argument(
        "override", nargs="*", metavar="KEY=VALUE", help="other data, or cache.programs"
    )
    which = parser.add_argument_group("networks, by default the most accurate of the front")
    which.add_argument("--at", metavar="BUDGET", help="the most accurate within so many multiplies")
    which.add_argument("--id", metavar="ID", help="the one with this id, or its beginning")
    which.add_argument("--all", action="store_true", help="all of the front")
    which.add_argument(
        "--zoo",
        metavar="NAME[@BUDGET]",
        help="a published network, as wide as fits; by default into the study's budget",
    )
    parser.add_argument(
        "--epochs", type=int, help="length of each training, by default 4 times the study's"
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each network (3)")
    parser.add_argument(
        "--from",
        choices=("scratch", "weights"),
        default="scratch",
        help="begin with fresh weights (the default), or with those of the study",
    )
    parser.add_argument(
        "--teacher",
        metavar="ID|zoo:NAME|FOLDER",
        help="learn from the soft labels of another network (arXiv:1503.02531)",
    )
    parser.add_argument(
        "--temperature", type=float, help="of the teacher's soft labels, by default 4"
    )
    parser.add_argument(
        "--teacher-weight", type=float, help="share of the soft labels in the loss, by default 0.9"
    )
    parser.add_argument("--json", action="store_true", help="print the finals as a JSON list")
    return parser


def _strengths(arguments: argparse.Namespace) -> dict[str, float | None]:
    return {
        "temperature": arguments.temperature,
        "teacher_weight": arguments.teacher_weight,
    }


def _check_together(arguments: argparse.Namespace) -> None:
    """Refuse options that contradict one another, or have no effect."""
    given = [
        f"--{name}"
        for name in ("at", "id", "all", "zoo")
        if getattr(arguments, name) not in (None, False)
    ]
    if len(given) > 1:
        raise UserError(f"{given[0]} and {given[1]} each choose networks; give one of them")
    for name, value in _strengths(arguments).items():
        if value is not None and arguments.teacher is None:
            option = name.replace("_", "-")
            raise UserError(f"--{option} has no effect without --teacher; add one, or leave it out")


def _programs(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return where compiled programs are kept, as `cache.programs` of a search, and other words."""
    from search.config.run import CacheConfig

    told = [word for word in words if word.startswith(_PROGRAMS)]
    rest = [word for word in words if word not in told]
    if not told:
        return CacheConfig().programs, rest
    text = told[-1].removeprefix(_PROGRAMS).strip()
    folder = CacheConfig(None if text == "null" else text).programs
    # A worker need not have this process's working directory.
    return str(Path(folder).expanduser().absolute()) if folder else folder, rest


def _data(folder: Path, words: Sequence[str]) -> "DataConfig | None":
    """Return the data that the words name; None without any, for the study's own.

    `data=…` chooses a config as `convbudget run` does; keys alone change those of the study.
    """
    if not words:
        return None
    for word in words:
        key, equals, _ = word.partition("=")
        if not equals or not (key == "data" or key.startswith("data.")):
            raise UserError(
                f"{shown(word)} is not about the data; retrain takes data=…, data.KEY=VALUE and"
                " cache.programs=FOLDER, and trains as the study did"
            )
    if any(word.startswith("data=") for word in words):
        from search.cli.hydra import compose

        return compose(words).data
    import yaml

    from search.config.data import DataConfig
    from search.finals.images import data_of
    from search.study.study import Study

    known = [declared.name for declared in fields(DataConfig)]
    values: dict[str, Any] = {}
    for word in words:
        key, _, text = word.removeprefix("data.").partition("=")
        if key not in known:
            raise UserError(f"data.{shown(key)} is not a key; {nearest(key[:40], known)}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        values[key] = "" if value is None else value
    with Study.read(folder) as study:
        return data_of(study, values)
