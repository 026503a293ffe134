"""A comparison as one page that opens anywhere: drawings inside it, no script, no network."""

from collections.abc import Sequence
from html import escape

from search.compare.figures import Comparison
from search.compare.picture import draw
from search.compare.table import accuracy_rows, explanation, group_rows, letters, pair_rows

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
"""


def page(comparison: Comparison) -> str:
    """Return the HTML."""
    labels = [one.label for one in comparison.groups]
    title = escape(" against ".join(labels) if len(labels) < 4 else f"{len(labels)} groups")
    kind = "means over fresh seeds" if comparison.confirmed else "the search's own"
    parts = [
        _table("Fronts", group_rows(comparison)),
        _table(f"Best accuracy within a cost ({kind})", accuracy_rows(comparison)),
    ]
    if comparison.pairs:
        parts.append(_table("Two by two", pair_rows(comparison)))
    words = "\n".join(f"<p>{escape(line)}</p>" for line in explanation(comparison))
    short = letters(comparison)
    studies = [
        ("", "group", "studies"),
        *((short[one.label], one.label, ", ".join(one.studies)) for one in comparison.groups),
    ]
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>convbudget: {title}</title><style>{_STYLE}</style></head>
<body>
<h1>{title}</h1>
{_table("Groups", studies)}
{draw(comparison)}
{"".join(parts)}
{words}
</body>
</html>
"""


def _table(title: str, rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in rows[0])
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:]
    )
    return f"<h2>{escape(title)}</h2>\n<table>\n<tr>{head}</tr>\n{body}\n</table>\n"
