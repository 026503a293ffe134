"""A study while it runs: read again only when its file has changed, for terminal and browser."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.report.study import study_page
from search.study.database import NAME
from search.study.hold import running
from search.study.study import Study
from search.study.tables import study_content
from search.study.trials import FrontEntry, Trial

Stamp = tuple[int, int]
"""Time of the last change and size of a study's file: another one means new results."""


@dataclass(frozen=True)
class View:
    """A study at one moment: what `front.json` says, the front, the trials, and who writes to it.

    `writer` is the process that runs the search, None where there is none.
    """

    content: Mapping[str, Any]
    found: list[FrontEntry]
    trials: list[Trial]
    writer: str | None


class LiveStudy:
    """Reads a study whenever it has changed. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._read: tuple[Mapping[str, Any], list[FrontEntry], list[Trial]] | None = None
        self._page: tuple[Stamp, str] | None = None

    @property
    def stamp(self) -> Stamp:
        """When the study's file was last changed, and its size."""
        try:
            status = (self._folder / NAME).stat()
        except OSError:
            return 0, 0
        return status.st_mtime_ns, status.st_size

    def view(self) -> View:
        """Return the study as it is now; raises `UserError` where it cannot be read."""
        with self._lock:
            # Asked for first: what the last process wrote is then read below.
            writer = running(self._folder)
            stamp = self.stamp
            if self._read is None or stamp != self._stamp:
                with Study.read(self._folder) as study:
                    trials = study.trials()
                    content, found = study_content(study, trials)
                self._read, self._stamp = (content, found, trials), stamp
            return View(*self._read, writer)

    def html(self) -> str:
        """Return the page that the search leaves at its end, of now."""
        self.view()
        with self._lock:
            assert self._stamp is not None, "view() has read it"
            if self._page is None or self._page[0] != self._stamp:
                with Study.read(self._folder) as study:
                    self._page = self._stamp, study_page(study)
            return self._page[1]
