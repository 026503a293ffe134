"""Which model `search.load` returns: of a study, a final, a saved folder, a shipped front."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from export.models import FINAL, packed
from page_studies import final

import search
from search.errors import UserError
from search.export import unit
from search.export.load import find
from search.export.weights import Packed, unpack
from search.study.study import Study

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "tests" / "study" / "format1" / "digits"
REFERENCE = ROOT / "outputs" / "reference"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of three front members, the best of which was retrained."""
    folder = tmp_path / "study"
    shutil.copytree(STUDY, folder)
    best = search.front(folder)[-1].arch_id
    trained = unpack(folder / "weights" / f"{best}.safetensors")
    retrained(folder, replace(trained, measured=FINAL, accuracy=0.5))
    return folder


def retrained(folder: Path, model: Packed, arch_id: str = "", number: int = 0) -> Path:
    """Leave a final in a study as `convbudget retrain` does; return the folder of its weights."""
    record = {**final(arch_id or model.arch.id), "number": number, "reading": number + 1}
    record["folder"] += f"-{number}"
    with Study.read(folder) as read:
        settings, info = read.settings, read.info
    with Study.open(folder, settings, info) as made:
        made.record("final", record["folder"], record)
    unit.save(folder / record["folder"], model)
    return folder / record["folder"]


def test_final_weights_are_preferred(study: Path) -> None:
    best = search.front(study)[-1]
    assert find(study).measured == FINAL
    assert find(study, weights="final").accuracy == 0.5
    of_search = find(study, weights="search")
    assert of_search.accuracy == best.accuracy
    assert (of_search.measured.part, of_search.measured.epochs) == ("validation", best.epochs)
    cheapest = search.front(study)[0]
    assert find(f"{study}@{cheapest.multiplies}").measured.part == "validation"
    with pytest.raises(UserError, match=f"no final weights of {cheapest.arch_id}; run convbudget"):
        find(study, cheapest.arch_id, weights="final")
    with pytest.raises(UserError, match="weights=best is unknown; write final, search, or"):
        find(study, weights="best")  # type: ignore[arg-type]


def test_a_later_final_leaves_the_weights_of_the_first(study: Path) -> None:
    first = find(study)
    second = retrained(study, replace(first, measured=FINAL, accuracy=0.9), number=1)
    assert find(study).accuracy == find(study, first.arch.id, weights="final").accuracy == 0.5
    assert find(second).accuracy == 0.9
    # What is gone is not replaced by a later reading.
    shutil.rmtree(study / f"finals/{first.arch.id}-0")
    assert find(study).measured.part == "validation"
    with pytest.raises(UserError, match="no final weights"):
        find(study, weights="final")


def test_a_final_of_another_architecture_is_refused(study: Path) -> None:
    rows = search.front(study)
    retrained(study, find(study), rows[0].arch_id)
    with pytest.raises(UserError, match=rf"is of {rows[-1].arch_id}; retrain {rows[0].arch_id}"):
        find(study, rows[0].arch_id)


def test_a_final_off_the_front_is_found_by_its_id(study: Path) -> None:
    other = packed(measured=FINAL)
    retrained(study, other)
    (study / "finals" / "no-final").mkdir()
    assert find(study, other.arch.id[:6]).arch == other.arch
    with pytest.raises(UserError, match=f"id={other.arch.id} is not on the front"):
        find(study, other.arch.id, weights="search")


def test_an_unknown_id_names_the_nearest(study: Path) -> None:
    known = [row.arch_id for row in search.front(study)]
    wrong = known[0][:-1] + ("0" if known[0][-1] != "0" else "1")
    with pytest.raises(
        UserError, match=f"id={wrong} is not on the front of .*did you mean {known[0]}"
    ):
        find(study, wrong)
    with pytest.raises(UserError, match="is not on the front"):
        find(study, "")
    assert find(study, known[0][:5], weights="search").arch.id == known[0]


def test_an_id_that_is_no_text_is_one_line(study: Path, tmp_path: Path) -> None:
    for place in (study, search.load(study).save(tmp_path / "model")):
        with pytest.raises(UserError, match="id=5 is not"):
            search.load(place, id=5)  # type: ignore[arg-type]


def test_a_saved_model_has_one_id(study: Path, tmp_path: Path) -> None:
    model = search.load(study)
    model.save(tmp_path / "saved")
    assert find(tmp_path / "saved", model.arch.id[:4]).arch == model.arch
    for wrong in ("xx", ""):
        with pytest.raises(UserError, match=f"id={wrong} is not {model.arch.id}, the one saved"):
            find(tmp_path / "saved", wrong)


def test_a_beginning_of_two_ids_is_refused(monkeypatch: pytest.MonkeyPatch, study: Path) -> None:
    rows = search.front(study)
    alike = [replace(row, arch_id=f"abc{index:09d}") for index, row in enumerate(rows)]
    monkeypatch.setattr("search.export.load.read_front", lambda folder: ({}, alike))
    with pytest.raises(UserError, match="id=abc is the beginning of abc000000000 and abc000000001"):
        find(study, "abc")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("digits@1", r"digits@1: nothing on the front costs so little; the cheapest costs 7\.68k"),
        ("digits@", "digits@ ends with @; add a budget, such as @50k, or leave it out"),
        ("digits@fast", "digits@fast: budget=fast is not a number"),
        ("", "'' is not the folder of a study"),
        ("digitz", "digitz is not the folder of a study; name one, .*did you mean digits"),
        ("q", "q is not the folder of a study; .*known are .*digits"),
        ("x" * 5000, "xxx….* is not the folder|x…x"),
        ("digits\x00", "is not the folder of a study"),
    ],
)
def test_what_cannot_be_found_is_said(name: str, line: str) -> None:
    with pytest.raises(UserError, match=line) as caught:
        search.load(name)
    assert len(str(caught.value)) < 700


def test_names_are_looked_up_in_outputs_first(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # A folder of images, say.
    (tmp_path / "digits").mkdir()
    assert find("digits").path.is_relative_to(REFERENCE)
    shutil.move(study, tmp_path / "outputs" / "digits")
    assert find("digits", weights="search").path.is_relative_to(Path("outputs"))
    shutil.move(tmp_path / "outputs" / "digits", tmp_path / "user@host")
    assert find(tmp_path / "user@host").measured == FINAL


@pytest.mark.parametrize("name", ["digits", "fashion_mnist"])
def test_every_member_of_a_shipped_front_is_there(name: str) -> None:
    members = search.front(name)
    assert len(members) >= 3
    for row in members:
        found = find(name, row.arch_id)
        assert (found.arch.id, found.accuracy) == (row.arch_id, row.accuracy)
        # The study on Fashion-MNIST was begun before studies kept the number of their images.
        assert name == "fashion_mnist" or found.data["images"]["validation"] > 0
        card = (REFERENCE / name / "weights" / f"{row.arch_id}.md").read_text()
        assert f"{row.accuracy:.4f}" in card
    assert find(f"{name}@{members[0].multiplies}").arch.id == members[0].arch_id


def test_the_shipped_fronts_are_small_and_say_nothing_of_the_machine() -> None:
    files = [path for path in REFERENCE.rglob("*") if path.is_file()]
    answers = [REFERENCE / name for name in ("question", "question_digits")]
    fronts = [path for path in files if path.parent not in answers]
    assert sum(path.stat().st_size for path in fronts) <= 5_000_000
    # Beside the fronts lie the answers to the question, each with its page and every training.
    for answer in answers:
        assert sum(path.stat().st_size for path in answer.iterdir()) <= 4_000_000
    for path in files:
        kinds = {".csv", ".json", ".html", ".png", ".yaml", ".md", ".safetensors"}
        # Figures for a paper, plain sentences and studies to go on from are of the question alone.
        assert path.suffix in (kinds if path in fronts else kinds | {".svg", ".txt", ".xz"})
        assert b"/work/" not in path.read_bytes(), path
        assert b"/home/" not in path.read_bytes(), path


ALONE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            raise ImportError(f"{name} is made unimportable")

ABSENT = {"hydra", "omegaconf", "tensorflow_datasets", "array_record", "tensorflow",
          "sklearn", "scipy", "matplotlib", "moocore", "PIL", "optuna", "threadpoolctl"}
sys.meta_path.insert(0, Absent())
import numpy as np, search
model = search.load("digits@50k")
image = np.zeros((8, 8), np.uint8)
print(model, model.classes[model.predict(image)], model.embed(image).shape, model.cost.params)
again = search.load(model.save(sys.argv[1]))
assert (again(image) == model(image)).all()
assert not ABSENT & {name.split(".")[0] for name in sys.modules}
"""


def test_loading_needs_jax_flax_numpy_and_safetensors_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "model")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("Model(")
