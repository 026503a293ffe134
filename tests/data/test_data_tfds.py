"""Prepared TFDS data opens without TensorFlow, and what can't be opened says why in one line."""

import importlib.util
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from search.config.data import DataConfig
from search.data import known_names, nearest_names, open_dataset, open_test
from search.data.tfds import runtime
from search.data.tfds.runtime import quiet
from search.errors import UserError

with quiet():
    import tensorflow_datasets as tfds

Examples = Callable[[], Iterator[tuple[int, dict[str, Any]]]]
COLOURS = {
    "image": tfds.features.Image(shape=(None, None, 3)),
    "label": tfds.features.ClassLabel(names=["red", "green", "blue"]),
}


def png(pixels: np.ndarray) -> io.BytesIO:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    stream.seek(0)
    return stream


def colours(count: int, size: int | None = 6) -> Examples:
    """Images of three classes, of one size or, if None, of many."""

    def generate() -> Iterator[tuple[int, dict[str, Any]]]:
        generator = np.random.default_rng(count)
        for index in range(count):
            side = size or 3 + index
            pixels = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
            yield index, {"image": png(pixels), "label": index % 3}

    return generate


def write(
    home: Path,
    splits: dict[str, Examples],
    features: dict[str, Any] = COLOURS,
    keys: tuple[str, str] | None = ("image", "label"),
) -> Path:
    """Prepare a data set `colours` under `home`; returns the folder of its version."""
    with tfds.core.registered.skip_registration():

        class Colours(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.2.3")

            def _info(self) -> tfds.core.DatasetInfo:
                features_dict = tfds.features.FeaturesDict(features)
                return tfds.core.DatasetInfo(
                    builder=self, features=features_dict, supervised_keys=keys
                )

            def _split_generators(self, _: Any) -> dict[str, Any]:
                return {name: generate() for name, generate in splits.items()}

            def _generate_examples(self) -> None:
                """Asked for by the base class."""

    with quiet():
        builder = Colours(data_dir=str(home), file_format="array_record")
        builder.download_and_prepare()
    return Path(builder.data_dir)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "tfds"


def colour_config(home: Path, **options: Any) -> DataConfig:
    named = {"name": "colours", "dir": str(home), "validation_fraction": 0.1}
    return DataConfig(**{**named, **options})


def test_a_prepared_set_opens(home: Path) -> None:
    write(home, {"train": colours(30), "test": colours(9)})
    dataset = open_dataset(colour_config(home), seed=0)
    assert dataset.classes == ("red", "green", "blue")
    assert (len(dataset.train), len(dataset.validation)) == (27, 3)
    assert dataset.shape == (6, 6, 3)
    expected = sorted(
        (example["label"], np.asarray(Image.open(example["image"])).tobytes())
        for _, example in colours(9)()
    )
    test = open_test(colour_config(home))
    found = sorted((int(y), x.tobytes()) for x, y in zip(test.images, test.labels, strict=True))
    assert found == expected


def test_the_folder_may_be_named_at_any_depth(home: Path) -> None:
    version = write(home, {"train": colours(30)})
    prints = {
        open_dataset(colour_config(folder), seed=0).train.fingerprint
        for folder in (home, version.parent, version)
    }
    assert len(prints) == 1
    assert open_dataset(colour_config(home, name="colours:1.2.3"), seed=0)
    assert open_dataset(colour_config(home, name="colours:1.*.*"), seed=0)


def test_another_set_is_not_taken_for_the_one_that_was_named(home: Path) -> None:
    version = write(home, {"train": colours(30)})
    with pytest.raises(UserError, match=r"holds colours, not cifar10; set data\.name=colours"):
        open_dataset(colour_config(version, name="cifar10"), seed=0)


def test_the_newest_version_unless_told_otherwise(home: Path) -> None:
    old = write(home, {"train": colours(30)})
    shutil.move(old, old.with_name("0.9.9"))
    info = old.with_name("0.9.9") / "dataset_info.json"
    info.write_text(info.read_text().replace("1.2.3", "0.9.9"))
    write(home, {"train": colours(60)})
    assert len(open_dataset(colour_config(home), seed=0).train) == 54
    assert len(open_dataset(colour_config(home, name="colours:0.9.9"), seed=0).train) == 27


def test_configs_are_asked_for_by_name(home: Path) -> None:
    version = write(home, {"train": colours(30)})
    base = version.parent
    for name in ("pale", "vivid"):
        shutil.copytree(version, base / name / version.name)
    shutil.rmtree(version)
    assert open_dataset(colour_config(home, name="colours/pale"), seed=0)
    with pytest.raises(UserError, match=r"configs pale, vivid.*data\.name=colours/pale"):
        open_dataset(colour_config(home), seed=0)
    (base / ".config").mkdir()
    (base / ".config" / "metadata.json").write_text(json.dumps({"default_config_name": "vivid"}))
    assert open_dataset(colour_config(home), seed=0)
    shutil.rmtree(base / "vivid")
    with pytest.raises(UserError, match="configs pale; name one"):
        open_dataset(colour_config(home), seed=0)


def test_slices_and_sums_of_splits(home: Path) -> None:
    write(home, {"train": colours(30), "test": colours(9), "extra": colours(12)})
    sliced = open_dataset(colour_config(home, train="train[:50%]+extra"), seed=0)
    assert len(sliced.train) + len(sliced.validation) == 27
    with pytest.raises(UserError, match=r"no split 'validation'.*its splits are .*train"):
        open_dataset(colour_config(home, validation="validation"), seed=0)
    with pytest.raises(UserError, match="no split 'holdout'"):
        open_test(colour_config(home, test="holdout"))


def test_a_search_is_told_when_nothing_is_left_to_test_on(home: Path) -> None:
    write(home, {"train": colours(30), "extra": colours(12)})
    said: list[str] = []
    open_dataset(colour_config(home), seed=0, say=said.append)
    assert len(said) == 1
    assert "colours (splits " in said[0]
    assert "has no 'test'" in said[0]
    for train, test in (("train", "extra"), ("train[:90%]", "train[90%:]+extra"), ("train", "")):
        open_dataset(colour_config(home, train=train, test=test), seed=0, say=said.append)
    assert len(said) == 1


def test_a_set_without_a_test_split_sets_images_aside(home: Path) -> None:
    write(home, {"train": colours(60)})
    cut = colour_config(home, test="")
    dataset, test = open_dataset(cut, seed=0), open_test(cut)
    assert (len(dataset.train), len(dataset.validation), len(test)) == (42, 6, 12)
    seen = {
        image.tobytes() for part in (dataset.train, dataset.validation) for image in part.images
    }
    assert not seen & {image.tobytes() for image in test.images}


def test_differing_sizes(home: Path) -> None:
    write(home, {"train": colours(30, size=None)})
    with pytest.raises(UserError, match=r"record 1 of colours train is \d+x\d+ pixels"):
        open_dataset(colour_config(home), seed=0)
    assert open_dataset(colour_config(home, height=5, width=4), seed=0).shape == (5, 4, 3)


def test_supervised_keys_win_over_names(home: Path) -> None:
    def generate() -> Iterator[tuple[int, dict[str, Any]]]:
        for index, example in colours(18)():
            yield index, {"photo": example["image"], "kind": example["label"], "label": 0}

    features = {
        "photo": COLOURS["image"],
        "kind": COLOURS["label"],
        "label": tfds.features.ClassLabel(names=["other"]),
    }
    write(home, {"train": generate}, features, ("photo", "kind"))
    assert open_dataset(colour_config(home), seed=0).classes == ("red", "green", "blue")


def test_names_do_where_no_keys_are_given(home: Path) -> None:
    write(home, {"train": colours(18)}, keys=None)
    assert open_dataset(colour_config(home), seed=0).shape == (6, 6, 3)


def only(**features: Any) -> tuple[Examples, dict[str, Any]]:
    def generate() -> Iterator[tuple[int, dict[str, Any]]]:
        pixels = np.zeros((2, 2, 3), np.uint8)
        values = {"image": png(pixels), "text": "words", "labels": [0, 1], "boxes": []}
        yield 0, {name: values[name] for name in features}

    return generate, features


@pytest.mark.parametrize(
    "features",
    [
        {"image": COLOURS["image"]},
        {"text": tfds.features.Text()},
        {"image": COLOURS["image"], "labels": tfds.features.Sequence(COLOURS["label"])},
        {
            "image": COLOURS["image"],
            "boxes": tfds.features.Sequence({"box": tfds.features.BBoxFeature()}),
        },
    ],
    ids=["no label", "text", "many labels", "detection"],
)
def test_sets_of_another_kind_are_refused(home: Path, features: dict[str, Any]) -> None:
    generate, features = only(**features)
    write(home, {"train": generate}, features, None)
    with pytest.raises(UserError, match="not images with one class label each") as caught:
        open_dataset(colour_config(home), seed=0)
    assert next(iter(features)) in str(caught.value)


def test_unlabelled_examples_are_refused(home: Path) -> None:
    def generate() -> Iterator[tuple[int, dict[str, Any]]]:
        for index, example in colours(12)():
            yield index, {**example, "label": -1}

    write(home, {"train": generate})
    with pytest.raises(UserError, match="record 0 of colours train has no label"):
        open_dataset(colour_config(home), seed=0)


def test_damaged_records_are_refused(home: Path) -> None:
    version = write(home, {"train": colours(30)})
    (record,) = version.glob("*array_record*")
    record.write_bytes(record.read_bytes()[:500])
    with pytest.raises(UserError, match="can't be read") as caught:
        open_dataset(colour_config(home), seed=0)
    assert "\n" not in str(caught.value)


def test_a_damaged_description_is_refused(home: Path) -> None:
    version = write(home, {"train": colours(30)})
    (version / "dataset_info.json").write_text("{")
    with pytest.raises(UserError, match="can't be read"):
        open_dataset(colour_config(home), seed=0)


def test_a_prepared_set_needs_no_tensorflow_and_warm_not_even_tfds(home: Path) -> None:
    write(home, {"train": colours(30), "test": colours(9)})
    program = f"""
import sys
from search.config.data import DataConfig
from search.data import open_dataset
open_dataset(DataConfig(name="colours", dir={str(home)!r}), seed=0)
print({{"tensorflow", "tensorflow_datasets"}} & set(sys.modules))
"""
    for expected in ("{'tensorflow_datasets'}", "set()"):
        process = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert (process.stdout.strip(), process.stderr) == (expected, "")


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        runtime.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "tensorflow" else found(name, *rest),
    )


@pytest.mark.usefixtures("no_tensorflow")
def test_preparing_without_tensorflow_says_what_to_install(home: Path) -> None:
    with pytest.raises(UserError, match=r"pip install 'convbudget\[tfds\]'") as caught:
        open_dataset(colour_config(home, name="cifar10"), seed=0, progress=_begun)
    assert "cifar10 is not prepared in" in str(caught.value)


@pytest.mark.usefixtures("no_tensorflow")
def test_what_cannot_be_described_prints_nothing(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Where TensorFlow is installed after all, TFDS can describe it, and the kind is refused.
    with pytest.raises(UserError, match=r"can't even be described|not images with one class"):
        open_dataset(colour_config(home, name="coco"), seed=0, progress=_begun)
    assert capfd.readouterr() == ("", "")


def _begun(what: str, _done: int, _total: int) -> None:
    pytest.fail(f"said of a set that is refused: {what}")


@pytest.mark.usefixtures("no_tensorflow")
@pytest.mark.parametrize("name", ["imdb_reviews", "voc"])
def test_other_kinds_are_refused_before_anything_is_installed(home: Path, name: str) -> None:
    with pytest.raises(UserError, match="not images with one class label each"):
        open_dataset(colour_config(home, name=name), seed=0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fashion_mist", "did you mean fashion_mnist"),
        ("cifar", "did you mean cifar10"),
        ("qqqqqqqqqq", "not a data set that TFDS knows"),
        ("emnist/nothing", "its configs are byclass, bymerge, balanced"),
        ("mnist:0.0.1", "no config or version of mnist"),
    ],
)
def test_unknown_names(home: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        open_dataset(colour_config(home, name=name), seed=0)
    assert "\n" not in str(caught.value)


def test_every_builder_that_tfds_can_import_is_known() -> None:
    with quiet():
        listed = set(tfds.list_builders(with_community_datasets=False))
    assert listed <= set(known_names())
    assert nearest_names("oxford_flower")[0] == "oxford_flowers102"


def test_names_are_known_without_importing_tfds() -> None:
    program = (
        "import sys; from search.data import known_names; assert 'cifar10' in known_names();"
        "assert not {'tensorflow_datasets', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
