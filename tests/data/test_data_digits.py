"""The digits: prepared through TFDS without TensorFlow, quickly, quietly, and by one at a time."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from search.config.data import DataConfig
from search.data import open_dataset, open_test
from search.errors import UserError

OPEN = """
import sys
from search.config.data import DataConfig
from search.data import open_dataset
dataset = open_dataset(DataConfig(), seed=0)
print(dataset.train.fingerprint, dataset.validation.fingerprint)
print(sorted({"jax", "tensorflow", "tensorflow_datasets"} & set(sys.modules)))
"""


def run() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OPEN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    open_dataset(DataConfig(cache=str(folder)), seed=0)
    open_test(DataConfig(cache=str(folder)))
    return folder


@pytest.fixture
def warm(prepared: Path, cache: Path) -> Path:
    shutil.copytree(prepared, cache)
    return cache


def test_the_parts_are_the_digits(warm: Path) -> None:
    dataset = open_dataset(DataConfig(), seed=0)
    test = open_test(DataConfig())
    assert dataset.shape == (8, 8, 1)
    assert dataset.classes == tuple("0123456789")
    assert [len(part) for part in (dataset.train, dataset.validation, test)] == [1150, 287, 360]
    parts = (dataset.train, dataset.validation, test)
    found = sorted(
        (int(label), image.tobytes())
        for part in parts
        for image, label in zip(part.images, part.labels, strict=True)
    )
    digits = load_digits()
    levels = np.rint(digits.images * 255 / 16).astype(np.uint8)
    expected = sorted(
        (int(label), image.tobytes()) for image, label in zip(levels, digits.target, strict=True)
    )
    assert found == expected
    assert all(np.bincount(part.labels).min() > 0 for part in parts)


def test_statistics_are_the_training_parts(warm: Path) -> None:
    dataset = open_dataset(DataConfig(), seed=3)
    scaled = dataset.train.images / 255
    assert dataset.mean == pytest.approx([scaled.mean()])
    assert dataset.std == pytest.approx([scaled.std()])
    given = open_dataset(DataConfig(mean=[0.5], std=[0.25]), seed=3)
    assert (given.mean, given.std) == ((0.5,), (0.25,))
    with pytest.raises(UserError, match="has 3 values, the images 1 channels"):
        open_dataset(DataConfig(mean=[0.5] * 3, std=[0.25] * 3), seed=3)


def test_the_seed_chooses_the_validation_part_and_nothing_else_does(warm: Path) -> None:
    first, again, other = (open_dataset(DataConfig(), seed=seed) for seed in (0, 0, 1))
    assert first.validation.fingerprint == again.validation.fingerprint
    assert first.train.fingerprint == again.train.fingerprint
    assert first.validation.fingerprint != other.validation.fingerprint
    assert open_test(DataConfig()).fingerprint == open_test(DataConfig()).fingerprint


def test_the_parts_are_those_that_old_studies_know(warm: Path) -> None:
    dataset = open_dataset(DataConfig(validation_fraction=0.1), seed=0)
    found = [part.fingerprint[:12] for part in (dataset.train, dataset.validation)]
    assert found == ["5cd5cda3fda9", "a244970e9a0b"]


def test_resized_and_coloured_on_request(warm: Path) -> None:
    dataset = open_dataset(DataConfig(height=12, width=10, channels=3), seed=0)
    assert dataset.shape == (12, 10, 3)
    assert open_test(DataConfig(height=12, width=10, channels=3)).images.shape[1:] == (12, 10, 3)


def test_a_slice_is_honoured(warm: Path) -> None:
    whole = open_dataset(DataConfig(), seed=0)
    half = open_dataset(DataConfig(train="train[:50%]"), seed=0)
    assert len(half.train) + len(half.validation) == 718
    assert half.train.fingerprint != whole.train.fingerprint


def test_a_split_may_be_the_validation_part(warm: Path) -> None:
    config = DataConfig(train="train[:80%]", validation="train[80%:]")
    dataset = open_dataset(config, seed=0)
    assert (len(dataset.train), len(dataset.validation)) == (1150, 287)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig(train="training"), "no split 'training'.*its splits are train, test"),
        (DataConfig(train="train[:0%]"), "is empty"),
        (DataConfig(train="train[:8]"), "8 images for 10 classes"),
        (DataConfig(train="train[:12]"), "class .* has 1 image"),
    ],
)
def test_slices_that_hold_too_little(warm: Path, config: DataConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_dataset(config, seed=0)


def test_warm_opening_needs_no_tfds(warm: Path) -> None:
    open_dataset(DataConfig(), seed=0)
    process = run()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.splitlines()[1] == "[]"


def test_two_at_once_are_quiet_and_agree(cache: Path) -> None:
    first, second = run(), run()
    outputs = [process.communicate(timeout=60) for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], outputs
    # By default notices are log warnings, which Python prints.
    told = "".join(errors for _, errors in outputs).splitlines()
    assert all(line.startswith("another process is preparing") for line in told)
    assert outputs[0][0].splitlines()[0] == outputs[1][0].splitlines()[0]
    entries = [path for path in (cache / "arrays").iterdir() if path.is_dir()]
    assert len(entries) == 1


@pytest.mark.parametrize("delay", [0.6, 1.2, 1.8])
def test_a_kill_half_way_leaves_nothing_in_the_way(cache: Path, delay: float) -> None:
    process = run()
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    dataset = open_dataset(DataConfig(), seed=0)
    assert len(dataset.train) == 1150
    left = [
        path.name for path in cache.rglob("*") if "tmp-" in path.name or "incomplete" in path.name
    ]
    assert left == []


def test_damaged_records_are_prepared_again(warm: Path) -> None:
    expected = open_dataset(DataConfig(), seed=0).train.fingerprint
    shutil.rmtree(warm / "arrays")
    (record,) = (warm / "tfds").rglob("digits-train*")
    content = bytearray(record.read_bytes())
    content[len(content) // 3 : len(content) // 2] = os.urandom(100) * (
        (len(content) // 2 - len(content) // 3) // 100 + 1
    )
    record.write_bytes(content[: record.stat().st_size])
    said: list[str] = []
    dataset = open_dataset(DataConfig(), seed=0, say=said.append)
    assert dataset.train.fingerprint == expected
    assert "damaged" in said[0]


def test_progress_counts_up_to_the_whole(cache: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    open_dataset(DataConfig(), seed=0, progress=lambda *call: calls.append(call))
    assert calls[-1] == ("decoding digits train", 1437, 1437)
    assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_can_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=r"data\.cache="):
        open_dataset(DataConfig(cache=str(tmp_path / "cache")), seed=0)


def test_a_cache_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"can't hold .*data\.cache="):
        open_dataset(DataConfig(cache=str(tmp_path / "file" / "cache")), seed=0)
