"""`convbudget cost`: the figures it prints, and its mistakes on one line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search.cli.cost import main
from search.errors import UserError
from search.networks import zoo
from search.networks.arch import to_json


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(line: str) -> str:
        assert main(line.split()) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return run


def refused(argv: list[str]) -> str:
    with pytest.raises(UserError) as caught:
        main(argv)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_json_of_a_network(shown: Any) -> None:
    found = json.loads(shown("mobilenet_v1 --width 0.75 --json"))
    assert found["multiplies"] == 325_400_448
    assert found["params"] == 2_585_560
    assert found["params"] == found["weights"] + found["biases"] + found["batch_norms"]
    assert sum(found["multiplies_by_kind"].values()) == found["multiplies"]
    assert set(found["params_by_kind"]) == {"standard", "depthwise", "pointwise", "dense"}
    assert found["weight_bytes"] == 4 * found["params"]
    assert found["input"] == [224, 224, 3]
    assert "layers" not in found


def test_json_with_layers(shown: Any) -> None:
    found = json.loads(shown("mobilenet_v1 --input 160x160x3 --width 0.5 --layers --json"))
    assert len(found["layers"]) == 28
    assert (
        sum(layer["multiplies"] for layer in found["layers"]) == found["multiplies"] == 76_524_800
    )
    assert found["layers"][1]["name"] == "blocks[0].depthwise"
    assert found["layers"][1]["in_size"] == [80, 80]


def test_text_of_a_network(shown: Any) -> None:
    text = shown("cifar_resnet20 --layers")
    assert text.isascii()
    assert "40813184 (40.81M)" in text
    assert "272474 = 270896 weights + 10 biases + 1568 BatchNorm" in text
    assert "blocks[3].shortcut" in text
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert "blocks[3].shortcut" not in shown("cifar_resnet20")


def test_file_and_name_agree(tmp_path: Path, shown: Any) -> None:
    path = tmp_path / "arch.json"
    path.write_text(to_json(zoo.network("cifar_resnet20")))
    by_name, by_file = (json.loads(shown(f"{n} --json")) for n in ("cifar_resnet20", path))
    assert by_name.pop("network") != by_file.pop("network")
    assert by_name == by_file
    changed = json.loads(shown(f"{path} --input 64x64x3 --classes 100 --json"))
    assert changed["multiplies"] == 4 * (by_file["multiplies"] - 640) + 6400


def test_block_of_the_question(shown: Any) -> None:
    line = "block separable --in 3 --out 128 --kernel 3 --input 32x32 --bias"
    found = json.loads(shown(f"{line} --json"))
    assert found["params"] == 542
    assert found["ways"]["conv"]["params"] == 3584
    assert [layer["params"] for layer in found["layers"]] == [30, 512]
    assert round(found["ratio"]["params"], 2) == 0.15
    text = shown(line)
    for figure in ("3584", "30", "512", "542", "0.15", "> separable"):
        assert figure in text


def test_a_block_has_sensible_defaults(shown: Any) -> None:
    text = shown("block conv")
    assert text == shown("block conv --in 3 --out 128 --kernel 3 --input 32x32 --stride 1")
    assert text.startswith("32x32x3 -> 32x32x128, kernel 3x3")
    assert "0.12 = 1/128 + 1/9" in text


def test_block_of_the_lecture(shown: Any) -> None:
    line = "block conv --in 3 --out 5 --input 6x6 --padding valid"
    found = json.loads(shown(f"{line} --json"))
    assert found["multiplies"] == 2160
    assert found["output"] == [4, 4]
    separable = found["ways"]["separable"]
    assert [layer["multiplies"] for layer in separable["layers"]] == [432, 240]
    assert separable["multiplies"] == 672
    assert separable["ratio"]["multiplies"] == pytest.approx(1 / 5 + 1 / 9)
    assert "0.31 = 1/5 + 1/9" in shown(line)


def test_inverted_block(shown: Any) -> None:
    line = "block inverted --in 4 --out 4 --expansion 2 --stride 2 --input 8x8 --batch-norm --json"
    found = json.loads(shown(line))
    roles = [layer["name"] for layer in found["layers"]]
    assert roles == ["expand", "depthwise", "project"]
    assert found["multiplies"] == 64 * 4 * 8 + 16 * 9 * 8 + 16 * 8 * 4
    assert found["params"] == (32 + 16) + (72 + 16) + (32 + 8)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("", ("NAME|FILE.json", "required")),
        ("mobilenet_v3", ("'mobilenet_v3'", "mobilenet_v2")),
        ("none.json", ("none.json", "No such file")),
        (".", (". can't be read", "directory")),
        ("mobilenet_v1 --input 0x3", ("'0x3'", "224x224x3")),
        ("mobilenet_v1 --input 224x224", ("'224x224'", "224x224x3")),
        ("mobilenet_v1 --input -1x3x3", ("'-1x3x3'", "positive")),
        ("mobilenet_v1 --input 16x16x3", ("16x16x3", "no pixel")),
        ("mobilenet_v1 --width 0", ("width is 0.0", "positive and finite")),
        ("mobilenet_v1 --width nan", ("width is nan", "positive and finite")),
        ("mobilenet_v1 --width -1", ("width is -1.0", "positive and finite")),
        ("mobilenet_v1 --width -inf", ("width is -inf", "positive and finite")),
        ("mobilenet_v1 --width wide", ("'wide'", "such as 0.75")),
        ("resnet18 --width 0", ("width is 0.0", "positive and finite")),
        ("mobilenet_v1 --classes 0", ("'0'", "positive integer")),
        ("mobilenet_v1 --layer", ("--layer;", "--layers")),
        ("block", ("conv|separable|inverted", "required")),
        ("block cnv --in 3 --out 5", ("'cnv'", "did you mean conv")),
        ("block conv --in 3 --out 0", ("--out", "'0'", "positive integer")),
        ("block conv --in 3 --out 5 --kernel 7 --input 6x6 --padding valid", ("--kernel 7", "6x6")),
        ("block conv --in 3 --out 5 --stride 7 --input 6x9", ("--stride 7", "at most 6")),
        ("block conv --in 3 --out 5 --padding full", ("'full'", "same, valid")),
        ("block conv --in 3 --out 5 --input 6x6x3", ("'6x6x3'", "32x32")),
    ],
)
def test_mistakes(line: str, parts: tuple[str, ...]) -> None:
    message = refused(line.split())
    for part in parts:
        assert part in message


def test_broken_files(tmp_path: Path) -> None:
    good = to_json(zoo.network("cifar_resnet20"))
    path = tmp_path / "arch.json"
    path.write_text(good)
    assert "--width 0.5" in refused([str(path), "--width", "0.5"])
    for text, part in (
        ("{", "not JSON"),
        (good.replace('"basic"', '"baisc"', 1), "baisc"),
        (good.replace("arch/1", "arch/2"), "convbudget-arch/2"),
    ):
        path.write_text(text)
        line = refused([str(path)])
        assert part in line
        assert "arch.json" in line
    path.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused([str(path)])
    assert "directory" in refused([str(tmp_path) + "/"]).lower()


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from search.cli.cost import main;"
        "main(['mobilenet_v2']); main('block conv --in 3 --out 5'.split());"
        "print(sorted({'jax', 'numpy', 'hydra', 'rich', 'flax'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
