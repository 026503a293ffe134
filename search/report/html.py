"""A page that opens anywhere: everything inside it, no script, no network."""

from collections.abc import Collection, Sequence
from html import escape

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
img, svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
.text { text-align: left; }
"""


def document(title: str, body: Sequence[str]) -> str:
    """Return a page with `title`, which is escaped, and the parts of `body`, which are HTML."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>convbudget: {escape(title)}</title><style>{_STYLE}</style></head>
<body>
<h1>{escape(title)}</h1>
{chr(10).join(body)}
</body>
</html>
"""


def paragraph(text: str) -> str:
    """Return `text`, escaped, as a paragraph."""
    return f"<p>{escape(text)}</p>"


def table(rows: Sequence[Sequence[str]], *, title: str = "", left: Collection[int] = (0,)) -> str:
    """Return `rows`, the head first, as a table; columns in `left` are text, others numbers."""
    lines = [_row(row, "td", left) for row in rows[1:]]
    heading = f"<h2>{escape(title)}</h2>\n" if title else ""
    return "\n".join([f"{heading}<table>", _row(rows[0], "th", left), *lines, "</table>"])


def _row(cells: Sequence[str], tag: str, left: Collection[int]) -> str:
    kinds = (' class="text"' if index in left else "" for index in range(len(cells)))
    inside = (f"<{tag}{kind}>{escape(c)}</{tag}>" for kind, c in zip(kinds, cells, strict=True))
    return f"<tr>{''.join(inside)}</tr>"
