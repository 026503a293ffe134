"""The answer as Markdown, for a README or an issue: verdicts, findings, the best of each kind."""

import math
from collections.abc import Iterable, Sequence
from textwrap import fill

from search.question.answer import Answer
from search.question.best import LANDMARK, AtBudget, Found
from search.question.cells import claim_rows
from search.question.claims import claims, sentences
from search.units import counted, format_multiplies

_WIDTH = 100


def summary(found: Answer) -> str:
    """Return a table of the claims, a list of the sentences, and a table of the best, if any.

    Lines of the list have up to 100 characters.
    """
    points = [
        fill(one, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        for one in sentences(found)
    ]
    lines = [*_table(claim_rows(claims(found))), "", *points]
    if found.best:
        lines += ["", fill(_measured(found.best), _WIDTH), "", *_table(_best_rows(found.best))]
    return "\n".join(lines) + "\n"


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    head, *others = rows
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *others)]


def _best_rows(best: Sequence[AtBudget]) -> list[list[str]]:
    """Return a row for each budget and a column for each family."""
    families = list(dict.fromkeys(one.found.family for one in best))
    cells = {(one.budget, one.found.family): _cell(one.found) for one in best}
    return [
        ["within", *("known" if family == LANDMARK else family for family in families)],
        *(
            [format_multiplies(budget), *(cells.get((budget, family), "–") for family in families)]
            for budget in dict.fromkeys(one.budget for one in best)
        ),
    ]


def _cell(one: Found) -> str:
    said = f"{one.accuracy:.4f} at {format_multiplies(one.multiplies)}"
    if one.family == LANDMARK:
        said = f"{one.name}: {said}"
    return said if math.isnan(one.test_accuracy) else f"{said}, test {one.test_accuracy:.4f}"


def _measured(best: Sequence[AtBudget]) -> str:
    """Say what the accuracies in the table were measured on, by how many trainings."""
    searched = [one.found for one in best if one.found.family != LANDMARK]
    images = " or ".join(
        f"{count:,} images that no search saw" if count else "validation images"
        for count in sorted({one.unseen for one in searched}, reverse=True)
    )
    said = (
        "The most accurate of each kind within a budget, by one search a kind: accuracy on"
        f" {images}, {_seeds({one.seeds for one in searched})} each"
    )
    known = {one.found.seeds for one in best if one.found.family == LANDMARK}
    if known:
        said += f"; of known networks on the validation images, {_seeds(known)} each"
    tested = {one.found.test_seeds for one in best} - {0}
    if tested:
        said += f". Test: longer trainings, {_seeds(tested)} each, read once on the test images"
    return f"{said}."


def _seeds(counts: set[int]) -> str:
    low, high = min(counts), max(counts)
    return counted(low, "seed") if low == high else f"{low} to {counted(high, 'seed')}"
