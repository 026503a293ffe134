"""Settings of the data: which set, where it is stored, and the shape that images are brought to."""

import os
import re
from dataclasses import dataclass, field

from search.errors import UserError

FITS = ("resize", "crop")
ON_ERROR = ("fail", "skip")
CHANNELS = (0, 1, 3, 4)
# Far above any image that a small network reads; a typing error must not ask for terabytes.
_LARGEST_SIDE = 4096
# TFDS's own grammar of names, with one config and one version.
_NAME = re.compile(r"\w[\w.-]*(/\w[\w.+-]*)?(:[\w.*]+)?", re.ASCII)
# What file systems allow for a path and for one name in it, in bytes; a split is written by hand.
_LONGEST_PATH, _LONGEST_NAME, _LONGEST_SPLIT = 4095, 255, 1000


@dataclass
class DataConfig:
    """One image classification set.

    `name`: `digits` (scikit-learn's, no network needed), `folder` (your own images under `path`),
    or any TFDS name, also as `name/config:version`. `dir`: where TFDS data lies, a TFDS folder or
    one prepared version inside it; empty for TFDS's own default. `cache`: where decoded arrays are
    kept; empty for `$CONVBUDGET_CACHE`, else `~/.cache/convbudget`.

    `train`, `validation`, `test`: TFDS splits, slices such as `train[:90%]` included. An empty
    `validation` takes `validation_fraction` of the training part, stratified and by seed; an empty
    `test` sets `test_fraction` of `train` aside, always the same images. Parts must not overlap,
    and a split named `test` is closed to a search: see `search.data.overlap`.

    `height`, `width`: pixels of every image, 0 for the set's own; `channels`: 1, 3, 4, or 0 for
    the set's own; `fit`: `resize` stretches, `crop` keeps the aspect ratio and cuts the centre.
    `on_error`: `fail` at an unreadable image or `skip` and report it.

    `shift`, `flip`, `cutout`, `mixup`: augmentation as in `search.data.dataset.Augment`. `mean`,
    `std`: one value a channel for pixels in [0, 1]; empty for the training part's own.

    `budget`, `epochs`: what suits this set unless the run says otherwise.
    """

    name: str = "digits"
    path: str = ""
    dir: str = ""
    cache: str = ""
    train: str = "train"
    validation: str = ""
    test: str = "test"
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    height: int = 0
    width: int = 0
    channels: int = 0
    fit: str = "crop"
    on_error: str = "fail"
    shift: int = 0
    flip: bool = False
    cutout: int = 0
    mixup: float = 0.0
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)
    budget: str = "200k"
    epochs: int = 20

    def validate(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        if not self.name.strip():
            raise UserError("data.name is empty; name the data set: a TFDS name, digits, or folder")
        if not _NAME.fullmatch(self.name) or len(self.name) > _LONGEST_NAME:
            raise UserError(
                f"data.name={_short(self.name)} is not the name of a data set; write"
                " NAME[/CONFIG][:VERSION], such as cifar10 (your own images: data=folder"
                " data.path=FOLDER)"
            )
        for key in ("path", "dir", "cache"):
            check_path(f"data.{key}", getattr(self, key))
        for key in ("train", "validation", "test"):
            _check_split(key, getattr(self, key))
        if self.name == "folder" and not self.path:
            raise UserError("data=folder needs the images' folder; add data.path=FOLDER")
        if self.name != "folder" and self.path:
            raise UserError(
                f"data.path={self.path} is for data=folder; data.name={self.name} lies in data.dir"
            )
        if not self.train.strip():
            raise UserError("data.train is empty; name a split, such as train or train[:90%]")
        _among("fit", self.fit, FITS)
        _among("on_error", self.on_error, ON_ERROR)
        _among("channels", self.channels, CHANNELS)
        self._validate_numbers()

    def _validate_numbers(self) -> None:
        for key in ("height", "width"):
            _between(key, getattr(self, key), 0, _LARGEST_SIDE)
        if (self.height == 0) != (self.width == 0):
            raise UserError(
                f"data.height={self.height} and data.width={self.width}; set both, or neither"
            )
        for key in ("validation_fraction", "test_fraction"):
            value = getattr(self, key)
            if not 0 < value < 1:
                raise UserError(f"data.{key}={value} must lie between 0 and 1, such as 0.1")
        for key in ("shift", "cutout", "mixup"):
            _between(key, getattr(self, key), 0, _LARGEST_SIDE)
        _between("epochs", self.epochs, 1, 1_000_000)
        if len(self.mean) != len(self.std):
            raise UserError(
                f"data.mean has {len(self.mean)} values and data.std {len(self.std)};"
                " give both one value a channel, or neither"
            )
        if any(not value > 0 for value in self.std):
            raise UserError(f"data.std={self.std} must be above 0 in every channel")


def check_path(key: str, path: str) -> None:
    """Raise `UserError` for a path that no file system can hold."""
    if "\0" in path:
        raise UserError(f"{key}={_short(path)} contains a NUL character; name a folder without one")
    raw = os.fsencode(path)
    if len(raw) > _LONGEST_PATH or any(len(name) > _LONGEST_NAME for name in raw.split(b"/")):
        raise UserError(
            f"{key}={_short(path)} has {len(raw)} bytes; a path has at most {_LONGEST_PATH}, and"
            f" each name in it {_LONGEST_NAME}"
        )


def _check_split(key: str, split: str) -> None:
    if len(split) > _LONGEST_SPLIT or not (split.isprintable() or split.isspace()):
        raise UserError(
            f"data.{key}={_short(split)} is not a split; write at most {_LONGEST_SPLIT} printable"
            " characters, such as train[:90%]"
        )


def _short(text: str) -> str:
    """At most 60 characters on one line, for messages."""
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


def _among(key: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        listed = ", ".join(str(item) for item in known)
        raise UserError(f"data.{key}={value} is unknown; known are {listed}")


def _between(key: str, value: float, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UserError(f"data.{key}={value} must lie between {low} and {high}")
