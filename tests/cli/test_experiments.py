"""The presets of configs/experiment: each composes, is described, and leaves what a word sets."""

import re

import pytest
import yaml

from search.__main__ import main
from search.cli.hydra import compose
from search.config import shipped
from search.networks.blocks import SEARCHABLE_OPS

NAMES = shipped.choices(shipped.EXPERIMENT)


def test_the_presets_that_the_readme_names_are_there() -> None:
    assert [
        "digits_compare",
        "fashion_mnist_1m",
        *("question", "question_best", "question_cifar10"),
        *("question_digits", "question_digits_best", "question_digits_pairs", "question_pairs"),
        "quick",
    ] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_its_command_hardware_duration_and_accuracy(name: str) -> None:
    about = shipped.introduction(shipped.EXPERIMENT, name)
    assert f"experiment={name}" in about
    assert "convbudget run" in about
    assert "EPYC" in about or "Xeon" in about
    assert "accuracy" in about.lower()
    assert any(word in about for word in ("minute", "hours"))


def test_presets_set_what_they_say_and_words_win() -> None:
    quick = compose(["experiment=quick"])
    assert (quick.data.name, quick.trials, quick.epochs) == ("digits", 8, 4)
    assert compose(["experiment=quick", "epochs=2"]).epochs == 2
    fashion = compose(["experiment=fashion_mnist_1m"])
    assert (fashion.data.name, fashion.budget, fashion.epochs) == ("fashion_mnist", "1M", 1)
    assert fashion.space.name == "medium"


def test_a_sweep_of_a_preset_is_what_the_readme_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr("search.cli.run.run", lambda config, *_: ran.append(config))
    assert main(["run", "-m", "experiment=digits_compare"]) == 0
    assert len(ran) == 9
    assert {tuple(one.space.ops) for one in ran} == {
        ("conv",),
        ("separable",),
        ("conv", "separable"),
    }
    assert {one.seed for one in ran} == {0, 1, 2}
    assert {(one.outputs, one.strategy.name) for one in ran} == {("outputs/ops", "random")}


@pytest.mark.parametrize(
    "name",
    ["question", "question_best", "question_cifar10", "question_digits", "question_digits_best"],
)
def test_the_question_is_put_to_each_kind_of_block(name: str) -> None:
    # The file itself: composing five jobs of each would take many seconds and say no more.
    written = yaml.safe_load((shipped.folder() / "experiment" / f"{name}.yaml").read_text())
    sweep = written["hydra"]["sweeper"]["params"]
    assert list(sweep) == ["space.ops"]
    *alone, mixed = re.findall(r"\[(.*?)\]", sweep["space.ops"])
    assert sorted(alone) == sorted(SEARCHABLE_OPS)
    assert sorted(mixed.split(",")) == sorted(SEARCHABLE_OPS)
    assert {"override /space": "question"} in written["defaults"]


@pytest.mark.parametrize("name", ["question_pairs", "question_digits_pairs"])
def test_the_twins_of_the_question_are_one_run(name: str) -> None:
    config = compose([f"experiment={name}"])
    assert config.space.ops == ["conv"]
    chosen = config.strategy
    assert (chosen.twin, chosen.repeats, config.budget_low) == ("separable", 3, None)
    # Two lengths, three seeds, two sides of each of 64 networks.
    assert config.trials == 2 * 3 * 2 * 64


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["experiment=nope"], "nope"),
        (["experiment=digits_compare"], "is for sweeps; add -m"),
    ],
)
def test_bad_presets_are_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *words]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_presets_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    assert "digits_compare, fashion_mnist_1m, question" in capsys.readouterr().out
