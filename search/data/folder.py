"""A plain folder of images: `train/<class>/…`, `val/` and `test/` beside it, or classes alone."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search.data.examples import Encoded, Examples, Progress, Source
from search.data.image import ImageError, peek
from search.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
# What people call the validation part's folder.
_VALIDATION = ("val", "validation", "valid", "dev")
# Headers are read so many at a time between two calls of the progress bar.
_STEP = 256


@dataclass(frozen=True)
class FolderLayout:
    """Where the parts lie: folders of class folders. `flat`: one folder for all parts."""

    root: Path
    train: Path
    validation: Path | None
    test: Path | None
    flat: bool


def layout(
    path: str, train: str = "train", validation: str = "", test: str = "test"
) -> FolderLayout:
    """Look which parts the folder has; the names are of its sub-folders.

    An empty `validation` looks for the usual names; an empty `test` is no part. Raises `UserError`
    for a path that is no folder, one without class folders, and parts without a training part.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        problem = "is a file" if root.exists() else "does not exist"
        raise UserError(f"data.path={path} {problem}; name the folder of your images")
    folders = {folder.name for folder in _folders(root)}
    if not folders:
        raise UserError(
            f"data.path={path} has no class folders; put images into {path}/CLASS/, or into"
            f" {path}/train/CLASS/"
        )
    if train not in folders:
        if train != "train" or folders <= {*_VALIDATION, "test"}:
            raise UserError(
                f"data.path={path} has no folder {train!r} for training; it has"
                f" {', '.join(sorted(folders))}"
            )
        return FolderLayout(root, root, None, None, flat=True)
    if validation and validation not in folders:
        raise UserError(
            f"data.validation={validation} is no folder in {path}; leave it out to take a"
            " part of the training images"
        )
    found = validation or next((name for name in _VALIDATION if name in folders), "")
    return FolderLayout(
        root,
        root / train,
        root / found if found else None,
        root / test if test in folders else None,
        flat=False,
    )


def source(
    root: Path, part: Path, train: Path, *, whole_header: bool, progress: Progress | None
) -> Source:
    """The images of one part, labelled by the training part's class folders in alphabetical order.

    `whole_header`: sizes and channels have to be found out from the images' headers. Raises
    `UserError` for an empty class, and for a class that the training part does not have.
    """
    classes = tuple(folder.name for folder in _folders(train))
    title = f"{root.resolve().name}" if part == root else f"{root.resolve().name} {part.name}"
    files: list[tuple[str, int]] = []
    digest = hashlib.sha256("\0".join(classes).encode("utf-8", "surrogateescape"))
    for folder in _folders(part):
        if folder.name not in classes:
            raise UserError(
                f"{part} has the class {folder.name!r}, which {train} has not; every part needs"
                " the same classes"
            )
        entries = [
            entry
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)
            if entry.name.lower().endswith(SUFFIXES)
            and not entry.name.startswith(".")
            and entry.is_file()
        ]
        if not entries:
            raise UserError(
                f"class {folder.name!r} is empty: {folder} holds no image ({', '.join(SUFFIXES)});"
                " add some, or remove the folder"
            )
        for entry in entries:
            status = entry.stat()
            line = f"{folder.name}/{entry.name} {status.st_size} {status.st_mtime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
            files.append((entry.path, classes.index(folder.name)))
    if not files:
        raise UserError(f"{part} has no class folders; put images into {part}/CLASS/")

    def load() -> Examples:
        height = width = channels = 0
        if whole_header:
            height, width, channels = _common([name for name, _ in files], title, progress)

        def read(indices: Sequence[int]) -> list[Encoded]:
            return [_read(*files[index]) for index in indices]

        return Examples(classes, len(files), height, width, channels, read)

    return Source(title, {"folder": digest.hexdigest()}, load)


def _folders(folder: Path) -> list[Path]:
    try:
        found = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir()]
    except OSError as error:
        raise UserError(f"can't read the folder {folder}: {error.strerror}") from None
    return sorted(path for path in found if not path.name.startswith("."))


def _read(name: str, label: int) -> Encoded:
    try:
        return Encoded(name, Path(name).read_bytes(), label)
    except OSError as error:
        return Encoded(name, b"", label, error.strerror or "it can't be read")


def _common(files: list[str], title: str, progress: Progress | None) -> tuple[int, int, int]:
    """The size shared by all images, 0 if they differ, and the channels that suit them all.

    All grey: 1; all with transparency: 4; else 3. What can't be read here is met again, and
    reported, when it is decoded.
    """
    sizes: set[tuple[int, int]] = set()
    kinds: set[int] = set()
    for index, name in enumerate(files):
        try:
            height, width, channels = peek(Path(name))
        except ImageError:
            continue
        sizes.add((height, width))
        kinds.add(channels)
        if progress is not None and (index % _STEP == 0 or index + 1 == len(files)):
            progress(f"looking at {title}", index + 1, len(files))
    height, width = next(iter(sizes)) if len(sizes) == 1 else (0, 0)
    return height, width, next(iter(kinds)) if len(kinds) == 1 else 3
