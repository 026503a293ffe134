"""The shipped data configurations: each is valid, with the space and budget that suit it."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, ValidationError

from search.cli.hydra import compose
from search.config.data import DataConfig
from search.data import known_names
from search.errors import UserError
from search.units import parse_multiplies

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = sorted(path.stem for path in (CONFIGS / "data").glob("*.yaml"))


def test_what_is_shipped() -> None:
    assert set(NAMES) == {
        *("digits", "mnist", "fashion_mnist", "kmnist", "emnist", "cifar10", "cifar100"),
        *("svhn_cropped", "oxford_flowers102", "imagenette", "tfds", "folder"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_shipped_configurations_are_valid(name: str) -> None:
    needed = {"tfds": ["data.name=cifar10"], "folder": ["data.path=."]}
    composed = compose([f"data={name}", *needed.get(name, [])])
    config = composed.data
    if name not in needed:
        assert config.name.split("/")[0] == name
        assert name in known_names()
    assert composed.budget == config.budget
    assert composed.epochs == config.epochs
    assert parse_multiplies(config.budget) > 0
    assert composed.space.name == ("small" if name == "digits" else "medium")


def test_the_command_line_wins_over_the_data_set() -> None:
    composed = compose(["data=cifar10", "space=small", "budget=1M", "epochs=3"])
    assert (composed.space.name, composed.budget, composed.epochs) == ("small", "1M", 3)


def test_unknown_keys_and_wrong_types_are_refused() -> None:
    schema = OmegaConf.structured(DataConfig)
    with pytest.raises(ConfigKeyError):
        OmegaConf.merge(schema, {"hieght": 3})
    with pytest.raises(ValidationError):
        OmegaConf.merge(schema, {"height": "tall"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": " "}, r"data\.name is empty"),
        ({"name": "folder"}, r"add data\.path=FOLDER"),
        ({"path": "here"}, "is for data=folder"),
        ({"train": ""}, r"data\.train is empty"),
        ({"fit": "stretch"}, "known are resize, crop"),
        ({"on_error": "ignore"}, "known are fail, skip"),
        ({"channels": 2}, "known are 0, 1, 3, 4"),
        ({"height": 32}, "set both, or neither"),
        ({"height": -1, "width": -1}, "an integer from 0 to 4096"),
        ({"validation_fraction": 0.0}, "a number above 0 and below 1"),
        ({"test_fraction": 1.0}, "a number above 0 and below 1"),
        ({"shift": -1}, r"data\.shift=-1 must be an integer from 0 to 4096"),
        ({"mixup": -0.1}, r"data\.mixup=-0.1 must be a number from 0 to 4096"),
        ({"epochs": 0}, r"data\.epochs=0 must be an integer from 1 to 1000000"),
        ({"mean": [0.5]}, "both one value a channel"),
        ({"mean": [0.5], "std": [0.0]}, "above 0"),
    ],
)
def test_values_that_make_no_sense(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        DataConfig(**values)
    assert "\n" not in str(caught.value)
