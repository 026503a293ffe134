"""The options of `convbudget space`; what it prints is in `search.cli.space`."""

import sys
from collections.abc import Sequence

from search.cli.arguments import Parser, folder, reads


def main(argv: Sequence[str]) -> int:
    """Describe the space that the configuration names; returns the exit code.

    Raises `UserError` for a mistake in the configuration and for an empty budget.
    """
    arguments = _parser().parse_intermixed_args(list(argv))
    # Imported here: Hydra alone takes longer than --help may.
    from search.cli.hydra import compose

    config = compose(arguments.override, arguments.config_dir)
    from rich.console import Console

    from search.cli.space import show
    from search.runner.images import chain_for

    chain = chain_for(config, Console(stderr=True))
    show(chain, *config.interval, seed=config.seed, as_json=arguments.json, out=sys.stdout)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="convbudget space",
        description="How many networks a space has, how many fit the budget, what they look like.",
        epilog="KEY=VALUE are those of convbudget run: data=digits space=small budget=200k seed=0",
    )
    parser.add_argument("override", nargs="*", metavar="KEY=VALUE", help="what to look at")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--config-dir", metavar="DIR", type=reads(folder), help="a folder of your own configs"
    )
    return parser
