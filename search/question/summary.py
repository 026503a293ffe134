"""The answer as Markdown, for a README or an issue: verdicts, findings, the best of each kind."""

import math
from collections.abc import Iterable, Sequence
from textwrap import fill

from search.question.answer import Answer
from search.question.best import LANDMARK, AtBudget, Found
from search.question.cells import claim_rows
from search.question.claims import claims, sentences
from search.question.phrases import with_spread
from search.units import counted, format_multiplies

_WIDTH = 100
_KNOWN = "Known networks as wide as fits: accuracy on the validation images, one seed each."


def summary(found: Answer) -> str:
    """Return a table of the claims, a list of the sentences, and a table of the best, if any.

    Lines of the list have up to 100 characters.
    """
    points = [
        fill(one, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        for one in sentences(found)
    ]
    lines = [*verdicts(found), "", *points]
    if found.best:
        lines += ["", fill(_measured(found), _WIDTH), "", *_table(_best_rows(found.best))]
    if found.known:
        lines += ["", _KNOWN, "", *_table(_known_rows(found.known))]
    return "\n".join(lines) + "\n"


def verdicts(found: Answer) -> list[str]:
    """Return the lines of a table of the claims."""
    return _table(claim_rows(claims(found)))


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
    accuracy = with_spread(one.accuracy, one.accuracy_std)
    said = f"{accuracy} at {format_multiplies(one.multiplies)}"
    if one.family == LANDMARK:
        said = f"{one.name}: {said}"
    if math.isnan(one.test_accuracy):
        return said
    return f"{said}, test {with_spread(one.test_accuracy, one.test_accuracy_std)}"


def _known_rows(known: Sequence[Found]) -> list[list[str]]:
    """Return a row for each network and a column for each budget that it was scaled to."""
    budgets = sorted({one.budget for one in known})
    cells = {(one.name, one.budget): f"{one.accuracy:.4f}" for one in known}
    return [
        ["within", *map(format_multiplies, budgets)],
        *(
            [name, *(cells.get((name, budget), "–") for budget in budgets)]
            for name in dict.fromkeys(one.name for one in known)
        ),
    ]


def _measured(found: Answer) -> str:
    """Say what the accuracies in the table were measured on, by how many trainings."""
    best = found.best
    searched = [one.found for one in best if one.found.family != LANDMARK]
    images = " or ".join(
        f"{count:,} images that no search saw" if count else "validation images"
        for count in sorted({one.unseen for one in searched}, reverse=True)
    )
    said = (
        "The most accurate of each kind within a budget, by"
        f" {_range(found.searches.values(), 'run')} of the search for each: accuracy on {images},"
        f" {_seeds({one.seeds for one in searched})} each, ± their standard deviation"
    )
    known = {one.found.seeds for one in best if one.found.family == LANDMARK}
    if known:
        said += f"; of known networks on the validation images, {_seeds(known)} each"
    tested = {one.found.test_seeds for one in best} - {0}
    if tested:
        said += f". Test: longer trainings, {_seeds(tested)} each, read once on the test images"
    return f"{said}."


def _seeds(counts: Iterable[int]) -> str:
    return _range(counts, "seed")


def _range(counts: Iterable[int], noun: str) -> str:
    low, high = min(counts), max(counts)
    return counted(low, noun) if low == high else f"{low} to {counted(high, noun)}"
