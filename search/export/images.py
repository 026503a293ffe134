"""The images that an export is checked on: the study's validation part, or random ones."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from search.config.data import DataConfig
from search.data.dataset import Dataset, Images
from search.data.open import open_dataset
from search.errors import UserError, one_line, shown
from search.export import unit
from search.networks.arch import Input
from search.report.loading import Loading
from search.study.study import Study

_CALIBRATION = 200
_RANDOM = 64


@dataclass(frozen=True, eq=False)
class CheckImages:
    """Images uint8 [n, height, width, channels], and their labels [n] unless they are random.

    `calibration` are images of the training part, empty where there is none. `reason` says why the
    images are random, and is empty where they are the validation part.
    """

    images: Images
    labels: NDArray[np.int32] | None
    calibration: NDArray[np.uint8]
    reason: str = ""


def check_images(folder: Path, shape: Input) -> CheckImages:
    """Return the validation images of a study, or random ones of `shape` where they are gone.

    A saved model has random ones.

    The calibration images are chosen by a fixed seed from the training part.
    """
    if unit.holds(folder):
        return random_images(shape, "a saved model knows no study's data")
    size = (shape.height, shape.width, shape.channels)
    try:
        dataset = _study_data(folder)
        if dataset.shape != size:
            raise UserError(f"its images are {dataset.shape} now, the network takes {size}")
    except UserError as error:
        return random_images(shape, shown(one_line(error), 200))
    count = min(_CALIBRATION, len(dataset.train))
    chosen = np.random.default_rng(0).choice(len(dataset.train), count, replace=False)
    calibration = np.asarray(dataset.train.images[np.sort(chosen)])
    return CheckImages(dataset.validation.images, dataset.validation.labels, calibration)


def random_images(shape: Input, reason: str) -> CheckImages:
    """Return images of uniform noise, drawn by a fixed seed."""
    size = (shape.height, shape.width, shape.channels)
    images = np.random.default_rng(0).integers(0, 256, (_RANDOM, *size), np.uint8)
    return CheckImages(images, None, images[:0], reason)


def _study_data(folder: Path) -> Dataset:
    """Open the data of a study by its config.yaml; raises `UserError` where that can't be done."""
    config, seed, fraction = _configured(folder / "config.yaml")
    with Loading() as loading:
        dataset = open_dataset(
            config,
            seed=seed,
            confirm_fraction=fraction,
            progress=loading.progress,
            say=loading.say,
        )
    if (folder / "study.db").exists():
        with Study.read(folder) as study:
            before = study.settings.get("fingerprints", {}).get("validation")
        if before is not None and before != dataset.validation.fingerprint:
            raise UserError(f"the images of {dataset.name} have changed since the study")
    return dataset


def _configured(path: Path) -> tuple[DataConfig, int, float]:
    """Return the data, the seed and the share of the confirmation that a study was run with."""
    try:
        values = yaml.safe_load(path.read_bytes())
        known = {field.name for field in fields(DataConfig)}
        data = {key: value for key, value in values["data"].items() if key in known}
        # Older studies have no confirm.fraction.
        fraction = values["confirm"].get("fraction", 0.0)
        return DataConfig(**data), int(values["seed"]), float(fraction)
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise UserError(f"{path} does not say what data it was ({shown(str(error))})") from None
