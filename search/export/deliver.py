"""One export from weights to a checked folder: written aside, compared with ours, moved whole."""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.errors import UserError, one_line, shown
from search.export.folded import Floats, fold
from search.export.forms import FORMS, Choice, Form
from search.export.images import CheckImages
from search.export.model import Model
from search.export.weights import Packed, kind_of_weights

FORMAT = "convbudget-export/1"
DESCRIPTION = "export.json"
# Rounding of float32, as a share of the largest logit; a wrong padding gives some hundredths.
_ROUNDING = 1e-4
_BATCH = 500


@dataclass(frozen=True)
class Check:
    """The exported network beside ours on the same images.

    `part` is `validation` or `random`, with the reason in `random_because`. `same_predictions` is
    the number of images with the same class; `largest_difference` and `largest_logit` are absolute.
    `accuracy` is the exported network's, `accuracy_before` ours; None on random images.
    `trained_on_these_images`: then they are no estimate for others; of final weights on validation.
    """

    part: str
    images: int
    same_predictions: int
    largest_difference: float
    largest_logit: float
    accuracy: float | None
    accuracy_before: float | None
    random_because: str
    trained_on_these_images: bool


def deliver(packed: Packed, choice: Choice, images: CheckImages, out: Path) -> dict[str, Any]:
    """Write one network into `out/<id>-<form>/`, and return what its `export.json` says.

    An earlier export there is replaced. Raises `UserError`, and leaves nothing, where the folder
    holds anything else, the check fails, or `out` cannot be written.
    """
    target = out / f"{packed.arch.id}-{choice.folder}"
    _refuse_strangers(target)
    if choice.int8 and not len(images.calibration):
        raise UserError(
            f"--int8 is calibrated on training images, and there are none: {images.reason}; put"
            " the data back, or leave out --int8"
        )
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / target.name
        made.mkdir()
        check = _written(packed, choice, images, made)
        said = _description(packed, choice, check, made)
        said["calibration_images"] = len(images.calibration) if choice.int8 else None
        (made / DESCRIPTION).write_text(json.dumps(said, indent=1) + "\n")
        _move(made, target)
    return said


def _written(packed: Packed, choice: Choice, images: CheckImages, made: Path) -> Check:
    """Write the files into `made` and compare them with ours; raises `UserError`."""
    ours = Model(packed)
    calibration = _inputs(packed, choice, images.calibration) if choice.int8 else None
    try:
        form = import_module(f"search.export.forms.{choice.form}")
        form.write(fold(packed, raw=choice.raw), made, calibration)
        theirs = form.load(made)
        trained = images.labels is not None and kind_of_weights(packed) == "final"
        check = _compared(ours, lambda part: theirs(_inputs(packed, choice, part)), images, trained)
    # Whatever a library raises: the user asked for a file and gets none.
    except Exception as error:
        raise UserError(
            f"{packed.arch.id} could not be written as {choice.folder}"
            f" ({type(error).__name__}: {shown(one_line(error), 300)}); nothing was left"
        ) from error
    allowed = np.inf if choice.int8 else _ROUNDING * max(1.0, check.largest_logit)
    # Not `>`: a difference that is no number fails too.
    if not (np.isfinite(check.largest_difference) and check.largest_difference <= allowed):
        raise UserError(
            f"{packed.arch.id} as {choice.folder} does not compute what ours does: logits differ by"
            f" {check.largest_difference:.3g}, rounding explains {allowed:.3g}; nothing was left"
        )
    return check


def _compared(
    ours: Callable[[Any], Floats],
    theirs: Callable[[Any], Floats],
    images: CheckImages,
    trained: bool,
) -> Check:
    """Run both on all images, some hundred at a time."""
    total = len(images.images)
    parts = [images.images[start : start + _BATCH] for start in range(0, total, _BATCH)]
    wanted = np.concatenate([ours(part) for part in parts])
    found = np.concatenate([theirs(part) for part in parts])
    if found.shape != wanted.shape:
        raise ValueError(f"its logits have shape {found.shape}, ours {wanted.shape}")
    labels = images.labels
    return Check(
        part="random" if labels is None else "validation",
        images=total,
        same_predictions=int((found.argmax(-1) == wanted.argmax(-1)).sum()),
        largest_difference=float(np.abs(found - wanted).max()),
        largest_logit=float(np.abs(wanted).max()),
        accuracy=None if labels is None else _accuracy(found, labels),
        accuracy_before=None if labels is None else _accuracy(wanted, labels),
        random_because=images.reason,
        trained_on_these_images=trained,
    )


def _accuracy(logits: Floats, labels: NDArray[np.int32]) -> float:
    return float((logits.argmax(-1) == labels).mean())


def _inputs(packed: Packed, choice: Choice, images: NDArray[np.uint8]) -> Floats:
    """Return images as the exported network takes them, [n, h, w, c]."""
    pixels = np.asarray(images, np.float32)
    if not choice.raw:
        return pixels
    mean, std = (np.asarray(packed.data[key], np.float32) for key in ("mean", "std"))
    return np.asarray((pixels / 255 - mean) / std, np.float32)


def _description(packed: Packed, choice: Choice, check: Check, made: Path) -> dict[str, Any]:
    """Return the content of `export.json`: all that a user of the file must know."""
    form = FORMS[choice.form]
    return {
        "format": FORMAT,
        "arch_id": packed.arch.id,
        **asdict(choice),
        "files": {path.name: path.stat().st_size for path in sorted(made.iterdir())},
        "input": {
            "dtype": "float32",
            "layout": form.layout,
            "shape": _shape(packed, form),
            "values": "normalised: (pixel / 255 - mean) / std"
            if choice.raw
            else "pixels from 0 to 255",
            "mean": list(packed.data["mean"]),
            "std": list(packed.data["std"]),
        },
        "output": {"dtype": "float32", "values": "logits", "classes": list(packed.data["classes"])},
        "data": packed.data["name"],
        "weights": kind_of_weights(packed),
        "multiplies": packed.multiplies,
        "check": asdict(check),
        "notice": form.notice,
    }


def _shape(packed: Packed, form: Form) -> list[int | str]:
    size = packed.arch.input
    batch = "batch" if form.batched else 1
    if form.layout == "NCHW":
        return [batch, size.channels, size.height, size.width]
    return [batch, size.height, size.width, size.channels]


def _refuse_strangers(target: Path) -> None:
    """Raise `UserError` unless `target` is absent or an earlier export, with nothing added."""
    parent = target.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise UserError(f"{parent} is a file; name a folder with --out")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(f"{parent} cannot be written; name another folder with --out")
    if not target.exists() and not target.is_symlink():
        return
    try:
        said = json.loads((target / DESCRIPTION).read_bytes())
        ours = {DESCRIPTION, *said["files"]} if said["format"] == FORMAT else set()
        strangers = sorted({path.name for path in target.iterdir()} - ours)
    except (OSError, ValueError, KeyError, TypeError):
        strangers = [DESCRIPTION]
    if target.is_symlink() or strangers:
        raise UserError(
            f"{target} holds something else than an earlier export; remove it, or name another"
            " folder with --out"
        )


def _move(made: Path, target: Path) -> None:
    """Put a finished folder in its place; readers see the old one or the new one."""
    staged, old = (target.with_name(f".writing-{secrets.token_hex(8)}") for _ in range(2))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, staged)
        if target.exists():
            os.rename(target, old)
        os.rename(staged, target)
    except OSError as error:
        raise UserError(
            f"{target} cannot be written ({error.strerror or error}); name another folder with"
            " --out"
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
