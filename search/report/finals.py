"""Finals in words and rows: what networks are worth on the test part, apart from validation.

A second reading of a model on the same test part is marked wherever its figure stands.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from search.errors import shown
from search.report.terminal import Rows
from search.study.finals import Final, firsts
from search.units import counted, format_multiplies

_NOTE = (
    "test: accuracy on the test part after `convbudget retrain`, on all other images and with seeds"
    " of its own; the search never reads that part."
)
_SEVERAL = " Of a network that was read more than once this is the first; front.json has all."
OTHER_FINALS = "Finals of networks that are not on the front, and on other data:"
# Columns of `final_rows` that are text.
FINAL_TEXT = (0, 1, 6)
# Classes named as the hardest.
_HARDEST = 3


def test_accuracy(final: Final | None) -> str:
    """Write a final's accuracy with its spread and, but for the first, its reading."""
    if final is None:
        return ""
    text = f"{final['accuracy']:.4f}"
    if final["accuracy_std"] is not None:
        text += f" ± {final['accuracy_std']:.4f}"
    return text + mark(final["reading"])


def test_in_short(final: Final | None) -> str:
    """Write a final's accuracy with what it was trained by: `0.9787 ± 0.0021 (8 epochs)`."""
    if final is None:
        return ""
    length = counted(final["epochs"], "epoch")
    teacher = final["teacher"]
    taught = f", taught by {shown(teacher['name'], 20)}" if teacher else ""
    return f"{test_accuracy(final)} ({length}{taught})"


def final_note(finals: Collection[Final]) -> str:
    """Say what the column of test figures means, for the finals of the front's members."""
    return _NOTE + _SEVERAL * (len(firsts(finals)) < len(finals))


def mark(reading: int) -> str:
    """Mark all readings but the first: ` (2nd reading)`."""
    if reading == 1:
        return ""
    teens = reading % 100 in (11, 12, 13)
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(reading % 10, "th")
    return f" ({reading}{ending} reading)"


def name(final: Final) -> str:
    """Name a final's network: its id, behind the name it has in the zoo."""
    known = shown(final["name"])
    return f"{known} ({final['arch_id']})" if known else str(final["arch_id"])


def other_finals(content: Mapping[str, Any], front: Collection[str]) -> list[Final]:
    """Return the finals of `front.json` that no row of the front shows."""
    own = [one for one in content.get("finals", ()) if one["arch_id"] not in front]
    return [*own, *content.get("finals_on_other_data", ())]


def final_rows(finals: Sequence[Final]) -> Rows:
    """Return the head and a row for each final."""
    rows: Rows = [("network", "data", "multiplies", "test", "epochs", "seeds", "training")]
    for one in finals:
        cells = (
            shown(one["name"] or one["arch_id"]),
            shown(one["data"]["name"], 20),
            format_multiplies(one["multiplies"]),
            test_accuracy(one),
            str(one["epochs"]),
            str(one["seeds"]),
            _training(one),
        )
        rows.append(cells)
    return rows


def final_lines(final: Final) -> list[str]:
    """Describe a final, a line for each figure."""
    data, several = final["data"], final["seeds"] > 1
    images = f"{data['train_images']:,} images of {shown(data['name'])}"
    other = "" if data["own"] else ", other data than the study's"
    seeds = f"{final['seeds']} seeds" if several else "one seed"
    lines = [
        f"Final of {name(final)}: {format_multiplies(final['multiplies'])} multiplies,"
        f" {counted(final['epochs'], 'epoch')} on {images}{other}, {seeds}, {_training(final)}",
        f"  test accuracy      {test_accuracy(final)}  on {data['test_images']:,} images"
        + (", mean ± standard deviation over seeds" if several else ""),
        f"  balanced accuracy  {final['balanced_accuracy']:.4f}",
        f"  NLL                {final['nll']:.4f}  mean negative log-likelihood, in nats",
        f"  calibration error  {final['ece']:.4f}  {len(final['ece_bins'])} bins of equal width"
        " (Guo et al. 2017)",
    ]
    rates = [
        (rate, shown(label))
        for label, rate in zip(data["classes"], final["per_class"], strict=True)
        if rate is not None
    ]
    worst = ", ".join(f"{label} {rate:.4f}" for rate, label in sorted(rates)[:_HARDEST])
    return [*lines, f"  hardest classes    {worst}"]


def _training(final: Final) -> str:
    begun = "from weights" if final["from"] == "weights" else "from scratch"
    teacher = final["teacher"]
    return f"{begun}, taught by {shown(teacher['name'])}" if teacher else begun
