"""The image files of a folder of class folders, and the identity of their contents.

The identity is a hash of every file's name, size and time of change. For up to `_LARGE` files it is
computed anew each time. For more it is kept in the cache, and trusted while no class folder has
changed (any file added, removed, renamed or replaced changes its folder's time) and none of
`_SAMPLED` files has. So in a large set a single file that was overwritten in place can be missed;
`touch` its folder to have all files looked at.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from search.data.image import SUFFIXES
from search.errors import UserError
from search.files import write

_LARGE = 20_000
_SAMPLED = 1_000
# A folder that changed within so many nanoseconds may change again without a new time.
_RECENT = 2 * 10**9


def subfolders(folder: Path) -> list[Path]:
    """The visible folders inside one, in alphabetical order; raises `UserError`."""
    try:
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in entries if entry.is_dir()]
    except OSError as error:
        raise _unreadable(folder, error) from None
    return sorted(path for path in found if not path.name.startswith("."))


def images_in(folder: Path) -> list[str]:
    """The names of the image files in one class folder, in alphabetical order.

    Reads the folder alone, no file. Raises `UserError` where there is none.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.name.lower().endswith(SUFFIXES)
                and not entry.name.startswith(".")
                and entry.is_file()
            )
    except OSError as error:
        raise _unreadable(folder, error) from None
    if not names:
        raise UserError(
            f"class {folder.name!r} is empty: {folder} holds no image ({', '.join(SUFFIXES)});"
            " add some, or remove the folder"
        )
    return names


def identity(part: Path, classes: Mapping[str, int], cache: Path) -> str:
    """Hexadecimal SHA-256 of the names, sizes and times of the files in the folders of `part`.

    `classes` are the training part's, whose names belong to it. Raises `UserError` for an empty
    class folder, and for a file that vanished meanwhile.
    """
    key = hashlib.sha256("\0".join([os.path.abspath(part), *classes]).encode(*_SURROGATES))
    kept = cache / "folders" / f"{key.hexdigest()[:32]}.json"
    if digest := _kept(kept, part):
        return digest
    before = _folder_times(part)
    running = hashlib.sha256("\0".join(classes).encode(*_SURROGATES))
    files: list[str] = []
    for folder in subfolders(part):
        for name in images_in(folder):
            path = f"{folder.name}/{name}"
            size, changed = _size_and_time(part / path)
            running.update(f"{path} {size} {changed}\n".encode(*_SURROGATES))
            files.append(path)
    digest = running.hexdigest()
    settled = max(before.values(), default=0) < time.time_ns() - _RECENT
    if len(files) > _LARGE and settled and before == _folder_times(part):
        sampled = files[:: max(1, len(files) // _SAMPLED)]
        content = {
            "digest": digest,
            "folders": before,
            "files": {path: list(_size_and_time(part / path)) for path in sampled},
        }
        # Without it the next start only takes longer.
        with suppress(UserError):
            write(kept, json.dumps(content), durable=False)
    return digest


_SURROGATES = ("utf-8", "surrogateescape")


def _kept(file: Path, part: Path) -> str:
    """The digest in `file` if neither the folders nor the sampled files have changed since."""
    try:
        content: dict[str, Any] = json.loads(file.read_text())
        if content["folders"] != _folder_times(part):
            return ""
        for path, known in content["files"].items():
            if list(_size_and_time(part / path)) != known:
                return ""
        return str(content["digest"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _folder_times(part: Path) -> dict[str, int]:
    return {folder.name: folder.stat().st_mtime_ns for folder in subfolders(part)}


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    return status.st_size, status.st_mtime_ns


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"can't read {path}: {error.strerror or error}; check the folder and its permissions"
    )


def labelled_files(part: Path, classes: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Path and label of every image, class by class."""
    for folder in subfolders(part):
        for name in images_in(folder):
            yield os.path.join(folder, name), classes[folder.name]
