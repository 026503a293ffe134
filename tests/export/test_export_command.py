"""`convbudget export`: what it leaves, what it prints, and that a failure leaves nothing."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export.models import FINAL
from page_studies import final

from search.__main__ import main
from search.export import unit
from search.export.forms import FORMS, Choice, check_choice
from search.export.forms import onnx as onnx_form
from search.export.weights import unpack
from search.study.study import locate
from search.study.tables import read_front

NAME = "digits"
BEST, CHEAPEST = "1b39b040127f", "053708d29267"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A copy of the shipped study, to be damaged."""
    return Path(shutil.copytree(locate(NAME), tmp_path / "study"))


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail as a user's mistake does; return its line."""
    assert main(["export", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_best_is_left_in_the_study_and_described(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(study), "--to", "onnx"]) == 0
    captured = capsys.readouterr()
    assert "predictions are the same on 287 of 287 validation images" in captured.out
    assert "validation accuracy 1.0000" in captured.out
    assert captured.err == ""
    made = study / "export" / f"{BEST}-onnx"
    assert files(study / "export") == [f"{made.name}/export.json", f"{made.name}/model.onnx"]
    said = json.loads((made / "export.json").read_text())
    assert said["input"]["shape"] == ["batch", 1, 8, 8]
    assert said["input"]["values"] == "pixels from 0 to 255"
    assert said["output"]["classes"] == [str(digit) for digit in range(10)]
    assert said["files"] == {"model.onnx": (made / "model.onnx").stat().st_size}
    assert said["check"]["largest_difference"] < 1e-4
    assert said["check"]["same_predictions"] == 287
    # The study goes on being one.
    assert main(["front", str(study), "--json"]) == 0


def test_a_shipped_front_is_exported_into_the_working_folder(tmp_path: Path) -> None:
    before = files(locate(NAME))
    assert main(["export", NAME, "--to", "onnx"]) == 0
    made = f"export/{NAME}/{BEST}-onnx"
    assert files(tmp_path) == [f"{made}/export.json", f"{made}/model.onnx"]
    assert files(locate(NAME)) == before


@pytest.mark.parametrize("which", [[], ["--all"]])
def test_a_study_without_a_front_is_said(
    which: list[str], study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((study / "front.json").read_text())
    (study / "front.json").write_text(json.dumps({**content, "members": []}))
    assert "has no front yet" in refused([str(study), "--to", "onnx", *which], capsys)


def test_a_saved_model_is_checked_on_random_images(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved"
    unit.save(saved, unpack(study / "weights" / f"{BEST}.safetensors"))
    assert main(["export", str(saved), "--to", "onnx"]) == 0
    said = capsys.readouterr().err
    assert said == "checked on random images, because a saved model knows no study's data\n"
    assert (saved / "export" / f"{BEST}-onnx" / "model.onnx").exists()


def test_final_weights_say_that_they_were_trained_on_the_validation_images(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def exported() -> dict[str, Any]:
        assert main(["export", str(study), "--to", "onnx"]) == 0
        check: dict[str, Any] = json.loads(
            (study / "export" / f"{BEST}-onnx" / "export.json").read_text()
        )["check"]
        return check

    assert exported()["trained_on_these_images"] is False
    assert "on images of its training" not in capsys.readouterr().out
    content = json.loads((study / "front.json").read_text())
    content["finals"] = [final(BEST)]
    (study / "front.json").write_text(json.dumps(content))
    model = replace(unpack(study / "weights" / f"{BEST}.safetensors"), measured=FINAL)
    unit.save(study / "finals" / BEST, model)
    check = exported()
    assert (check["part"], check["trained_on_these_images"]) == ("validation", True)
    assert "1.0000, on images of its training" in capsys.readouterr().out


def test_all_in_json_then_one_again_over_the_earlier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [NAME, "--to", "onnx", "--raw", "--out", "out", "--json"]
    assert main(["export", *words, "--all"]) == 0
    said = json.loads(capsys.readouterr().out)
    front = read_front(locate(NAME))[1]
    assert [each["arch_id"] for each in said] == [row.arch_id for row in front]
    assert [each["check"]["accuracy"] for each in said] == pytest.approx(
        [row.accuracy for row in front], abs=1e-6
    )
    before = files(tmp_path)
    (tmp_path / "out" / f"{BEST}-onnx-raw" / "model.onnx").unlink()
    assert main(["export", *words]) == 0
    assert json.loads(capsys.readouterr().out) == said[-1]
    assert files(tmp_path) == before


def test_int8_says_the_accuracy_before_and_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [NAME, "--to", "onnx", "--int8", "--at", "8k", "--out", "out"]
    assert main(["export", *words]) == 0
    printed = capsys.readouterr().out
    assert "before, " in printed
    assert "in int8, calibrated on 200 training images" in printed
    made = tmp_path / "out" / f"{CHEAPEST}-onnx-int8"
    check = json.loads((made / "export.json").read_text())["check"]
    assert check["accuracy_before"] == pytest.approx(0.944251, abs=1e-6)
    assert check["accuracy"] > 0.92
    assert check["largest_difference"] > 1e-3, "nothing was quantised"


def test_without_data_it_is_checked_on_random_images_and_says_so(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (study / "config.yaml").read_text()
    gone = text.replace("name: digits", "name: folder", 1).replace("path: ''", "path: /gone", 1)
    (study / "config.yaml").write_text(gone)
    assert main(["export", str(study), "--to", "onnx"]) == 0
    captured = capsys.readouterr()
    assert "checked on random images, because" in captured.err
    assert "/gone" in captured.err
    assert "of 64 random images" in captured.out
    assert "accuracy" not in captured.out
    shutil.rmtree(study / "export")
    said = refused([str(study), "--to", "onnx", "--int8"], capsys)
    assert "calibrated on training images, and there are none" in said
    assert not (study / "export").exists()


def test_other_images_than_the_study_saw_are_not_used(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (study / "config.yaml").read_text()
    (study / "config.yaml").write_text(text.replace("height: 0", "height: 9"))
    assert main(["export", str(study), "--to", "onnx"]) == 0
    assert "checked on random images, because" in capsys.readouterr().err


def test_a_wrong_export_leaves_nothing(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = onnx_form.pads_of
    # The padding on the other side, as frameworks differ in it for strides.
    monkeypatch.setattr(
        onnx_form, "pads_of", lambda shape: tuple(side[::-1] for side in right(shape))
    )
    assert "does not compute what ours does" in refused([str(study), "--to", "onnx"], capsys)
    assert not (study / "export").exists()


@pytest.mark.parametrize("fault", [np.nan, RuntimeError("it\nbroke"), np.zeros((287, 3))])
def test_a_fault_of_a_library_is_one_line_and_leaves_what_was_there(
    fault: object,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    earlier = tmp_path / "out" / f"{BEST}-onnx"
    earlier.mkdir(parents=True)
    (earlier / "model.onnx").write_bytes(b"earlier")
    description = {"format": "convbudget-export/1", "files": {"model.onnx": 7}}
    (earlier / "export.json").write_text(json.dumps(description))
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    def logits(images: np.ndarray) -> np.ndarray:
        if isinstance(fault, Exception):
            raise fault
        return fault if isinstance(fault, np.ndarray) else np.full((len(images), 10), fault)

    monkeypatch.setattr(onnx_form, "load", lambda _folder: logits)
    said = refused([NAME, "--to", "onnx", "--out", "out"], capsys)
    assert "nothing was left" in said
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_weights_that_are_gone_or_of_another_network_are_refused(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = study / "weights" / f"{BEST}.safetensors"
    shutil.copy(study / "weights" / f"{CHEAPEST}.safetensors", best)
    assert f"holds the weights of {CHEAPEST}" in refused([str(study), "--to", "onnx"], capsys)
    best.unlink()
    assert f"keeps no weights of {BEST}" in refused([str(study), "--to", "onnx"], capsys)
    assert not (study / "export").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([NAME, "--to", "onx"], "--to is 'onx'; did you mean onnx"),
        ([NAME], "the following arguments are required: --to"),
        (["nowhere", "--to", "onnx"], "nowhere"),
        ([NAME, "--to", "onnx", "--id", "1b39b0401270"], f"did you mean {BEST}"),
        ([NAME, "--to", "onnx", "--id", "zzz"], "known are"),
        ([NAME, "--to", "onnx", "--id", ""], "is not on the front"),
        ([NAME, "--to", "onnx", "--at", "1k"], "the cheapest costs 7.68k"),
        ([NAME, "--to", "onnx", "--at", "many"], "--at=many is not a number"),
        ([NAME, "--to", "onnx", "--at", "8k", "--all"], "not allowed with argument"),
        ([NAME, "--to", "flax", "--int8"], "--int8 is not for --to flax; onnx and tflite can"),
        ([NAME, "--to", "onnx", "--ot", "x"], "has no option --ot; did you mean --out"),
        ([NAME, "--to", "onnx", "--out", "file"], "file is a file; name a folder with --out"),
        ([NAME, "--to", "onnx", "--out", "file/below"], "file is a file; name a folder"),
        ([NAME, "--to", "onnx", "--out", ""], "argument --out: it is empty and names no folder"),
        ([NAME, "--to", "onnx", "--out", "foreign"], "holds something else than an earlier export"),
        ([NAME, "--to", "onnx", "--out", "added"], "holds something else than an earlier export"),
    ],
)
def test_bad_words_are_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for out in ("foreign", "added"):
        (tmp_path / out / f"{BEST}-onnx").mkdir(parents=True)
        (tmp_path / out / f"{BEST}-onnx" / "notes.txt").write_text("mine")
    description = {"format": "convbudget-export/1", "files": {}}
    (tmp_path / "added" / f"{BEST}-onnx" / "export.json").write_text(json.dumps(description))
    before = files(tmp_path)
    assert said in refused(words, capsys)
    assert files(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "cannot be written; name another folder with --out" in refused(
        [NAME, "--to", "onnx", "--out", "out"], capsys
    )
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copytree", full)
    assert "No space left on device" in refused([NAME, "--to", "onnx", "--out", "out"], capsys)
    assert files(tmp_path) == []


@pytest.mark.parametrize("form", [name for name, form in FORMS.items() if form.packages])
def test_a_missing_extra_is_named(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.export.forms.find_spec", lambda _name: None)
    with pytest.raises(
        ValueError, match=f"--to {form} needs .*{FORMS[form].packages[-1]}"
    ) as error:
        check_choice(Choice(form))
    assert FORMS[form].install in str(error.value)


@pytest.mark.parametrize("words", [["--help"], ["x", "--to", "flax", "--int8"]])
def test_help_and_bad_words_import_nothing_heavy(words: list[str]) -> None:
    program = "\n".join(
        [
            "import sys",
            "from search.__main__ import _main",
            "try:",
            f"    _main(['export', *{words}])",
            "except SystemExit:",
            "    pass",
            "print()",
            "print(*sys.modules)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    names = set(done.stdout.splitlines()[-1].split())
    assert not names & {"jax", "numpy", "onnx", "tensorflow", "torch", "hydra"}
    assert "search.cli.export" in names


@pytest.mark.tensorflow
def test_tflite_in_float_and_int8_says_the_accuracy(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert", reason=f"needs {FORMS['tflite'].install}")
    for words in ([], ["--int8"]):
        assert main(["export", NAME, "--to", "tflite", "--out", "out", "--json", *words]) == 0
        captured = capfd.readouterr()
        assert captured.err == ""
        said = json.loads(captured.out)
        assert said["input"]["shape"] == [1, 8, 8, 1]
        assert said["check"]["accuracy_before"] == 1.0
        assert said["check"]["accuracy"] > 0.98
        assert said["calibration_images"] == (200 if words else None)
