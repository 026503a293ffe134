"""The shape of images and the number of classes are known before anything is decoded."""

import subprocess
import sys
from pathlib import Path

import pytest

from search.config.data import DataConfig
from search.data import describe, open_dataset
from search.data.dataset import ImageShape
from search.data.tfds import locate
from search.errors import UserError


def shape_of(config: DataConfig) -> ImageShape:
    dataset = open_dataset(config, seed=0)
    return ImageShape(*dataset.shape, len(dataset.classes))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (DataConfig(), ImageShape(8, 8, 1, 10)),
        (DataConfig(height=12, width=10, channels=3), ImageShape(12, 10, 3, 10)),
        (DataConfig(channels=4), ImageShape(8, 8, 4, 10)),
        (DataConfig(name="cifar10"), ImageShape(32, 32, 3, 10)),
        (DataConfig(name="fashion_mnist", channels=3), ImageShape(28, 28, 3, 10)),
        (DataConfig(name="emnist/balanced"), ImageShape(28, 28, 1, 47)),
        (DataConfig(name="imagenette/160px-v2", height=64, width=48), ImageShape(64, 48, 3, 10)),
        (DataConfig(name="imagenette/160px-v2"), None),
    ],
)
def test_nothing_is_prepared_or_downloaded(
    cache: Path, tmp_path: Path, config: DataConfig, expected: ImageShape | None
) -> None:
    assert describe(config) == expected
    assert not cache.exists()
    assert not (tmp_path / "tfds").exists()


def test_the_digits_are_as_described(cache: Path) -> None:
    assert describe(DataConfig()) == shape_of(DataConfig())
    prepared = cache / "tfds" / "digits" / "1.0.0"
    assert locate.image_shape(prepared) == describe(DataConfig())
    assert locate.shards(prepared) == {"train": (1437,), "test": (360,)}


def test_a_prepared_set_is_described_by_its_files_without_tfds(cache: Path) -> None:
    open_dataset(DataConfig(), seed=0)
    folder = cache / "tfds"
    program = f"""
import sys
from search.config.data import DataConfig
from search.data import describe
print(describe(DataConfig(name="digits:1.0.0", dir={str(folder)!r})))
assert not {{"tensorflow_datasets", "tensorflow", "jax"}} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "ImageShape(height=8, width=8, channels=1, classes=10)"


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"featuresDict": {"features": {"image": 3}}}'])
def test_a_damaged_description_describes_nothing(cache: Path, damage: str) -> None:
    open_dataset(DataConfig(), seed=0)
    prepared = cache / "tfds" / "digits" / "1.0.0"
    (prepared / "features.json").write_text(damage)
    assert locate.image_shape(prepared) is None


@pytest.mark.parametrize("part", ["", "train"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_folder_is_described_by_a_few_headers(make_images, part: str, mode: str) -> None:
    config = DataConfig(name="folder", path=str(make_images(part, count=6, mode=mode)))
    assert describe(config) == shape_of(config)
    sized = DataConfig(name="folder", path=config.path, height=4, width=3, channels=1)
    assert describe(sized) == shape_of(sized) == ImageShape(4, 3, 1, 2)


def test_a_folder_of_many_sizes_says_nothing_without_a_size(make_images) -> None:
    make_images(classes=("small",), size=(2, 3))
    root = make_images(classes=("large",), size=(40, 50))
    assert describe(DataConfig(name="folder", path=str(root))) is None
    sized = DataConfig(name="folder", path=str(root), height=4, width=3)
    assert describe(sized) == ImageShape(4, 3, 3, 2)


def test_what_cannot_be_found_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        describe(DataConfig(name="folder", path=str(tmp_path / "nowhere")))
    with pytest.raises(UserError, match="did you mean cifar10"):
        describe(DataConfig(name="cifar"))
    with pytest.raises(UserError, match="not images with one class label"):
        describe(DataConfig(name="imdb_reviews"))
