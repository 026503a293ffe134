"""What the command line refuses about the data: one line, exit code 2, nothing left behind."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.__main__ import main
from search.config.data import DataConfig
from search.errors import UserError

LONG = "a" * 6000
DEEP = "/".join(["a" * 200] * 30)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path):  # type: ignore[no-untyped-def]
    """Runs `convbudget run` with overrides that are refused; returns the line."""

    def run(*overrides: str) -> str:
        outputs = tmp_path / "outputs"
        code = main(["run", *overrides, f"outputs={outputs}", "trials=1", "study=refused"])
        errors = capsys.readouterr().err
        lines = [line for line in errors.splitlines() if line.startswith("convbudget: ")]
        assert (code, len(lines)) == (2, 1), errors
        assert "Traceback" not in errors
        assert len(lines[0]) < 600
        assert not list(outputs.rglob("trials.csv"))
        return lines[0]

    return run


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=/etc/passwd"], "data.name=/etc/passwd is not the name of a data set"),
        (["data=tfds", "data.name=../../x"], "data.name=../../x is not the name"),
        (["data=tfds", "data.name=a/../../x"], "is not the name"),
        (["data=tfds", f"data.name={LONG}"], "aaa is not the name"),
        ([f"data={LONG}"], "aaa is not the name"),
        (["data=tfds", "data.name='a\0b'"], "has control characters"),
        (["data=tfds", "data.name='\udcff'"], "bytes that are not UTF-8"),
        (["data.cache=/proc/x"], "can't hold the decoded images of digits"),
        (["data.cache=/dev/null"], "can't hold the decoded images of digits"),
        (["data.cache=/dev/null/x"], "can't hold the decoded images of digits"),
        ([f"data.cache={LONG}"], "data.cache=aaa"),
        ([f"data.cache={DEEP}"], "has 6029 bytes; a path has at most 4095"),
        (["data.cache='a\0b'"], r"data.cache=a\x00b has control characters"),
        (["data=folder", "data.path=/etc/passwd"], "data.path=/etc/passwd is a file"),
        (["data=folder", f"data.path={LONG}"], "has 6000 bytes"),
        (["data=folder", "data.path='a\0b'"], "has control characters"),
        (["data=folder", "data.path='~nobody at all/x'"], "does not exist"),
        (["data=mnist", f"data.dir={LONG}"], "data.dir=aaa"),
        (["data=mnist", "data.dir=/dev/null"], "data.dir=/dev/null can't be read (it is a file)"),
        ([f"data.train={LONG}"], "aaa is not a split"),
        (["data.validation='a\0b'"], "has control characters"),
        (["data.train='\udcff'"], "bytes that are not UTF-8"),
        (["data.validation='train[:20%]'"], "share 287 images"),
        (["data.validation=test"], "share 360 images"),
        (["data.validation='test[:50%]'"], "share 180 images"),
        (["data.train='train+test'"], "share 360 images"),
        (["data.validation_fraction=0.0001"], "leaves every class empty in one of the parts"),
        (["data.validation_fraction=0.9999"], "set it between 0.0068 and 0.9932"),
        (["data.test=", "data.test_fraction=0.0001"], "data.test_fraction=0.0001 leaves every"),
    ],
)
def test_one_line_and_exit_code_2(refused, overrides: list[str], message: str) -> None:
    assert message in refused(*overrides)


def test_paths_that_are_not_utf8(tmp_path: Path) -> None:
    # In a process of its own: captured output can't hold such names, a terminal's stderr can.
    words = [sys.executable, "-m", "search", "run", f"outputs={tmp_path}", "data=folder"]
    done = subprocess.run(
        [*words, b"data.path='/nowhere/\xff'"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 2
    assert "/nowhere/\\udcff has control characters or bytes that are not UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["CONVBUDGET_CACHE", "TFDS_DATA_DIR"])
def test_the_environment_is_checked_as_well(
    refused, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, LONG)
    assert f"{name}=aaa" in refused("data=mnist")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_an_unreadable_folder(refused, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(0o000)
    assert "can't read" in refused("data=folder", f"data.path={folder}")
    assert "can't be read" in refused("data=mnist", f"data.dir={folder}")


def test_names_that_are_not_utf8_are_images_as_others(tmp_path: Path) -> None:
    from search.data import open_dataset

    root = os.fsencode(tmp_path) + b"/set"
    generator = np.random.default_rng(0)
    for name in (b"cat \xfe", b"dog"):
        os.makedirs(root + b"/" + name)
        for index in range(6):
            pixels = generator.integers(0, 256, (4, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(os.fsdecode(root + b"/" + name + b"/%d \xfd.png" % index))
    config = DataConfig(name="folder", path=os.fsdecode(root))
    assert open_dataset(config, seed=0).classes == ("cat \udcfe", "dog")
    assert len(open_dataset(config, seed=1).train) == 8


@pytest.mark.parametrize("name", ["a", "emnist/by-class.1", "x:1.*.*", "imagenette/160px-v2:1.0.0"])
def test_names_in_the_grammar_of_tfds_are_accepted(name: str) -> None:
    DataConfig(name=name)


@pytest.mark.parametrize("name", ["/", "a/", "a//b", "a/b/c", "..", "a b", "a:", "é", "a\n", ".a"])
def test_other_names_are_refused(name: str) -> None:
    said = "control characters" if "\n" in name else "is not the name of a data set"
    with pytest.raises(UserError, match=said) as caught:
        DataConfig(name=name)
    assert "\n" not in str(caught.value)
