"""`convbudget question` over studies whose answer is known: claims, files, refusals."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_studies import final
from question_studies import HIGH, KINDS, LOW, networks, study, twins

from search.__main__ import main
from search.networks.arch import Arch
from search.networks.cost import multiplies_of
from search.question.answer import answer, as_json
from search.question.best import Found
from search.question.claims import sentences
from search.question.leave import as_object
from search.question.page import page
from search.question.reading import read_material
from search.question.summary import summary
from search.question.table import to_csv
from search.question.trainings import Training
from search.study.landmarks import Landmark
from search.study.latency import Latency, record
from search.study.study import Study

GOLDEN = Path(__file__).parent / "golden"
MIDDLE = math.sqrt(LOW * HIGH)
LOSS = 2.0  # points


class Accuracy:
    """Standard blocks gain on separable ones with every doubling: they cross in the middle."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def __call__(self, arch: Arch, epochs: int, family: str) -> float:
        doublings = math.log2(multiplies_of(arch) / MIDDLE)
        slope = {"conv": 0.03, "separable": 0.0}.get(family, 0.02)
        noise = 0.003 * self._rng.standard_normal()
        return 0.8 + slope * doublings + 0.02 * (epochs > 1) + noise


def replaced(arch: Arch, _epochs: int, _family: str) -> float:
    """Whoever has its blocks replaced loses some points, and each network has its own luck."""
    lost = LOSS * all(block.op == "separable" for block in arch.blocks)
    return 0.85 - lost / 100 + 0.005 * (int(arch.id[:2], 16) / 255 - 0.5)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("question")
    accuracy = Accuracy()
    for name, ops in (("conv", KINDS[:1]), ("separable", KINDS[1:2]), ("mixed", KINDS)):
        study(folder / name, ops, networks(ops, 30), accuracy)
    paired = twins(networks(KINDS[:1], 8, seed=1), "separable")
    twin = {"name": "population", "lengths": [1], "repeats": 2, "twin": "separable"}
    study(folder / "pairs", KINDS[:1], paired, replaced, seeds=(0, 1), strategy=twin)
    return folder


@pytest.fixture(scope="module")
def studies(place: Path) -> list[str]:
    return [str(place / name) for name in ("conv", "separable", "mixed", "pairs")]


@pytest.fixture(scope="module")
def left(studies: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("left") / "answer"
    assert main(["question", *studies, "--out", str(target)]) == 0
    return target


def test_every_file_is_left(left: Path) -> None:
    figures = ("populations", "differences", "explained", "residuals")
    expected = {f"{name}.{form}" for name in figures for form in ("png", "svg")}
    expected |= {"question.html", "sentences.txt", "summary.md", "tables.json", "trials.csv"}
    assert {path.name for path in left.iterdir()} == expected
    assert "default-src 'none'" in (left / "question.html").read_text()
    assert len((left / "sentences.txt").read_text().splitlines()) == 10


def test_the_claims_are_those_of_the_formula(left: Path) -> None:
    tables = json.loads((left / "tables.json").read_text())
    verdicts = {(one["letter"], one["verdict"]) for one in tables["claims"]}
    assert {("a", "holds"), ("b", "holds"), ("e", "holds")} <= verdicts
    curves = tables["lengths"][-1]["curves"]
    (crossing,) = next(one for one in curves if one["second"] == "separable")["crossings"]
    assert crossing["low"] < MIDDLE < crossing["high"]
    loss = tables["twins"][-1]["whole"]
    assert (loss["n"], loss["seeds"]) == (8, 2)
    assert loss["low"] < -LOSS < loss["high"]


def test_the_answer_is_printed(
    studies: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("search.question.leave.leave", lambda *_: None)
    assert main(["question", *studies]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "542 parameters and a standard one 3,584: 15 %" in said
    assert "Preliminary: the smallest population has 30 networks" in said
    assert "question/question.html" in said


def test_its_own_table_gives_the_same_answer(left: Path) -> None:
    material = read_material([str(left / "trials.csv")])
    assert to_csv(Training, material.trainings) == (left / "trials.csv").read_text()
    found = answer(material)
    told = json.dumps(as_object(found), separators=(",", ":")) + "\n"
    assert told == (left / "tables.json").read_text()
    assert page(found, material.trainings) == (left / "question.html").read_text()


def test_the_order_of_studies_and_an_earlier_answer_beside_them_change_nothing(
    studies: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = as_json(answer(read_material(studies)))
    earlier = tmp_path / "question"
    earlier.mkdir()
    (earlier / "question.html").write_text("earlier")
    assert as_json(answer(read_material([str(earlier), *reversed(studies)]))) == expected
    assert main(["question", *studies, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == "convbudget-question/1"
    assert found["populations"] == json.loads(json.dumps(expected["populations"]))


def test_what_is_said_of_a_network_is_counted_from_it(studies: list[str]) -> None:
    rows = read_material(studies).trainings
    for one in rows:
        thirds = one.standard_first + one.standard_middle + one.standard_last
        assert thirds == pytest.approx(one.standard)
        assert one.standard == {"conv": 1.0, "separable": 0.0}.get(one.family, one.standard)
        assert math.isnan(one.place) or -1 <= one.place <= 1
        assert 3 <= one.depth <= 9
    assert {one.design for one in rows} == {"population", "twins"}
    shapes = [one.shape for one in rows if one.design == "twins" and one.seed == one.trial == 0]
    assert len(shapes) == 1


def test_the_best_of_each_kind_stand_beside_known_networks(place: Path, tmp_path: Path) -> None:
    accuracy = Accuracy()
    for op in KINDS[:2]:
        searched = study(
            tmp_path / f"best-{op}", (op,), networks((op,), 6), accuracy, lengths=(4,),
            strategy={"name": "surrogate"},
        )  # fmt: skip
        with Study.read(searched) as read:
            settings, info = read.settings, read.info
        with Study.open(searched, settings, info) as opened:
            opened.add_landmark(
                Landmark(
                    "mobilenet_v2", 0.1, "0123456789ab", 900_000, 9000, 0.83, 0.83, 0.5, 4, 0, 9.0,
                    "ok", "",
                )
            )  # fmt: skip
    names = [str(place / "conv"), str(place / "separable"), *map(str, tmp_path.glob("best-*"))]
    material = read_material(names)
    assert {one.family for one in material.best} == {"conv", "separable", "zoo"}
    found = answer(material)
    assert len({one.budget for one in found.best}) == 5
    for one in found.best:
        better = [
            other
            for other in material.best
            if other.family == one.found.family
            and other.multiplies <= one.budget
            and other.accuracy > one.found.accuracy
        ]
        assert one.found.multiplies <= one.budget
        assert not better
    # A known network's deviation is not known; a reader of JSON is not to meet NaN.
    json.dumps(as_object(found), allow_nan=False)
    _, _, told = summary(found).partition("The most accurate of each kind within a budget")
    said = ", by 1 run of the search for each: accuracy on validation images, 1 seed each, ± their"
    assert " ".join(told.split()).startswith(said)
    told, _, scaled = told.partition("Known networks as wide as fits: accuracy on the validation")
    table = [line for line in told.splitlines() if line.startswith("| ")]
    assert table[0] == "| within | conv | separable | known |"
    assert table[-1].endswith("| mobilenet_v2: 0.8300 at 900k |")
    assert len(table) == 2 + 5
    assert scaled.splitlines()[2:] == [
        "| within | 1M |",
        "| --- | --- |",
        "| mobilenet_v2 | 0.8300 |",
    ]
    (tmp_path / "trials.csv").write_text(to_csv(Training, material.trainings))
    (tmp_path / "best.csv").write_text(to_csv(Found, material.best))
    again = read_material([str(tmp_path / "trials.csv")])
    # As text, because NaN is not equal to itself.
    assert str(answer(again).best) == str(found.best)
    assert [one.arch_id for one in again.best] == [one.arch_id for one in material.best]
    # Searches join the table, in place of what it knows of them.
    table, *searched = str(tmp_path / "trials.csv"), *map(str, tmp_path.glob("best-*"))
    for known in (True, False):
        if not known:
            (tmp_path / "best.csv").unlink()
        assert str(read_material([table, *searched]).best) == str(material.best)


def test_a_known_network_is_listed_once_with_the_test_figure_that_one_search_has(
    place: Path, tmp_path: Path
) -> None:
    """Each search trains the same ones; a search within less is there for its known ones alone."""
    for name, op, cost, high in (
        ("a", "conv", 900_000, HIGH),
        ("b", "separable", 900_000, HIGH),
        ("c", "conv", 90_000, HIGH // 2),
    ):
        searched = study(
            tmp_path / name, (op,), networks((op,), 3), Accuracy(), lengths=(4,),
            strategy={"name": "surrogate"}, high=high,
        )  # fmt: skip
        with Study.read(searched) as read:
            settings, info = read.settings, read.info
        with Study.open(searched, settings, info) as opened:
            arch_id = f"{cost:012}"
            opened.add_landmark(
                Landmark("resnet", 0.1, arch_id, cost, 9000, 0.83, 0.83, 0.5, 4, 0, 9.0, "ok", "")
            )
            if name != "a":
                opened.record("final", "x", final(arch_id))
    populations = [str(place / "conv"), str(place / "separable")]
    searches = [str(tmp_path / name) for name in "bac"]
    found = read_material([*populations, *searches]).best
    known = [(one.multiplies, one.test_accuracy) for one in found if one.family == "zoo"]
    assert known == [(90_000, 0.91), (900_000, 0.91)]
    assert {one.name for one in found if one.family == "conv"} == {"a"}
    # So it is when the small search joins an answer later.
    material = read_material([*populations, *searches[:2]])
    (tmp_path / "trials.csv").write_text(to_csv(Training, material.trainings))
    (tmp_path / "best.csv").write_text(to_csv(Found, material.best))
    assert str(read_material([str(tmp_path / "trials.csv"), searches[2]]).best) == str(found)


def test_latencies_of_a_study_are_used(place: Path, tmp_path: Path) -> None:
    names = []
    for op, factor in (("conv", 1.0), ("separable", 2.0)):
        copied = Path(shutil.copytree(place / op, tmp_path / op))
        with Study.read(copied) as read:
            settings, info, trials = read.settings, read.info, read.trials()
        with Study.open(copied, settings, info) as opened:
            record(
                opened,
                (
                    Latency(
                        one.arch_id, one.multiplies, "jax", 1, "cpu", "x", 2, 50,
                        factor * one.multiplies / 1e6, 0.1, 9.0,
                    )
                    for one in trials
                ),
            )  # fmt: skip
        names.append(str(copied))
    found = answer(read_material(names)).longest
    assert found is not None
    (one,) = found.in_time
    assert 2**one.slower.value == pytest.approx(2)
    assert one.measured == "jax on x, 2 threads, batch 1"
    (said,) = [text for text in sentences(answer(read_material(names))) if "not time" in text]
    assert "separable networks take 2.00 [" in said
    assert "times as long as conv ones; at equal time they differ by " in said


def test_the_golden_table_says_what_it_said() -> None:
    material = read_material([str(GOLDEN / "trials.csv")])
    assert "\n".join(sentences(answer(material))) + "\n" == (GOLDEN / "sentences.txt").read_text()


@pytest.mark.parametrize(
    ("make", "line"),
    [
        ({"names": ["conv"]}, "conv is the only kind of block here"),
        ({"names": []}, "required"),
        ({"names": ["conv", "--out", ""]}, "argument --out: it is empty and names no folder"),
        ({"names": ["nowhere"]}, "nowhere is not the folder of a study"),
        ({"strategy": {"name": "random"}, "alone": True}, "is no population (strategy=random)"),
        ({"lengths": (1, 8)}, "epochs is 4 and 8; populations may differ in space.ops and seed"),
        ({"lengths": (2, 4)}, "strategy.lengths is [1] and [2]"),
        ({"settings": {"data": {"name": "mnist"}}}, "data.name is fashion_mnist and mnist"),
        ({"settings": {"space": {"name": "own"}}, "alone": True}, "has a space of its own"),
        (
            {"strategy": {"name": "random"}, "settings": {"data": {"name": "mnist"}}},
            "data is fashion_mnist and mnist",
        ),
    ],
)
def test_mistakes_are_one_line(
    place: Path,
    tmp_path: Path,
    make: dict[str, Any],
    line: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [str(place / name) if name == "conv" else name for name in make.pop("names", ["conv"])]
    alone = make.pop("alone", False)
    if make:
        other = study(tmp_path / "other", KINDS[1:2], networks(KINDS[1:2], 4), Accuracy(), **make)
        names = [str(other)] if alone else [*names, str(other)]
    assert main(["question", "--out", str(tmp_path / "answer"), *names]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert not (tmp_path / "answer").exists()


@pytest.mark.parametrize(
    ("beside", "line"),
    [
        ("population", "other is a population, of which a table does not say how it was trained;"),
        ("mnist", "data is fashion_mnist and mnist; leave one of them out"),
        ("table", "is a second table of trainings; name one of them"),
    ],
)
def test_what_a_table_cannot_be_joined_by_is_one_line(
    tmp_path: Path, beside: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    second = GOLDEN / "trials.csv"
    if beside != "table":
        make: dict[str, Any] = {}
        if beside == "mnist":
            make = {"strategy": {"name": "random"}, "settings": {"data": {"name": "mnist"}}}
        second = study(tmp_path / "other", KINDS[1:2], networks(KINDS[1:2], 4), Accuracy(), **make)
    words = [str(GOLDEN / "trials.csv"), str(second), "--out", str(tmp_path / "answer")]
    assert main(["question", *words]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert not (tmp_path / "answer").exists()
