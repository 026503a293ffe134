"""The answer as Markdown, for a README or an issue: verdicts and findings."""

from textwrap import fill

from search.question.answer import Answer
from search.question.cells import claim_rows
from search.question.claims import claims, sentences

_WIDTH = 100


def summary(found: Answer) -> str:
    """Return a table of the claims and a list of the sentences, lines of up to 100 characters."""
    head, *rows = claim_rows(claims(found))
    table = [head, ("---",) * len(head), *rows]
    lines = [f"| {' | '.join(row)} |" for row in table]
    points = [
        fill(one, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        for one in sentences(found)
    ]
    return "\n".join([*lines, "", *points]) + "\n"
