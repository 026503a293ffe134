"""Rows of cells as a table in the terminal."""

from collections.abc import Collection, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

Rows = list[tuple[str, ...]]


def table(
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[int] = (0,),
    whole: Collection[int] = (),
) -> Table:
    """Lay out `rows`, the head first; columns in `left` are text, those in `whole` never wrap.

    Cells are shown as they are: brackets, as in `[/b]` or an interval, are not markup.
    """
    laid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(rows[0]):
        laid.add_column(
            Text(name), justify="left" if index in left else "right", no_wrap=index in whole
        )
    for row in rows[1:]:
        laid.add_row(*map(Text, row))
    return laid
