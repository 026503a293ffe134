"""What a reader must know beside the figures, in the words that table, page and JSON share."""

from collections.abc import Iterable, Mapping
from typing import Any

from search.pareto import Objective

# The fewest seeds whose spread is worth showing.
_SEEDS = 3
# Classes are called unequal from this ratio of the largest to the smallest on.
_RATIO = 1.5
# Where the sizes are unknown: a stratified part differs by single images, so does its accuracy.
_DIFFERENCE = 0.01


def selection_note(*, confirmed: bool, unseen: int = 0) -> str:
    """Say which selection bias is left in the accuracies of a front.

    `confirmed`: they are means over seeds that the search did not use; `unseen`: on how many images
    that the search did not use either, 0 where they are the validation images.
    """
    if not confirmed:
        return (
            "Accuracies are the search's own: the highest of many noisy measurements, on average"
            f" too high. `convbudget run` with confirm.seeds={_SEEDS} trains the front again with"
            " fresh seeds."
        )
    if unseen:
        return (
            f"Accuracies are means over fresh seeds, on {unseen:,} images that the search never"
            " saw: they chose nothing, so that each member's is unbiased; the best of several is"
            " still a little too high."
        )
    return (
        "Accuracies are means over fresh seeds, but on the validation images that chose the front:"
        " a part of the selection bias is left."
    )


def objective_of(content: Mapping[str, Any]) -> Objective:
    """Return what ranks a front, from what `front.json` says; accuracy where it is silent."""
    found: Objective = content["facts"].get("objective", "accuracy")
    return found


def classes_unequal(data: Mapping[str, Any], accuracies: Iterable[tuple[float, float]]) -> bool:
    """Say whether balanced accuracy is worth showing beside accuracy.

    `data` is what a study notes of its data, with `class_counts` where they are known; `accuracies`
    are pairs (accuracy, balanced accuracy), NaN where not measured, for where they are not.
    """
    counts = data.get("class_counts")
    if counts:
        return bool(max(counts) > _RATIO * min(counts))
    return any(abs(plain - balanced) > _DIFFERENCE for plain, balanced in accuracies)
