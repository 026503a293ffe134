"""The folder of a study: locked while written, free of links, refused if it holds other files."""

from pathlib import Path

from search.errors import UserError
from search.files import InUse, Lock, holder, lock, reported, sweep
from search.study.database import NAME

LOCK = ".lock"
# What a folder may hold that a first start, killed early, left behind.
_OURS = {LOCK, NAME, f"{NAME}-journal", "config.yaml", "run.log"}
# Sub-folders that a study writes into, and files that are written in place.
_FOLDERS = ("archs", "weights", "checkpoints", "checkpoints/confirmation", "finals")
_IN_PLACE = (LOCK, "run.log", NAME, f"{NAME}-journal", f"{NAME}-wal", f"{NAME}-shm")


def locked(folder: Path) -> Lock:
    """Make the folder if absent, lock it, and sweep what killed processes left in it.

    Raises `UserError` where it holds something else than a study, is in use, leads elsewhere by a
    link, or cannot be written.
    """
    _refuse_strangers(folder)
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_links(folder)
    try:
        held = lock(folder / LOCK)
    except InUse as owner:
        raise UserError(
            f"{folder} is being written by {owner}; wait for it, or choose another study="
        ) from None
    for place in (folder, *(folder / name for name in _FOLDERS)):
        sweep(place)
    return held


def running(folder: Path) -> str | None:
    """Return the process that writes to a study, as far as it said who it is; None for none."""
    return holder(folder / LOCK)


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
