"""What needs TensorFlow: official builders, TFRecord files, and stand-ins for the shipped names."""

import gzip
import hashlib
import importlib.util
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from search.config.data import DataConfig
from search.data import open_dataset, open_test, overlap, sources
from search.data.tfds import prepare as preparing
from search.data.tfds import read as records
from search.data.tfds import runtime
from search.data.tfds.runtime import quiet
from search.errors import UserError

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("pip install 'convbudget[tfds]'", allow_module_level=True)
pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("ignore")]

with quiet():
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import units
    from tensorflow_datasets.image_classification import mnist

CONFIGS = Path(__file__).parents[2] / "configs" / "data"
COUNTS = {"train": 50, "t10k": 20}
URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


def idx_files(part: str) -> tuple[np.ndarray, np.ndarray, dict[str, bytes]]:
    """Images, labels, and the two files of them in the original's own format (idx, gzipped)."""
    count = COUNTS[part]
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = np.arange(count, dtype=np.uint8) % 10
    files = {
        f"{part}-images-idx3-ubyte.gz": struct.pack(">4i", 2051, count, 28, 28) + images.tobytes(),
        f"{part}-labels-idx1-ubyte.gz": struct.pack(">2i", 2049, count) + labels.tobytes(),
    }
    return images, labels, {name: gzip.compress(content) for name, content in files.items()}


@pytest.fixture
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A miniature of the original Fashion-MNIST, put where TFDS looks for files fetched by hand.

    The builder is TFDS's own. Only its two constants, how many images the files hold, and the
    files' checksums are the miniature's; both are still checked.
    """
    home = tmp_path / "tfds"
    manual = home / "downloads" / "manual" / "fashion_mnist"
    manual.mkdir(parents=True)
    urls = {}
    for part in COUNTS:
        for name, content in idx_files(part)[2].items():
            (manual / name).write_bytes(content)
            urls[URL + name] = tfds.download.checksums.UrlInfo(
                size=units.Size(len(content)),
                checksum=hashlib.sha256(content).hexdigest(),
                filename=name,
            )
    monkeypatch.setattr(mnist.FashionMNIST, "url_infos", urls)
    monkeypatch.setattr(mnist, "_TRAIN_EXAMPLES", COUNTS["train"])
    monkeypatch.setattr(mnist, "_TEST_EXAMPLES", COUNTS["t10k"])
    return home


def test_the_official_builder_prepares_from_files_fetched_by_hand(original: Path) -> None:
    config = DataConfig(name="fashion_mnist", dir=str(original))
    dataset, test = open_dataset(config, seed=0), open_test(config)
    assert dataset.classes[0] == "T-shirt/top"
    images, labels, _ = idx_files("t10k")
    expected = sorted((int(y), x.tobytes()) for x, y in zip(images, labels, strict=True))
    found = sorted((int(y), x.tobytes()) for x, y in zip(test.images, test.labels, strict=True))
    assert found == expected
    assert len(dataset.train) + len(dataset.validation) == COUNTS["train"]
    program = (
        "import sys; from search.config.data import DataConfig; from search.data import *;"
        f"d = open_dataset(DataConfig(name='fashion_mnist', dir={str(original)!r},"
        f" cache={str(original / 'other')!r}), seed=0);"
        "assert 'tensorflow' not in sys.modules; print(d.train.fingerprint)"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert (process.stdout.strip(), process.stderr) == (dataset.train.fingerprint, "")


def test_a_wrong_file_is_refused(original: Path) -> None:
    file = original / "downloads/manual/fashion_mnist/t10k-labels-idx1-ubyte.gz"
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(UserError, match="not the one that TFDS expects") as caught:
        open_dataset(DataConfig(name="fashion_mnist", dir=str(original)), seed=0)
    assert "\n" not in str(caught.value)


def test_without_a_network_the_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_resolves", lambda host: False)
    monkeypatch.setattr(preparing, "getproxies", dict)
    home = tmp_path / "tfds"
    with pytest.raises(UserError) as caught:
        open_dataset(DataConfig(name="cifar10", dir=str(home)), seed=0)
    message = str(caught.value)
    assert "cifar-10-binary.tar.gz (162" in message
    assert str(home / "downloads" / "manual" / "cifar10") in message
    assert "\n" not in message


def test_detection_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"coco is not images with one class label.*objects"):
        open_dataset(DataConfig(name="coco", dir=str(tmp_path)), seed=0)


def test_tfrecord_files_are_read_with_tensorflow(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with quiet():
        builder = tfds.builder("fashion_mnist", data_dir=str(original))
        settings = tfds.download.DownloadConfig(
            manual_dir=str(original / "downloads/manual/fashion_mnist")
        )
        builder.download_and_prepare(download_config=settings, file_format="tfrecord")
    config = DataConfig(name="fashion_mnist", dir=str(original))
    test = open_test(config)
    images, labels, _ = idx_files("t10k")
    expected = sorted((int(y), x.tobytes()) for x, y in zip(images, labels, strict=True))
    found = sorted((int(y), x.tobytes()) for x, y in zip(test.images, test.labels, strict=True))
    assert found == expected
    monkeypatch.setattr(
        runtime, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=lambda _: None))
    )
    with pytest.raises(UserError, match=r"as TFRecord, which needs TensorFlow: pip install"):
        open_dataset(DataConfig(name="fashion_mnist", dir=str(original), train="train[1:]"), seed=0)


SHAPES = {
    "mnist": (28, 28, 1, 10),
    "fashion_mnist": (28, 28, 1, 10),
    "kmnist": (28, 28, 1, 10),
    "emnist": (28, 28, 1, 62),
    "cifar10": (32, 32, 3, 10),
    "cifar100": (32, 32, 3, 100),
    "svhn_cropped": (32, 32, 3, 10),
    "oxford_flowers102": (64, 64, 3, 102),
    "imagenette": (64, 64, 3, 10),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shipped_configurations_open_with_stand_ins(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TFDS's own descriptions of the sets, with random images in place of the real ones."""
    stored = OmegaConf.load(CONFIGS / f"{name}.yaml")
    stored.pop("defaults", None)
    config: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(DataConfig), stored))
    *shape, classes = SHAPES[name]
    # The flowers bring a validation split, so that a class may have a single image.
    count = 110 if name == "oxford_flowers102" else 8 * classes + 70
    (tmp_path / "dataset_info.json").write_text("{}")
    with tfds.testing.mock_data(num_examples=count, max_value=classes):
        builder = tfds.builder(config.name)
        monkeypatch.setattr(sources, "prepare", lambda *_: tmp_path)
        monkeypatch.setattr(records, "open_prepared", lambda _: builder)
        monkeypatch.setattr(records, "_count", lambda *_: count)
        # The stand-ins are the same images in every split.
        monkeypatch.setattr(overlap, "TOLERATED", 1)
        dataset = open_dataset(config, seed=0)
        test = open_test(config)
    assert dataset.shape == tuple(shape)
    assert test.images.shape == (count, *shape)
    assert len(dataset.classes) == classes
    assert len(dataset.mean) == shape[2]
