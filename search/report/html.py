"""HTML for notebooks, escaped: a paragraph, a table."""

from collections.abc import Collection, Sequence
from html import escape


def paragraph(text: str) -> str:
    """Return `text`, escaped, as a paragraph."""
    return f"<p>{escape(text)}</p>"


def table(rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> str:
    """Return `rows`, the head first, as a table; columns in `left` are text, others numbers."""
    lines = [_row(row, "td", left) for row in rows[1:]]
    return "\n".join(["<table>", _row(rows[0], "th", left), *lines, "</table>"])


def _row(cells: Sequence[str], tag: str, left: Collection[int]) -> str:
    kinds = (' class="text"' if index in left else "" for index in range(len(cells)))
    inside = (f"<{tag}{kind}>{escape(c)}</{tag}>" for kind, c in zip(kinds, cells, strict=True))
    return f"<tr>{''.join(inside)}</tr>"
