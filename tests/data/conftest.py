"""Every data test has a cache folder of its own, and images made on the spot."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeImages = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder; TFDS's own default is moved too, so that no test reads the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CONVBUDGET_CACHE", str(folder))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return folder


@pytest.fixture
def make_images(tmp_path: Path) -> MakeImages:
    """Writes `count` random PNGs a class under `images/PART/CLASS/`; returns the top folder."""

    def make(
        part: str = "",
        classes: tuple[str, ...] = ("cat", "dog"),
        count: int = 6,
        size: tuple[int, int] = (5, 7),
        mode: str = "RGB",
        seed: int = 0,
    ) -> Path:
        generator = np.random.default_rng(seed)
        root = tmp_path / "images"
        for name in classes:
            folder = root / part / name
            folder.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                pixels = generator.integers(0, 256, (*size, 4), dtype=np.uint8)
                image = Image.fromarray(pixels)
                if mode != "RGBA":
                    image = image.convert("RGB").convert(mode)
                image.save(folder / f"{index:03}.png")
        return root

    return make
