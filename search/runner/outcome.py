"""What a search found."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.report.html import paragraph, table
from search.report.table import front_rows, summary, text_columns
from search.study.study import Study
from search.study.tables import study_content
from search.study.trials import FrontEntry, Trial


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a search found.

    `trials` in the order of asking, `front` cheapest first, `hypervolume` of the front in [0, 1],
    `reason` why it ended (`trials`, `hours`, `exhausted`, or `joined` where this process trained
    for another that searches), `folder` of the study or None, `content` what `front.json` says.
    """

    trials: list[Trial]
    front: list[FrontEntry]
    hypervolume: float
    reason: str
    folder: Path | None
    content: Mapping[str, Any]

    def __repr__(self) -> str:
        place = f", in {self.folder}" if self.folder else ""
        return (
            f"Outcome({len(self.trials)} trials, {len(self.front)} on the front, hypervolume"
            f" {self.hypervolume:.4f}, ended by {self.reason}{place})"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the front as a table."""
        rows = front_rows(self.content, self.front)
        said = paragraph(summary(self.content, self.front))
        return f"{said}{table(rows, left=text_columns(rows))}"


def read_outcome(folder: Path, reason: str) -> Outcome:
    """Return what another process found and recorded until now."""
    with Study.read(folder) as study:
        trials = study.trials()
        content, found = study_content(study, trials)
    return Outcome(trials, found, content["hypervolume"], reason, folder, content)
