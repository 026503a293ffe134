"""The command that a page shows, read again by the command line's own parser."""

import shlex
from pathlib import Path

import page_studies
import pytest

from search.cli.hydra import prepare
from search.report.content.provenance import provenance
from search.study.study import Study


@pytest.mark.parametrize(
    "words",
    [
        "seed=3 strategy=random budget=50k budget_low=9k space.ops=[conv] epochs=2",
        "study=mine confirm.seeds=3 confirm.fraction=0.1 train.learning_rate=1e-05 zoo=true",
        "'space.widths=[[4,8],[8],[16]]' strategy=halving strategy.inner=local logger=[csv]",
        "data=folder data.path=/photos data.validation_fraction=0.2 space=small train=few",
        "data=folder \"data.path='/my photos/it\\\\'s = 1, (2) $HOME'\" study=holidays",
        "data=fashion_mnist budget=1M train.warmup=1.0 data.mean=[0.5] data.std=[1]",
        "data=imagenette data.dir=/sets train.class_weights=balanced budget=200001",
        "data=tfds data.name=quickdraw_bitmap:3.*.*",
    ],
)
def test_a_page_shows_the_command_that_repeats_its_study(words: str, tmp_path: Path) -> None:
    made = prepare([*shlex.split(words), "trials=8"], {})
    with Study.open(tmp_path / made.name, made.config.settings(), page_studies.info()) as study:
        study.write("config.yaml", made.text)
        shown = provenance(study, page_studies.trials(8)).command
    assert shlex.split(shown)[:2] == ["convbudget", "run"]
    again = prepare(shlex.split(shown)[2:], {})
    assert again.name == made.name
    assert again.config == made.config


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("", "convbudget run trials=8"),
        ("strategy=random seed=1", "convbudget run strategy=random seed=1 trials=8"),
        ("aim=front", "convbudget run aim=front trials=8"),
        ("strategy=halving aim=both", "convbudget run strategy=halving aim=both trials=8"),
        (
            "data=folder data.path=/photos study=mine",
            "convbudget run data=folder data.path=/photos study=mine trials=8",
        ),
    ],
)
def test_only_what_differs_is_shown(words: str, shown: str, tmp_path: Path) -> None:
    made = prepare(words.split(), {})
    with Study.open(tmp_path / made.name, made.config.settings(), page_studies.info()) as study:
        study.write("config.yaml", made.text)
        assert provenance(study, page_studies.trials(8)).command == shown


def test_a_study_from_before_there_was_an_aim_is_repeated_with_the_front(tmp_path: Path) -> None:
    made = prepare([], {})
    settings = {key: value for key, value in made.config.settings().items() if key != "aim"}
    with Study.open(tmp_path / made.name, settings, page_studies.info()) as study:
        study.write("config.yaml", "\n".join(made.text.split("aim: null\n")))
        shown = provenance(study, page_studies.trials(8)).command
    assert shown == "convbudget run aim=front trials=8"


def test_a_folder_that_is_not_known_any_more_has_no_command() -> None:
    settings = prepare(["data=folder", "data.path=photos"], {}).config.settings()
    with Study.open(None, settings, page_studies.info()) as study:
        assert provenance(study, []).command == ""
