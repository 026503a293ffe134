"""The folder of a study: locked while written, free of links, refused if it holds other files."""

from pathlib import Path

from search.errors import UserError
from search.files import reported, sweep
from search.study.connection import NAME
from search.study.hold import HOLDER, LOCK, Hold, hold

# What a folder may hold that a first start, killed early, left behind.
_OURS = {LOCK, HOLDER, NAME, f"{NAME}-journal", "config.yaml", "run.log"}
# Sub-folders that a study writes into, and files that are written in place.
_FOLDERS = ("archs", "weights", "checkpoints", "checkpoints/confirmation", "finals")
_IN_PLACE = (LOCK, HOLDER, "run.log", NAME, f"{NAME}-journal", f"{NAME}-wal", f"{NAME}-shm")


def held(folder: Path) -> Hold:
    """Make the folder if absent, take the right to write, and sweep what killed processes left.

    Raises `StudyInUse`, and `UserError` where it holds something else than a study, leads elsewhere
    by a link, or cannot be written.
    """
    _refuse_strangers(folder)
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_links(folder)
    found = hold(folder)
    for place in (folder, *(folder / name for name in _FOLDERS)):
        sweep(place)
    return found


def _refuse_strangers(folder: Path) -> None:
    with reported(folder):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file, not the folder of a study; choose another study=")
        if not folder.is_dir():
            return
        database = folder / NAME
        # An empty file holds no results: those beside it would be overwritten.
        if database.exists() and (database.is_dir() or database.stat().st_size):
            return
        strangers = sorted(
            entry.name
            for entry in folder.iterdir()
            if entry.name not in _OURS and not entry.name.startswith(".writing-")
        )
    if strangers:
        held = "an empty" if database.exists() else "no"
        raise UserError(
            f"{folder} is not a study: it holds {strangers[0]!r} and {held} {NAME}; choose another"
            " study="
        )


def _refuse_links(folder: Path) -> None:
    """Refuse links through which a study, perhaps a stranger's, would write elsewhere."""
    for name in (*_IN_PLACE, *_FOLDERS):
        if (folder / name).is_symlink():
            raise UserError(
                f"{folder / name} is a link, and a study writes into its own folder only; put what"
                " it leads to in its place, or choose another study="
            )
