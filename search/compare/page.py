"""A comparison as one page that opens anywhere, the drawings inside it."""

from search.compare.figures import Comparison
from search.compare.picture import draw
from search.compare.table import explanation, names, tables
from search.errors import shown
from search.report.html import document, paragraph, table
from search.report.terminal import Rows

# Characters of the page's title.
_TITLE = 120


def page(comparison: Comparison) -> str:
    """Return the HTML."""
    short = names(comparison)
    groups: Rows = [("", "group", "studies")]
    for one in comparison.groups:
        studies = ", ".join(map(shown, one.studies))
        groups.append((short[one.label], shown(one.label, 1000), studies))
    body = [
        table(groups, title="Groups", left=(0, 1, 2)),
        draw(comparison),
        *(table(rows, title=title) for title, rows in tables(comparison)),
        *map(paragraph, explanation(comparison)),
    ]
    labels = [one.label for one in comparison.groups]
    title = " against ".join(labels) if len(labels) < 4 else f"{len(labels)} groups"
    return document(shown(title, _TITLE), body)
