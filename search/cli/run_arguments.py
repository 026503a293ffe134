"""The options of `convbudget run`: those of Hydra's own command line, read without importing it."""

import argparse
from collections.abc import Sequence

from search.cli.arguments import Parser, folder, reads
from search.errors import UserError, shown

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
# At most one of these may be given.
_MODES = ("help", "hydra_help", "version", "cfg", "info", "shell_completion", "run", "multirun")


def main(argv: Sequence[str]) -> int:
    """Run one study, or with `-m` one for each combination; returns the exit code.

    Raises `UserError` for a mistake in the command line or in a value.
    """
    arguments = parse(argv)
    if arguments.version:
        from importlib.metadata import version

        print(f"convbudget {version('convbudget')}, Hydra {version('hydra-core')}")
        return 0
    if arguments.shell_completion:
        from search.cli.completion import answer

        print(answer(arguments.overrides), end="")
        return 0
    if arguments.help and not (
        arguments.overrides or arguments.config_dir or arguments.config_name
    ):
        # Without Hydra, which alone takes longer than help may.
        from search.cli.run_help import text

        print(text())
        return 0
    from search.cli.hydra import run

    return run(arguments)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the options; raises `UserError` for one that is unknown, useless or contradicted."""
    arguments = parser().parse_intermixed_args(list(argv))
    if arguments.config_path is not None:
        raise UserError(
            f"--config-path {shown(arguments.config_path)} would take the place of convbudget's own"
            " configs, which it needs; add a folder of yours with --config-dir DIR"
        )
    if arguments.experimental_rerun is not None:
        raise UserError(
            f"--experimental-rerun {shown(arguments.experimental_rerun)} is not needed; the same"
            " command goes on with its study"
        )
    given = [mode for mode in _MODES if getattr(arguments, mode)]
    if len(given) > 1:
        first, second = (f"--{mode.replace('_', '-')}" for mode in given[:2])
        raise UserError(f"{first} and {second} exclude each other; give one of them")
    for option in ("package", "resolve"):
        if getattr(arguments, option) and not arguments.cfg:
            raise UserError(f"--{option} has no effect without --cfg; add --cfg job")
    return arguments


def parser() -> Parser:
    """Return the parser; `tests/cli` compares its options with Hydra's."""
    built = Parser(prog="convbudget run", add_help=False)
    built.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    for name, letter in (
        ("help", "h"),
        ("resolve", None),
        ("run", "r"),
        ("multirun", "m"),
        ("shell-completion", "sc"),
        ("hydra-help", None),
        ("version", None),
    ):
        built.add_argument(f"--{name}", *([f"-{letter}"] if letter else []), action="store_true")
    built.add_argument("--cfg", "-c", choices=("job", "hydra", "all"))
    built.add_argument("--info", "-i", nargs="?", const="all", choices=INFO)
    built.add_argument("--package", "-p")
    built.add_argument("--config-dir", "-cd", metavar="DIR", type=reads(folder))
    built.add_argument("--config-name", "-cn", metavar="NAME")
    built.add_argument("--config-path", "-cp")
    built.add_argument("--experimental-rerun")
    return built
