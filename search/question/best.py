"""The best of each family: fronts that were searched, confirmed, and read on the test part."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.errors import UserError, shown
from search.question.table import (
    COUNT,
    INDEX,
    SHARE,
    SHARE_OR_NONE,
    SIZE_OR_NONE,
    TEXT,
    Rule,
    from_csv,
    one_of,
)
from search.question.trainings import FAMILIES

# Budgets at which fronts are read.
BUDGETS = 5
LANDMARK = "zoo"


@dataclass(frozen=True)
class Found:
    """A member of a family's front, or a known network trained as the candidates were.

    `family`: `zoo` for a known one; `name`: the study's, or the known network's; `budget`: of its
    search; `accuracy`: mean over `seeds` fresh seeds on `unseen` images that the search never saw,
    0 where they are the validation images; `test_accuracy`: mean over `test_seeds` trainings to
    the end; `_std`: standard deviation over seeds, NaN where unknown; `data`: trained on it.
    """

    family: str
    name: str
    budget: int
    arch_id: str
    multiplies: int
    accuracy: float
    accuracy_std: float
    seeds: int
    unseen: int
    confirmed: bool
    test_accuracy: float
    test_seeds: int
    # Not in the tables of earlier versions.
    test_accuracy_std: float = math.nan
    data: str = ""


@dataclass(frozen=True)
class AtBudget:
    """The most accurate of a family within a budget of multiplies."""

    budget: int
    found: Found


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("budget", "multiplies", "seeds"), COUNT),
    **dict.fromkeys(("unseen", "test_seeds"), INDEX),
    **dict.fromkeys(("accuracy_std", "test_accuracy_std"), SIZE_OR_NONE),
    **dict.fromkeys(("name", "arch_id"), TEXT),
    "accuracy": SHARE,
    "test_accuracy": SHARE_OR_NONE,
    "family": one_of((*FAMILIES, LANDMARK)),
}


def read_best(path: Path, data: str) -> list[Found]:
    """Read the table of the best, on `data`; raises `UserError` for another."""
    found = from_csv(Found, path, _RULES)
    for one in found:
        # Tables of earlier versions do not say.
        if one.data and one.data != data:
            raise UserError(
                f"{path} has networks trained on {shown(one.data)}, the table beside it trainings"
                f" on {shown(data)}; name one without the other beside it"
            )
    return found


def searches(every: Sequence[Found]) -> dict[str, int]:
    """Return how many searches there were for each family."""
    names = {(one.family, one.name) for one in every if one.family != LANDMARK}
    return dict(sorted(Counter(family for family, _ in names).items()))


def known(every: Sequence[Found]) -> list[Found]:
    """Return the known networks by name, each from the cheapest on."""
    return sorted(
        (one for one in every if one.family == LANDMARK),
        key=lambda one: (one.name, one.multiplies, one.arch_id),
    )


def at_budgets(every: Sequence[Found]) -> list[AtBudget]:
    """Return the best of each family within five budgets, evenly spaced in log-multiplies.

    They go from the cheapest budget within which every searched family has a network to the
    largest of the searches.
    """
    families = sorted({one.family for one in every} - {LANDMARK})
    if not families:
        return []
    lowest = max(min(one.multiplies for one in every if one.family == name) for name in families)
    highest = max(one.budget for one in every)
    chosen = []
    for budget in np.geomspace(lowest, max(lowest, highest), BUDGETS).round().astype(int).tolist():
        for name in (*families, LANDMARK):
            inside = [one for one in every if one.family == name and one.multiplies <= budget]
            if inside:
                best = max(inside, key=lambda one: (one.accuracy, -one.multiplies, one.arch_id))
                chosen.append(AtBudget(budget, best))
    return chosen
