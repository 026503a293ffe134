"""A folder of images: `train/<class>/…`, `val/` and `test/` beside it, or class folders only."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from search.config.data import DataConfig
from search.data import listing
from search.data.dataset import ImageShape
from search.data.examples import Encoded, Examples, Progress, Source
from search.data.image import ImageError, peek
from search.errors import UserError

# Usual names of the validation part's folder.
_VALIDATION = ("val", "validation", "valid", "dev")
# Image headers that are read between two progress reports.
_STEP = 256
# Image headers of each class that `image_shape` reads, and the classes that it looks at.
_PEEKED, _CLASSES = 2, 16


@dataclass(frozen=True)
class FolderLayout:
    """The folders of class folders, one for each part; `flat`: one folder for all parts."""

    root: Path
    train: Path
    validation: Path | None
    test: Path | None
    flat: bool


def layout(config: DataConfig) -> FolderLayout:
    """Find the folders of the parts below `data.path`; their names are `data.train` and so on.

    An empty `data.validation` stands for the usual names, an empty `data.test` for no test part.
    Raises `UserError` for a path that is not a folder of class folders, for parts without a
    training part, for a named part that is missing, and for one folder that serves as two parts.
    """
    path, validation = config.path, config.validation
    root = Path(os.path.expanduser(path))
    if not os.path.isdir(root):
        problem = "is a file" if os.path.exists(root) else "does not exist"
        raise UserError(f"data.path={path} {problem}; name the folder of your images")
    folders = {folder.name for folder in listing.subfolders(root)}
    if not folders:
        raise UserError(
            f"data.path={path} has no class folders; put images into {path}/CLASS/, or into"
            f" {path}/train/CLASS/"
        )
    if config.train not in folders:
        if config.train != "train" or folders <= {*_VALIDATION, "test"}:
            raise UserError(
                f"data.path={path} has no folder {config.train!r} for training; it has"
                f" {', '.join(sorted(folders))}"
            )
        if validation:
            raise UserError(
                f"data.validation={validation} needs the folders {path}/train and"
                f" {path}/{validation}; there is no train, leave data.validation= empty"
            )
        return FolderLayout(root, root, None, None, flat=True)
    if validation and validation not in folders:
        raise UserError(
            f"data.validation={validation} is not a folder in {path}; leave it out to take a"
            " part of the training images"
        )
    found = validation or next((name for name in _VALIDATION if name in folders), "")
    parts = FolderLayout(
        root,
        root / config.train,
        root / found if found else None,
        root / config.test if config.test in folders else None,
        flat=False,
    )
    _refuse_shared_folders(parts)
    return parts


def _refuse_shared_folders(parts: FolderLayout) -> None:
    # The folder `test` stays closed to a search even where data.test names another one, or none.
    named = {
        "validation": parts.validation,
        "train": parts.train,
        "test": parts.test or parts.root / "test",
    }
    for first, second in (("validation", "test"), ("train", "test"), ("validation", "train")):
        one, other = named[first], named[second]
        if one is not None and other is not None and one.resolve() == other.resolve():
            count = sum(len(listing.images_in(folder)) for folder in listing.subfolders(one))
            raise UserError(
                f"data.{first}={one.name} and data.{second}={other.name} are one folder and share"
                f" {count} images; the parts must not overlap, leave data.{first}= empty or name"
                " another folder"
            )


def source(
    parts: FolderLayout,
    part: Path,
    *,
    cache_folder: Path,
    whole_header: bool,
    progress: Progress | None,
) -> Source:
    """The images of one part, labelled by the training part's class folders in alphabetical order.

    `whole_header`: find the common size and channels from the headers of all images. The source's
    functions raise `UserError` for an empty class, and for one that the training part lacks.
    """
    name = parts.root.resolve().name
    title = name if parts.flat else f"{name} {part.name}"

    @cache
    def classes() -> Mapping[str, int]:
        return _classes(part, parts.train)

    def identity() -> Mapping[str, object]:
        return {"folder": listing.identity(part, classes(), cache_folder)}

    def load() -> Examples:
        files = list(listing.labelled_files(part, classes()))
        height = width = channels = 0
        if whole_header:
            height, width, channels = _common([file for file, _ in files], _report(progress, title))

        def read(indices: Sequence[int]) -> list[Encoded]:
            return [_read(*files[index]) for index in indices]

        return Examples(tuple(classes()), len(files), height, width, channels, read)

    return Source(title, identity, load)


def image_shape(config: DataConfig) -> ImageShape | None:
    """Shape and classes from the folders' names and the headers of a few images.

    None where these images differ in size and `data.height` is not set. Channels are those of
    the images that were looked at; decoding settles them.
    """
    parts = layout(config)
    folders = listing.subfolders(parts.train)
    height, width, channels = config.height, config.width, config.channels
    if not (height and channels):
        step = max(1, len(folders) // _CLASSES)
        files = [
            os.path.join(folder, name)
            for folder in folders[::step]
            for name in listing.images_in(folder)[:_PEEKED]
        ]
        found = _common(files, _report(None, ""))
        height, width = (height, width) if height else found[:2]
        channels = channels or found[2]
    return ImageShape(height, width, channels, len(folders)) if height else None


def _classes(part: Path, train: Path) -> dict[str, int]:
    """Label of each class of the training part; raises `UserError` for a foreign class."""
    classes = {folder.name: label for label, folder in enumerate(listing.subfolders(train))}
    own = listing.subfolders(part)
    for folder in own:
        if folder.name not in classes:
            raise UserError(
                f"{part} has the class {folder.name!r}, which {train} has not; every part needs"
                " the same classes"
            )
    if not own:
        raise UserError(f"{part} has no class folders; put images into {part}/CLASS/")
    return classes


def _read(name: str, label: int) -> Encoded:
    try:
        return Encoded(name, Path(name).read_bytes(), label)
    except OSError as error:
        return Encoded(name, b"", label, error.strerror or "it can't be read")


def _report(progress: Progress | None, title: str) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if progress is not None and (done % _STEP == 1 or done == total):
            progress(f"looking at {title}", done, total)

    return report


def _common(files: list[str], report: Callable[[int, int], None]) -> tuple[int, int, int]:
    """The size shared by all images, 0 if they differ, and the channels that suit them all.

    All grey: 1; all with transparency: 4; else 3. An unreadable image is left out; decoding
    reports it.
    """
    sizes: set[tuple[int, int]] = set()
    channels: set[int] = set()
    with warnings.catch_warnings():
        # Odd metadata is no reason to refuse an image.
        warnings.simplefilter("ignore")
        for index, name in enumerate(files):
            try:
                height, width, own = peek(Path(name))
            except ImageError:
                continue
            sizes.add((height, width))
            channels.add(own)
            report(index + 1, len(files))
    height, width = next(iter(sizes)) if len(sizes) == 1 else (0, 0)
    return height, width, next(iter(channels)) if len(channels) == 1 else 3
