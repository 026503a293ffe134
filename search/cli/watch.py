"""`convbudget front --watch` and `--serve`: a front while its study runs."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from search.errors import shown
from search.report.live import LiveStudy, View
from search.report.notes import objective_of
from search.report.serve import serving
from search.report.table import front_rows, show, summary, text_columns, title, unbroken
from search.report.terminal import table
from search.units import counted

# Seconds between two looks at the study's file.
_PAUSE = 1.0


def follow(
    folder: Path,
    console: Console,
    *,
    watch: bool,
    port: int | None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show a study until its run has ended (`watch`) or the user stops; serve its page on `port`.

    Ctrl-C ends it without a message. Raises `UserError` where there is no study, or the port is in
    use.
    """
    live = LiveStudy(folder)
    live.view()
    try:
        with ExitStack() as stack:
            if port is not None:
                address = stack.enter_context(serving(live, port))
                where = f"{address} shows {folder}, renewed as trials arrive; Ctrl-C ends it"
                console.print(where, highlight=False, markup=False, soft_wrap=True)
            if watch:
                _watch(live, console, sleep)
                show(console, live.view().content, live.view().found)
            while not watch:
                sleep(_PAUSE)
    except KeyboardInterrupt:
        return


def _watch(live: LiveStudy, console: Console, sleep: Callable[[float], None]) -> None:
    """Redraw the front until no process writes to the study; without a terminal, one line each."""
    view, told = live.view(), -1
    if not console.is_terminal:
        while view.writer is not None:
            if len(view.trials) != told:
                told = len(view.trials)
                console.print(state(view), highlight=False, markup=False, soft_wrap=True)
            sleep(_PAUSE)
            view = live.view()
        return
    with Live(_drawn(view), console=console, auto_refresh=False, transient=True) as drawn:
        while view.writer is not None:
            sleep(_PAUSE)
            view = live.view()
            drawn.update(_drawn(view), refresh=True)


def state(view: View) -> str:
    """Say on one line how far a study is and who writes to it."""
    objective = objective_of(view.content)
    best = max((row.ranked_by(objective) for row in view.found), default=None)
    area = f", hypervolume {view.content['hypervolume']:.4f}"
    found = "" if best is None else f", best {best:.4f}{area}"
    writer = "no run is writing to it" if view.writer is None else f"running: {view.writer}"
    return f"{counted(len(view.trials), 'trial')}{found}; {shown(writer)}"


def _drawn(view: View) -> Group:
    rows = front_rows(view.content, view.found)
    text = text_columns(rows)
    return Group(
        Text(f"{title(view.content)}: {summary(view.content, view.found)}"),
        table(rows, left=text, whole=unbroken(rows)),
        Text(state(view)),
    )
