"""What a notebook shows: a front with its interactive page, a study."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from search.report.html import paragraph, table
from search.report.live import LiveStudy
from search.report.notes import objective_of
from search.report.study import PAGE
from search.report.table import front_rows, summary, text_columns, title
from search.study.database import NAME
from search.study.study import Study, locate
from search.study.tables import front_table, read_front, study_content
from search.study.trials import FrontEntry

_HEIGHT = 720


class Front(list[FrontEntry]):
    """The members of a front, cheapest first; in a notebook, the study's page.

    `content` is what `front.json` says; `html` the study's page, empty where only the tables were
    kept.
    """

    def __init__(
        self, members: Sequence[FrontEntry], content: Mapping[str, Any], html: str
    ) -> None:
        super().__init__(members)
        self.content, self.html = content, html

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A plain dictionary for each member, as `pandas.DataFrame` takes them.

        The columns are those of `front.csv`, then the decisions of the encoding.
        """
        content = self.content
        objective, latency = objective_of(content), content.get("latency", ())
        _, rows = front_table(self, objective, content.get("finals", ()), latency)
        return [
            {**values, "options": list(row.options)} for values, row in zip(rows, self, strict=True)
        ]

    @property
    def figure(self) -> "Figure":
        """The interactive page alone."""
        return Figure(self.html)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the page, or the table where there is none."""
        if self.html:
            return self.figure._repr_html_()
        rows = front_rows(self.content, self)
        said = paragraph(f"{title(self.content)}: {summary(self.content, self)}")
        return f"{said}{table(rows, left=text_columns(rows))}"


class Figure:
    """A page in a frame of its own, so that neither it nor the notebook changes the other."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        """Return a frame whose scripts run without access to the notebook."""
        return (
            '<iframe sandbox="allow-scripts allow-downloads" title="front" width="100%"'
            f' height="{_HEIGHT}" style="border:0"'
            f' srcdoc="{escape(self.html, quote=True)}"></iframe>'
        )


def front(study: str | Path) -> Front:
    """Return the front of a study, cheapest first; confirmed figures where it has been confirmed.

    `study` is a folder or a name, as in `search.load`. Raises `UserError` where there is none.
    """
    folder = locate(study)
    if (folder / NAME).exists():
        live = LiveStudy(folder)
        view = live.view()
        return Front(view.found, view.content, live.html())
    content, found = read_front(folder)
    return Front(found, content, _kept_page(folder / PAGE))


def _kept_page(path: Path) -> str:
    """Return the page that was kept beside the tables, as a shipped front has it; or nothing."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def study_html(study: Study) -> str:
    """Return what a notebook shows of a study: how far it is, and its front as a table."""
    content, found = study_content(study, study.trials())
    rows = front_rows(content, found)
    where = f"{study.folder}: " if study.folder else ""
    said = paragraph(f"{where}{summary(content, found)}")
    return f"{said}{table(rows, left=text_columns(rows))}"
