"""The presets of configs/experiment: each composes, is described, and leaves what a word sets."""

import pytest

from search.__main__ import main
from search.cli.hydra import compose
from search.config import shipped

NAMES = shipped.choices(shipped.EXPERIMENT)


def test_the_presets_that_the_readme_names_are_there() -> None:
    assert NAMES == ["digits_compare", "fashion_mnist_1m", "quick"]


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_its_command_hardware_duration_and_accuracy(name: str) -> None:
    about = shipped.introduction(shipped.EXPERIMENT, name)
    assert f"experiment={name}" in about
    assert "convbudget run" in about
    for word in ("EPYC", "minute", "accuracy"):
        assert word in about.lower() or word in about


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
    assert "digits_compare, fashion_mnist_1m, quick" in capsys.readouterr().out
