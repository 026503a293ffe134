"""What `convbudget run` does with a configuration: one study, from the data to the front."""

import sys
from pathlib import Path

from rich.console import Console

from search.config.run import RunConfig
from search.runner.session import Parts, search
from search.study.study import check_name


def run(config: RunConfig, name: str, text: str, console: Console | None = None) -> None:
    """Search, or go on with the study `name`, and leave its front; `text` is `config.yaml`.

    Lines go to `console`, by default the terminal.
    Raises `UserError` for bad values, of which nothing is left on the disk, and after ten failures
    in a row; `Interrupted` when the user stops it.
    """
    console = console or Console(width=None if sys.stdout.isatty() else 120)
    folder = Path(config.outputs) / check_name(name)
    search(config, folder, text, Parts(), console)
