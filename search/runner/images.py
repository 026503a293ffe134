"""The data of a search, opened with progress, and what a study keeps of it."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from search.config.run import RunConfig
from search.data.contact_sheet import contact_sheet
from search.data.dataset import Dataset
from search.data.open import describe, open_dataset
from search.networks.arch import Input
from search.pareto import Objective
from search.report.content.provenance import CONTACT_SHEET
from search.report.loading import Loading
from search.spaces.stages import StageChain, build
from search.study.info import CONFIRMATION_IMAGES
from search.study.study import Study
from search.units import counted

# With fewer validation images, one of them is worth more than 1 % of accuracy.
_FEW_IMAGES = 100


def open_images(config: RunConfig, console: Console) -> Dataset:
    """Open the data that `config` names; raises `UserError` for what cannot be had."""
    with Loading(console) as loading:
        return open_dataset(
            config.data,
            seed=config.seed,
            confirm_fraction=config.confirm.fraction,
            progress=loading.progress,
            say=loading.say,
        )


def chain_for(config: RunConfig, console: Console) -> StageChain:
    """Return the configured space for the images that `config` names, decoded only if need be."""
    described = describe(config.data)
    if described is not None:
        shape = Input(described.height, described.width, described.channels)
        return build(config.space, shape, described.classes)
    dataset = open_images(config, console)
    return build(config.space, Input(*dataset.shape), len(dataset.classes))


def description(dataset: Dataset) -> dict[str, Any]:
    """Return what a study keeps of its data.

    What prediction needs (names of classes, normalisation, shape), the class counts of the
    training part, which say whether balanced accuracy matters, and the sizes of the parts; the
    number of images that only a confirmation is scored on, if there are any.
    """
    confirmation = dataset.confirmation
    return {
        "name": dataset.name,
        "shape": list(dataset.shape),
        "classes": list(dataset.classes),
        "mean": list(dataset.mean),
        "std": list(dataset.std),
        "class_counts": list(dataset.class_counts),
        "images": {"train": len(dataset.train), "validation": len(dataset.validation)},
        **({} if confirmation is None else {CONFIRMATION_IMAGES: len(confirmation)}),
    }


def keep_contact_sheet(study: Study, dataset: Dataset) -> None:
    """Keep some images of each class in a study with a folder, whose page may outlive the data."""
    if study.folder is not None and not study.records(CONTACT_SHEET):
        study.record(CONTACT_SHEET, "train", contact_sheet(dataset))


def few_images_notice(dataset: Dataset) -> str:
    """Say what one validation image is worth where that is more than 1 %; empty elsewhere."""
    count = len(dataset.validation)
    if count >= _FEW_IMAGES:
        return ""
    return (
        f"the validation part has only {counted(count, 'image')}: one is worth {1 / count:.1%} of"
        " accuracy; add images, raise data.validation_fraction, or confirm the front"
        " (confirm.seeds=3)"
    )


def majority_notice(
    dataset: Dataset, values: Sequence[float], objective: Objective = "accuracy"
) -> str:
    """Say so where no network does better than always predicting the most frequent class.

    `values` are those of the front, by that objective; the text is empty where one is better, or
    there is none.
    """
    share = dataset.majority_share
    if objective == "balanced_accuracy":
        # Always the same class is right for all images of one class, and for none of the others.
        share = 1 / len(set(dataset.validation.labels.tolist()))
    if not values or max(values) > share:
        return ""
    right = f"is right for {share:.4f} of the validation part"
    other = ", or look at balanced accuracy"
    if objective == "balanced_accuracy":
        right, other = f"has a balanced accuracy of {share:.4f}", ", or set train.class_weights"
    return (
        f"No network is better than always predicting the most frequent class, which {right}:"
        f" train longer (epochs=), raise the budget{other}"
    )


def fingerprints(dataset: Dataset) -> dict[str, str]:
    """Return what tells whether a study goes on with the same images."""
    parts = {
        "train": dataset.train,
        "validation": dataset.validation,
        "confirmation": dataset.confirmation,
    }
    return {name: part.fingerprint for name, part in parts.items() if part is not None}


def summary(dataset: Dataset) -> str:
    """Say what the data is, on one line."""
    height, width, channels = dataset.shape
    validation = f"{len(dataset.validation):,} validation"
    if dataset.confirmation is not None:
        validation += f" and {len(dataset.confirmation):,} confirmation"
    joint = " and" if dataset.confirmation is None else ","
    return (
        f"data: {dataset.name}, {len(dataset.train):,} training{joint}"
        f" {validation} images of {height}x{width}x{channels},"
        f" {len(dataset.classes)} classes"
    )
