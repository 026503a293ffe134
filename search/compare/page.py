"""A comparison as one page that opens anywhere."""

from search.compare.content import compare_page
from search.compare.figures import Comparison
from search.report.page import filled


def page(comparison: Comparison) -> str:
    """Return `compare.html`."""
    content = compare_page(comparison)
    return filled("compare", content.title, content)
