"""Everything but the architecture that a compiled training program depends on."""

from dataclasses import dataclass

import jax

from search.config.train import TrainConfig
from search.data.class_weights import class_weights
from search.data.dataset import Augment, Dataset
from search.engine.distillation import Distillation
from search.engine.native.build import kernels, to_be_compiled


@dataclass(frozen=True)
class Recipe:
    """Settings, resolved for one data set and one device; hashable, the key of programs.

    `batch`: images a step; `dtype`: of maps and products; `mean`, `std`: one value a channel;
    `convolutions`: a choice of `search.engine.ops.convolutions`;
    `platform`: `cpu`, `gpu` or `tpu`; `class_weights`: one value a class, empty for none;
    `distillation`: None without a teacher; `averaged`: whether an average of weights is kept.
    """

    batch: int
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: Augment
    optimiser: str
    weight_decay: float
    label_smoothing: float
    dtype: str
    convolutions: str
    platform: str
    class_weights: tuple[float, ...] = ()
    distillation: Distillation | None = None
    averaged: bool = False

    @property
    def native(self) -> bool:
        """Whether trainings run by the C++ kernels, which know float32 on the CPU alone."""
        return self.convolutions == "native" and _known(self.platform, self.dtype)


def recipe_of(
    dataset: Dataset,
    config: TrainConfig,
    device: jax.Device,
    distillation: Distillation | None = None,
) -> Recipe:
    """Resolve the settings that depend on the size of the data and on the device."""
    name = _dtype(config, device.platform)
    return Recipe(
        batch=max(1, min(config.batch, len(dataset.train))),
        classes=len(dataset.classes),
        mean=tuple(map(float, dataset.mean)),
        std=tuple(map(float, dataset.std)),
        augment=dataset.augment,
        optimiser=config.optimiser,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        dtype=name,
        convolutions=_convolutions(config.convolutions, device.platform, name),
        platform=device.platform,
        class_weights=class_weights(config.class_weights, dataset.class_counts),
        distillation=distillation,
        averaged=config.finish == "average",
    )


def waiting_for_kernels(config: TrainConfig, device: jax.Device) -> str:
    """Return what to tell before a wait for the C++ kernels; empty where there is no wait."""
    known = _known(device.platform, _dtype(config, device.platform))
    if config.convolutions != "fast" or not known or not to_be_compiled():
        return ""
    return "compiling the C++ kernels, once on this machine; it takes some ten seconds"


def _dtype(config: TrainConfig, platform: str) -> str:
    if config.precision != "auto":
        return config.precision
    return "float32" if platform == "cpu" else "bfloat16"


def _convolutions(chosen: str, platform: str, dtype: str) -> str:
    """Return which of the forms in `search.engine.ops.choice` a training takes."""
    if chosen == "fast" and _known(platform, dtype) and kernels().prefix:
        return "native"
    return "xla" if chosen == "xla" else "fast"


def _known(platform: str, dtype: str) -> bool:
    """Whether the C++ kernels know this."""
    return platform == "cpu" and dtype == "float32"


def missing_kernels(recipe: Recipe, config: TrainConfig) -> str:
    """Return why trainings do without the C++ kernels; empty where they have them or need none."""
    wanted = config.convolutions == "fast" and _known(recipe.platform, recipe.dtype)
    return kernels().note if wanted else ""
