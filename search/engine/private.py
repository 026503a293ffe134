"""Folders of a user's own, for files that are run when they are read."""

import os
import stat
from contextlib import suppress
from pathlib import Path


class NotPrivate(Exception):
    """Raised for a folder that cannot be this user's alone, with the reason."""


def home() -> str:
    """A cache folder may be shared by a group; each user has a folder of their own in it."""
    return f"programs-{os.geteuid()}" if hasattr(os, "geteuid") else "programs"


def private_folder(folder: Path) -> Path:
    """Return the folder, made if need be, in which nobody but this user can write.

    Its parent is made so as well. Raises `NotPrivate` where one of them is another's, or others
    may write there, or it cannot be made.
    """
    try:
        for one in (folder.parent, folder):
            one.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                one.mkdir(0o700)
            if not _only_ours(one):
                raise NotPrivate(f"{one} is not this user's alone: its owner or mode is another")
    except OSError as error:
        raise NotPrivate(f"{folder.parent} cannot be written ({error.strerror})") from error
    return folder


def _only_ours(folder: Path) -> bool:
    found = folder.lstat()
    if not hasattr(os, "geteuid"):
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    ours = found.st_uid == os.geteuid() and not found.st_mode & others
    return stat.S_ISDIR(found.st_mode) and ours
