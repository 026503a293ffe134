"""The images of final trainings: those of the study, or others, and what to train with on them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from rich.console import Console

from search.config.data import DataConfig
from search.config.train import TrainConfig
from search.data.dataset import Dataset, Split
from search.data.everything import everything
from search.data.open import missing_test, open_dataset, open_test
from search.errors import UserError, shown
from search.report.loading import Loading
from search.runner import images
from search.study.study import Study

Config = TypeVar("Config", DataConfig, TrainConfig)
# Keys of the data that say where it lies, which no setting of a study holds.
_PLACES = ("path", "dir", "cache")


@dataclass(frozen=True, eq=False)
class FinalImages:
    """What final networks are trained on: `dataset.train` holds all images but the test part.

    `own`: whether they are the study's; `config` opens them, and the test part; `seed` and
    `confirm_fraction` are those of the search, which order them.
    """

    config: DataConfig
    dataset: Dataset
    own: bool
    seed: int
    confirm_fraction: float


def data_of(study: Study, changes: Mapping[str, Any] | None = None) -> DataConfig:
    """Return the data that a study searched, from its settings and its `config.yaml`.

    `changes`: keys that the user gave other values. Raises `UserError` for a study without images,
    or without training.
    """
    settings = study.settings
    if "data" not in settings or "train" not in settings:
        raise UserError(
            f"{study.name} was made with an evaluator of one's own, or without images; retrain"
            " trains networks on the images of a study that did so"
        )
    path = (changes or {}).get("path")
    if path and settings["data"].get("name") != "folder":
        raise UserError(
            f"data.path={shown(path)} is for a folder of images, and {study.name} searched"
            f" {shown(settings['data'].get('name'))}; write data=folder data.path=… for other data"
        )
    places = _places(study.folder / "config.yaml") if study.folder else {}
    return _read(DataConfig, {**settings["data"], **places, **(changes or {})}, study.name)


def recipe_of(study: Study) -> TrainConfig:
    """Return the training settings of a study."""
    return _read(TrainConfig, study.settings["train"], study.name)


def open_images(
    study: Study, config: DataConfig, console: Console, *, other: bool, moved: str = ""
) -> FinalImages:
    """Open all images but the test part, which has to exist.

    `other`: whether it may be other data than the search read; `moved`: in which words the user
    said where that lies now. Raises `UserError` where the data is not what it must be, or cannot
    be had.
    """
    with Loading(console) as loading:
        said = missing_test(config, say=loading.say)
        if said:
            raise UserError(said)
        seed = int(study.settings.get("seed", 0))
        fraction = study.settings.get("confirm", {}).get("fraction") or 0.0
        dataset = open_dataset(
            config,
            seed=seed,
            confirm_fraction=fraction,
            progress=loading.progress,
            say=loading.say,
        )
    own = images.fingerprints(dataset) == study.settings.get("fingerprints")
    if not own and moved:
        raise UserError(
            f"{shown(moved, 200)} is not the study's own data; write data=folder data.path=… for"
            " other data"
        )
    if not own and not other:
        raise UserError(
            f"the data of {study.name} is no longer what the search read ({config.name}: other"
            " images or another order); put it back, or say where it lies with data.dir= or"
            " data.path="
        )
    return FinalImages(config, everything(dataset), own, seed, fraction)


def open_test_part(found: FinalImages, console: Console) -> Split:
    """Open the test part, once all is trained; raises `UserError` where it was seen before."""
    with Loading(console) as loading:
        return open_test(found.config, progress=loading.progress, say=loading.say)


def _places(path: Path) -> dict[str, Any]:
    """Return where a study's `config.yaml` says that its data lies; nothing where it is gone."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        data = content["data"]
        return {key: data[key] for key in _PLACES if isinstance(data.get(key), str)}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return {}


def _read(kind: type[Config], values: Mapping[str, Any], name: str) -> Config:
    known = {declared.name for declared in fields(kind)}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise UserError(
            f"{name} has the setting {shown(unknown[0])}, which this version does not know; use the"
            " version that made the study"
        )
    return kind(**values)
