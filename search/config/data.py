"""What can be set of the data: which set, where it lies, how it becomes images of one size."""

import os
import re
from dataclasses import dataclass

from search.config.checks import check
from search.config.settings import setting
from search.errors import UserError, shown

FITS = ("resize", "crop")
ON_ERROR = ("fail", "skip")
CHANNELS = (0, 1, 3, 4)
# Far above any image that a small network reads; a typing error must not ask for terabytes.
_LARGEST_SIDE = 4096
# TFDS's own grammar of names, with one config and one version.
DATA_NAME = re.compile(r"\w[\w.-]*(/\w[\w.+-]*)?(:[\w.*]+)?", re.ASCII)
# What file systems allow for a path and for one name in it, in bytes; a split is written by hand.
_LONGEST_PATH, _LONGEST_NAME, _LONGEST_SPLIT = 4095, 255, 1000


@dataclass(frozen=True)
class DataConfig:
    """One image classification set; by default the handwritten digits.

    Raises `UserError` for a value out of range and for values that contradict one another.
    """

    name: str = setting(
        "digits",
        "digits, folder (images under data.path), or a TFDS name, also as name/config:version",
    )
    path: str = setting("", "folder of your images, for data=folder", identity=False)
    dir: str = setting(
        "",
        "where TFDS data lies: a TFDS folder or one prepared version in it; empty for TFDS's own",
        identity=False,
    )
    cache: str = setting(
        "",
        "where decoded images are kept; empty for $CONVBUDGET_CACHE, else ~/.cache/convbudget",
        identity=False,
    )
    train: str = setting("train", "split to train on, slices such as train[:90%] included")
    validation: str = setting(
        "", "split to validate on; empty for data.validation_fraction of the training split"
    )
    test: str = setting(
        "test", "split of final reports; empty for data.test_fraction of the training split"
    )
    validation_fraction: float = setting(
        0.2,
        "share of the training split to validate on, stratified and chosen by seed",
        low=0,
        high=1,
        open_low=True,
        open_high=True,
    )
    test_fraction: float = setting(
        0.2,
        "share of the training split set aside for final reports, the same for every seed",
        low=0,
        high=1,
        open_low=True,
        open_high=True,
    )
    height: int = setting(
        0, "pixels of every image, 0 for the set's own", low=0, high=_LARGEST_SIDE
    )
    width: int = setting(0, "as data.height", low=0, high=_LARGEST_SIDE)
    channels: int = setting(
        0, "1 grey, 3 RGB, 4 RGB with alpha, 0 for the set's own", choices=CHANNELS
    )
    fit: str = setting(
        "crop",
        "how images get that size: resize stretches, crop keeps the aspect ratio and cuts the"
        " centre",
        choices=FITS,
    )
    on_error: str = setting(
        "fail", "at an image that cannot be read: stop, or skip and report it", choices=ON_ERROR
    )
    shift: int = setting(0, "augmentation: random shift, in pixels", low=0, high=_LARGEST_SIDE)
    flip: bool = setting(False, "augmentation: mirror half of the images")
    cutout: int = setting(
        0, "augmentation: side of a square set to the mean, in pixels", low=0, high=_LARGEST_SIDE
    )
    mixup: float = setting(
        0.0,
        "augmentation: alpha of the Beta distribution that blends pairs (arXiv:1710.09412)",
        low=0,
        high=_LARGEST_SIDE,
    )
    mean: list[float] = setting(
        list[float](),
        "one value per channel, of pixels in [0, 1]; empty for the training part's own",
    )
    std: list[float] = setting(list[float](), "as data.mean", low=0, open_low=True)
    budget: str = setting("200k", "budget that suits this set", identity=False)
    epochs: int = setting(10, "epochs that suit this set", low=1, high=1_000_000, identity=False)

    def __post_init__(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        check(self, "data")
        if not self.name.strip():
            raise UserError("data.name is empty; name the data set: a TFDS name, digits, or folder")
        if not DATA_NAME.fullmatch(self.name) or len(self.name) > _LONGEST_NAME:
            raise UserError(
                f"data.name={shown(self.name)} is not the name of a data set; write"
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
                f"data.path={shown(self.path)} is for data=folder; data.name={shown(self.name)}"
                " lies in data.dir"
            )
        if not self.train.strip():
            raise UserError("data.train is empty; name a split, such as train or train[:90%]")
        if (self.height == 0) != (self.width == 0):
            raise UserError(
                f"data.height={self.height} and data.width={self.width}; set both, or neither"
            )
        if len(self.mean) != len(self.std):
            raise UserError(
                f"data.mean has {len(self.mean)} values and data.std {len(self.std)};"
                " give both one value a channel, or neither"
            )


def check_path(key: str, path: str) -> None:
    """Raise `UserError` for a path that no file system can hold."""
    raw = os.fsencode(path)
    if len(raw) > _LONGEST_PATH or any(len(name) > _LONGEST_NAME for name in raw.split(b"/")):
        raise UserError(
            f"{key}={shown(path)} has {len(raw)} bytes; a path has at most {_LONGEST_PATH}, and"
            f" each name in it {_LONGEST_NAME}"
        )


def _check_split(key: str, split: str) -> None:
    if len(split) > _LONGEST_SPLIT:
        raise UserError(
            f"data.{key}={shown(split)} is not a split; write at most {_LONGEST_SPLIT} characters,"
            " such as train[:90%]"
        )
