"""Checkpoints between a search and those workers that do not see its folder."""

import re
from collections.abc import Mapping
from pathlib import Path

from search.engine.checkpoints import Checkpoints
from search.engine.kept import key_of
from search.files import write
from search.jobs import Job

_NAME = re.compile(r"[0-9a-f]{12}-s\d+-e\d+\.npz")


def travelling(folder: Path, job: Job, *, finished: bool) -> dict[str, bytes]:
    """Return the checkpoint that a job can go on from, or the one it left if it has `finished`.

    A name and the bytes of the file, nothing where there is none.
    """
    wanted = key_of(job)
    for place in Checkpoints(folder, None).longest(wanted):
        if place.partial or (finished and place != wanted):
            continue
        try:
            return {place.filename: (folder / place.filename).read_bytes()}
        except FileNotFoundError:
            continue
    return {}


def receive(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write checkpoints that arrived, each whole or not at all; raises `UserError`."""
    for name, content in files.items():
        if _NAME.fullmatch(name):
            write(folder / name, content)
