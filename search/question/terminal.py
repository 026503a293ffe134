"""The answer in the terminal: the claims first, then the figures behind them."""

from rich.console import Console

from search.errors import shown
from search.question.answer import Answer
from search.question.cells import claim_rows, explanation, tables
from search.question.claims import claims, compared, limits
from search.report.terminal import table

# Those that a terminal shows; all are on the page and in tables.json.
_SHOWN = 3
_LONGEST = 400


def show(console: Console, found: Answer) -> None:
    """Print the claims with their findings, and the first tables."""
    every = claims(found)
    console.print(compared(found), highlight=False, markup=False)
    console.print()
    console.print(table(claim_rows(every), left=(0, 1, 2), whole=(2, 3)))
    for one in every:
        console.print(f"({one.letter}) {one.finding}", highlight=False, markup=False)
    for said in limits(found):
        console.print(said, highlight=False, markup=False)
    console.print()
    for title, rows in tables(found)[:_SHOWN]:
        console.print(title, style="bold", highlight=False, markup=False)
        console.print(table(rows, left=(0, 1)))
    for line in explanation(found):
        console.print(shown(line, _LONGEST), highlight=False, markup=False)
