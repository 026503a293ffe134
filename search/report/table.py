"""The front as a table: rows of cells, which the terminal and the page both lay out."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from search.errors import shown
from search.networks.decisions import short_form
from search.pareto import Objective
from search.report.finals import (
    FINAL_TEXT,
    OTHER_FINALS,
    final_note,
    final_rows,
    other_finals,
    test_in_short,
)
from search.report.latency import TITLE as LATENCY_TITLE
from search.report.latency import correlation_notes, milliseconds
from search.report.latency import rows as latency_rows
from search.report.notes import classes_unequal, objective_of, selection_note
from search.report.terminal import Rows, table
from search.study.finals import firsts
from search.study.latency import Latency, columns, parts_of
from search.study.trials import FrontEntry
from search.units import counted, format_multiplies

# Characters of a network's decisions and, since anything is possible there, of a user's own value.
_NETWORK = 500
_VALUE = 80
# More columns of latency than this have a table of their own.
_LATENCIES = 2
# Behind the id of a row that was computed unlike most trials of its study.
_UNLIKE = "*"


def front_rows(content: Mapping[str, Any], found: Sequence[FrontEntry]) -> Rows:
    """Return the head and a row for each member; `content` is what `front.json` says.

    Balanced accuracy has a column where it ranks or classes are of unequal size, what the search
    measured of the objective where the front is confirmed, median latency in milliseconds where it
    was measured in few ways, and the test accuracy of the first reading where a member has a final.
    A star marks architectures that were computed on another device, or by other versions, than most
    of the study.
    """
    confirmed = content.get("confirmed", False)
    objective = objective_of(content)
    balanced = objective == "balanced_accuracy" or classes_unequal(
        content["facts"]["data"], [(row.accuracy, row.balanced_accuracy) for row in found]
    )
    finals = firsts(content.get("finals", ()))
    tested = any(row.arch_id in finals for row in found)
    head = ["arch", "multiplies", "params", "accuracy"]
    latency = columns(content.get("latency", ()))
    if len(latency) > _LATENCIES:
        latency = {}
    head += ["balanced"] * balanced + ["in search"] * confirmed + ["test"] * tested
    head += [*map(_latency_head, latency), "decisions"]
    rows: Rows = [tuple(head)]
    unlike = set(content.get("mixed", {}).get("arch_ids", ()))
    for row in found:
        cells = [
            shown(row.arch_id) + _UNLIKE * (row.arch_id in unlike),
            format_multiplies(row.multiplies),
            "" if row.params is None else f"{row.params:,}",
            measured(row, "accuracy"),
        ]
        cells += [measured(row, "balanced_accuracy")] * balanced
        cells += [f"{row.searched(objective):.4f}"] * confirmed
        cells += [test_in_short(finals.get(row.arch_id))] * tested
        for medians in latency.values():
            cells.append(milliseconds(medians[row.arch_id]) if row.arch_id in medians else "")
        rows.append((*cells, _decisions(row)))
    return rows


def landmark_rows(content: Mapping[str, Any]) -> Rows:
    """Return the head and a row for each landmark, cheapest first."""
    unequal = objective_of(content) == "balanced_accuracy" or classes_unequal(
        content["facts"]["data"], []
    )
    head = ["network", "width", "multiplies", "params", "accuracy"] + ["balanced"] * unequal
    rows: Rows = [tuple(head)]
    for one in content.get("landmarks", []):
        balanced = one["balanced_accuracy"]
        cells = [
            shown(one["name"], _VALUE),
            f"{one['width']:g}",
            format_multiplies(one["multiplies"]),
            f"{one['params']:,}",
            f"{one['accuracy']:.4f}",
        ]
        cells += ["" if balanced is None else f"{balanced:.4f}"] * unequal
        rows.append(tuple(cells))
    return rows


def text_columns(rows: Rows) -> tuple[int, int]:
    """Return the columns of `front_rows` that are text: the id and the decisions."""
    return 0, len(rows[0]) - 1


def unbroken(rows: Rows) -> list[int]:
    """Return the columns of `front_rows` that a narrow terminal leaves on one line."""
    return [index for index, head in enumerate(rows[0]) if head not in ("test", "decisions")]


def explanation(content: Mapping[str, Any], found: Sequence[FrontEntry]) -> list[str]:
    """Say what the columns and the hypervolume mean, a paragraph each."""
    info = content["facts"]
    confirmed = content.get("confirmed", False)
    lines = [selection_note(confirmed=confirmed, unseen=content.get("unseen", 0))]
    if confirmed:
        lines[0] += (
            " ± is their standard deviation over seeds; in search: what the search had measured"
            + (", on the validation images." if content.get("unseen") else ".")
        )
    if mixed := content.get("mixed"):
        lines.append(
            f"Computed differently ({shown('; '.join(mixed['differences']), _NETWORK)}): the last"
            f" digits of equal trainings may differ; {_UNLIKE} marks rows unlike most of the"
            " trials, and trials.csv has what each was computed on."
        )
    if any(row.ops for row in found):
        lines.append(
            "Decisions: s8 a stem of 8 channels, w16 a stage of 16, d2 with 2 blocks, k5 a kernel"
            " of 5×5, e4 an expansion of 4, skip adds the block's input, plain does not."
        )
    if objective_of(content) == "balanced_accuracy":
        lines.append(
            "Ranked by balanced accuracy: the mean over classes of the share of its images that is"
            " right; the hypervolume is measured by it too."
        )
    members = {row.arch_id for row in found}
    if finals := [one for one in content.get("finals", ()) if one["arch_id"] in members]:
        lines.append(final_note(finals))
    lines.append(
        f"Hypervolume {content['hypervolume']:.4f}: share of the area between the cheapest"
        f" architecture, {format_multiplies(info['cheapest'])}, and the budget, and between"
        f" chance, {info['chance']:.3g}, and 1."
    )
    return lines


def title(content: Mapping[str, Any]) -> str:
    """Name the front."""
    return f"Front of {shown(content['study'], 100)}"


def summary(content: Mapping[str, Any], found: Sequence[FrontEntry]) -> str:
    """Say how many trials there were, on which data, within which budget."""
    info = content["facts"]
    data = f" on {shown(info['data']['name'], 100)}" if info["data"] else ""
    low = f"{format_multiplies(info['low'])} to " if info["low"] else ""
    return (
        f"{len(found)} of {counted(content['trials'], 'trial')}{data},"
        f" budget {low}{format_multiplies(info['high'])} multiplies"
    )


def show(console: Console, content: Mapping[str, Any], found: Sequence[FrontEntry]) -> None:
    """Print a front, `content` being what `front.json` says of it."""
    heading = f"{title(content)}: {summary(content, found)}"
    console.print(heading, highlight=False, markup=False, soft_wrap=True)
    rows = front_rows(content, found)
    text = text_columns(rows)
    console.print(table(rows, left=text, whole=unbroken(rows)), highlight=False)
    measurements = [Latency(**one) for one in content.get("latency", ())]
    if len({one.column for one in measurements}) > _LATENCIES:
        console.print(LATENCY_TITLE, highlight=False, markup=False)
        own = [one for row in found for one in measurements if one.arch_id == row.arch_id]
        cells = latency_rows(own)
        console.print(table(cells, left=(0, 2), whole=(0, 1, 2)), highlight=False)
    if content.get("landmarks"):
        console.print(landmark_title(content), highlight=False, markup=False)
        console.print(table(landmark_rows(content)), highlight=False)
    others = other_finals(content, [row.arch_id for row in found])
    if others:
        console.print(OTHER_FINALS, highlight=False, markup=False)
        console.print(table(final_rows(others), left=FINAL_TEXT, whole=(0, 2, 3)), highlight=False)
    notes = [*explanation(content, found), *correlation_notes(content.get("latency", ()))]
    for line in notes:
        console.print(line, highlight=False, markup=False)


def landmark_title(content: Mapping[str, Any]) -> str:
    """Say what the landmarks are, and where they were scored if the front was scored elsewhere."""
    where = ", scored on the validation images" if content.get("unseen") else ""
    return f"Known networks, trained as the candidates were{where}, channels scaled by the width:"


def measured(row: FrontEntry, objective: Objective) -> str:
    """Write a member's figure, with its standard deviation where there are several seeds."""
    spread = f" ± {row.spread(objective):.4f}" if row.seeds > 1 else ""
    return f"{row.ranked_by(objective):.4f}{spread}"


def _latency_head(column: str) -> str:
    runtime, platform, batch = parts_of(column)
    return f"ms {runtime} {platform} ×{batch}"


def _decisions(row: FrontEntry) -> str:
    if row.ops:
        return shown(short_form(row.value), _NETWORK)
    return shown(row.value, _VALUE)
