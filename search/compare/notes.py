"""What a reader of a comparison must beware of."""

from collections.abc import Sequence

from scipy.stats import t

from search.compare.groups import Group
from search.compare.populations import Matched
from search.errors import shown
from search.report.notes import selection_note
from search.study.computed import platforms, variants


def notes(
    groups: Sequence[Group],
    confirmed: bool,
    matches: Sequence[Matched | None],
    unseen: int = 0,
) -> list[str]:
    """Return one sentence or two for each thing to beware of, most important first.

    `unseen`: on how many images that the searches never saw the front was confirmed.
    """
    found = [_seeds(groups), selection_note(confirmed=confirmed, unseen=unseen)]
    found.append(_strategies(groups))
    if any(one is not None and one.p is None for one in matches):
        found.append(
            "A p-value is missing where too few studies were exchanged for it ever to reach 0.05:"
            " 6 seeds shared by both groups are enough, or 4 in each."
        )
    if len(matches) > 1:
        found.append(f"p-values are not adjusted for {len(matches)} comparisons.")
    if len({len(g.entries) for g in groups}) > 1:
        found.append("Groups have unequal numbers of seeds.")
    if len({entry.objective for g in groups for entry in g.entries}) > 1:
        found.append(
            "Studies with different objectives are compared by accuracy, which some of them did not"
            " maximise."
        )
    mixed = platforms(trial for g in groups for entry in g.entries for trial in entry.trials)
    if len(mixed) > 1:
        found.append(
            f"Trials were computed on different platforms ({'; '.join(mixed)}): equal trainings"
            " differ a little there, and seconds cannot be compared."
        )
    unlike = variants(trial for g in groups for entry in g.entries for trial in entry.trials)
    if unlike:
        found.append(
            f"Trials were computed with different versions or numbers of cores"
            f" ({'; '.join(unlike)}): the last bits of equal trainings may differ."
        )
    return [note for note in found if note]


def _seeds(groups: Sequence[Group]) -> str:
    fewest = min(len(g.entries) for g in groups)
    if fewest < 2:
        alone = ", ".join(shown(g.label, 40) for g in groups if len(g.entries) < 2)
        return f"One seed alone has no interval ({alone}): add seeds, as in -m seed=0,1,2."
    if fewest < 5:
        return (
            f"With {fewest} seeds an interval reaches {t.ppf(0.975, fewest - 1):.1f} standard"
            f" errors to each side, with 5 only {t.ppf(0.975, 4):.1f}: add seeds to narrow it."
        )
    return ""


def _strategies(groups: Sequence[Group]) -> str:
    learning = not all(entry.independent for g in groups for entry in g.entries)
    if len(groups) < 2 or not learning:
        return ""
    return (
        "Models that a learning strategy chose are not a random sample of their space: read KS as"
        " a distance between what was tried; strategy=random and strategy=population sample."
    )
