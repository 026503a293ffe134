"""A study of two small networks, as a search would leave it."""

import json
from pathlib import Path

import numpy as np
from flax import nnx
from PIL import Image

from search.config.data import DataConfig
from search.config.run import RunConfig
from search.config.train import TrainConfig
from search.data.open import open_dataset
from search.engine.model import build
from search.export.weights import pack
from search.jobs import Candidate, Result
from search.networks.arch import Arch, Block, Head, Input, Stem
from search.runner.images import description, fingerprints
from search.study.study import Study, StudyInfo
from search.study.tables import export
from search.study.trials import Trial

CLASSES = ("cat", "dog")
SHAPE = Input(6, 5, 1)


def write_images(
    root: Path,
    classes: tuple[str, ...] = CLASSES,
    size: tuple[int, int] = (6, 5),
    mode: str = "L",
    parts: tuple[str, ...] = ("train", "test"),
) -> Path:
    """Write images whose brightness tells their class; return `root`."""
    generator = np.random.default_rng(0)
    for part in parts:
        for label, known in enumerate(classes):
            folder = root / part / known
            folder.mkdir(parents=True)
            for number in range(12 if part == "train" else 5):
                low = 150 * label // len(classes)
                pixels = generator.integers(low, low + 90, (*size, 3), dtype=np.uint8)
                Image.fromarray(pixels).convert(mode).save(folder / f"{number:02}.png")
    return root


def networks(shape: Input = SHAPE, classes: int = 2) -> list[Arch]:
    return [
        Arch(shape, Stem(4), (), Head(), classes),
        Arch(shape, Stem(4), (Block("separable", 6, 3, 2),), Head(), classes),
    ]


def make_study(images: Path, folder: Path) -> Path:
    config = RunConfig(
        data=DataConfig(name="folder", path=str(images)),
        train=TrainConfig(batch=8, form="layers"),
        epochs=1,
        budget="50k",
    )
    dataset = open_dataset(config.data, seed=0)
    info = StudyInfo(100, 50_000, 0, 50_000, 9, True, 0.5, 1, description(dataset))
    settings = {**config.settings(), "fingerprints": fingerprints(dataset)}
    with Study.open(folder, settings, info) as made:
        for number, arch in enumerate(networks(Input(*dataset.shape), len(dataset.classes))):
            found = Candidate.of(arch)
            result = Result(0.6 + 0.1 * number, 0.5, 1.0)
            texts = found.text, found.id, found.multiplies, found.params
            made.add(Trial(number, found.job(1, 0), *texts, number, result))
        export(made, made.trials())
        made.write("config.yaml", f"data: {json.dumps({'path': str(images)})}\n")
        for row in made.front(made.trials())[0]:
            module = build(row.job.candidate.value, rngs=nnx.Rngs(0))
            flat = nnx.to_flat_state(nnx.state(module))
            arrays = {".".join(map(str, path)): np.asarray(one[...]) for path, one in flat}
            made.write(f"weights/{row.arch_id}.safetensors", pack(arrays, row, info))
    return folder
