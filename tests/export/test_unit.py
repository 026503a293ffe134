"""The folder of a model: what goes in comes out, and nothing else is taken for one."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from attacks.damage import BYTES
from export.models import ARCH, FINAL, images, packed
from markdown_it import MarkdownIt
from scipy.stats import t

import search
from search.errors import UserError
from search.export import unit
from search.export.card import card, escaped
from search.export.model import Model
from search.export.weights import Measured, Packed

PACKED = packed(measured=FINAL, accuracy=0.75)


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"
    assert unit.save(folder, PACKED).path == folder / "model.safetensors"
    assert {path.name for path in folder.iterdir()} == {
        *("arch.json", "model.safetensors", "preprocess.json", "README.md")
    }
    found = unit.read(folder)
    for name in ("arch", "data", "accuracy", "multiplies", "measured"):
        assert getattr(found, name) == getattr(PACKED, name)
    assert found.arrays.keys() == PACKED.arrays.keys()
    assert all(np.array_equal(found.arrays[k], v) for k, v in PACKED.arrays.items())
    model = search.load(folder)
    np.testing.assert_array_equal(model(images()), Model(PACKED)(images()))
    again = unit.read(model.save(tmp_path / "again"))
    assert (again.arch, again.data, again.measured) == (ARCH, PACKED.data, FINAL)


def test_other_programs_read_its_json(tmp_path: Path) -> None:
    unit.save(tmp_path, PACKED)
    content = json.loads((tmp_path / "preprocess.json").read_text())
    assert content == {
        "format": "convbudget-preprocess/1",
        "input": [9, 6, 1],
        "layout": "NHWC",
        "divide_by": 255,
        "mean": [0.4],
        "std": [0.25],
        "data": "shapes",
        "classes": ["class 0", "class 1", "class 2"],
    }
    assert search.build(search.load(tmp_path).arch).arch == ARCH


def test_a_saved_model_is_replaced_but_nothing_of_others_is(tmp_path: Path) -> None:
    unit.save(tmp_path, packed(seed=1))
    unit.save(tmp_path, PACKED)
    assert unit.read(tmp_path).accuracy == 0.75
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds 'thesis\.txt', which is no part of a saved model"):
        unit.save(tmp_path, PACKED)
    other = tmp_path / "project"
    other.mkdir()
    (other / "README.md").write_text("mine")
    with pytest.raises(UserError, match=r"holds 'README\.md'"):
        unit.save(other, PACKED)
    assert (other / "README.md").read_text() == "mine"
    with pytest.raises(UserError, match="is a file; name a folder"):
        unit.save(other / "README.md", PACKED)


@pytest.mark.parametrize("name", ["arch.json", "preprocess.json"])
def test_files_that_contradict_the_weights_are_refused(tmp_path: Path, name: str) -> None:
    unit.save(tmp_path, PACKED)
    content = json.loads((tmp_path / name).read_text())
    (tmp_path / name).write_text(json.dumps(content, indent=4))
    assert unit.read(tmp_path).arch == ARCH
    content["classes"] = 4
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"{name} is damaged \(it is not what model\.safetensors"):
        search.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=rf"{name} cannot be read \(No such file"):
        search.load(tmp_path)


def test_a_model_without_its_weights_names_the_file(tmp_path: Path) -> None:
    unit.save(tmp_path, PACKED)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors cannot be read"):
        search.load(tmp_path)


def test_damaged_weights_are_refused_or_read_as_they_were(tmp_path: Path) -> None:
    """Bytes changed, cut off and put in: one line that names the file, for each of 300 damages."""
    unit.save(tmp_path, PACKED)
    healthy = {path: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".md"}
    rng = random.Random(0)
    for turn in range(300):
        path = list(healthy)[turn % len(healthy)]
        rng.choice(BYTES)(path, rng)
        # Damage may be none, and white space at the end of a JSON file is.
        if path.read_bytes() != healthy[path]:
            error = _refused(tmp_path)
            if path.suffix != ".json" or error:
                assert path.name in error
                assert len(error.splitlines()) == 1
        path.write_bytes(healthy[path])


def _refused(folder: Path) -> str:
    """The error of reading a saved model; empty where it is as it was."""
    try:
        found = unit.read(folder)
    except UserError as error:
        return str(error)
    assert (found.arch, found.data, found.measured) == (ARCH, PACKED.data, FINAL)
    return ""


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda a: a.pop("head.kernel"), r"lacks the array head\.kernel"),
        (
            lambda a: a.update(extra=np.zeros(900, np.float32)),
            "has beside those of its architecture .* extra",
        ),
        (
            lambda a: a.update({"head.kernel": np.zeros((1, 1, 7, 6), np.float32)}),
            r"holds head\.kernel as float32 \[1, 1, 7, 6\]; .* has float32 \[1, 1, 6, 7\]",
        ),
        (
            lambda a: a.update({"classifier.bias": np.zeros(3, np.float16)}),
            r"holds classifier\.bias as float16 \[3\]; its architecture has float32 \[3\]",
        ),
    ],
)
def test_weights_of_another_architecture_are_refused(tmp_path: Path, change, line: str) -> None:
    arrays = dict(PACKED.arrays)
    change(arrays)
    unit.save(tmp_path, replace(PACKED, arrays=arrays))
    with pytest.raises(UserError, match=rf"model\.safetensors {line}"):
        search.load(tmp_path)


def test_a_card_says_what_must_be_known() -> None:
    text = card(PACKED)
    half = t.ppf(0.975, 2) * 0.01 / 3**0.5
    for part in (
        f"# Image classifier {ARCH.id}",
        "| data | shapes |",
        f"0.7500, mean over 3 seeds, standard deviation 0.0100, 95 % interval [{0.75 - half:.4f},",
        "| balanced accuracy on the test part | 0.7500 |",
        f"| multiplies for one image | {PACKED.multiplies:,} |",
        f"| peak activation memory | {search.cost_of(ARCH).peak_activation:,} numbers",
        "search.load(",
        "licence",
        "jax 0.",
    ):
        assert part in text
    one = card(packed(), "mine")
    assert "`convbudget run confirm.seeds=3`" in one
    # Fresh seeds on the images that chose the network would not tell again.
    again = replace(packed(), measured=Measured("validation", 10, None, 3, 0.01))
    assert "`convbudget run confirm.fraction=0.1 confirm.seeds=3`" in card(again, "mine")
    assert "accuracy on the validation part \\(10 images\\) | 0.8000 (one seed, so no int" in one
    assert f'search.load("mine", id="{ARCH.id}")' in one


@pytest.mark.parametrize(
    "word", ["<script>", "a|b", "[x](http://y)", "`x`", "$\\pi$", "line\nbreak", "# head", "*b*"]
)
def test_words_of_strangers_stay_words(word: str) -> None:
    data = {**PACKED.data, "name": word, "classes": [word, "b", "c"]}
    made: Packed = replace(PACKED, data=data, measured=Measured("test", 1, 0, details={word: 0.5}))
    page = MarkdownIt("commonmark").enable("table").render(card(made))
    plain = MarkdownIt("commonmark").enable("table").render(card(PACKED))
    for tag in ("<script", "<a ", "<code", "<em", "<h1", "<tr", "<td", "<p>"):
        assert page.count(tag) == plain.count(tag), tag
    assert "\n" not in escaped(word)
