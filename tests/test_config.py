"""The schema is the one source of defaults, help and ranges; the shipped files hold differences."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.cli.hydra import compose
from search.config import shipped
from search.config.checks import check
from search.config.data import DataConfig
from search.config.run import ExecutorConfig, RunConfig
from search.config.settings import identity, walk
from search.config.space import SpaceConfig
from search.config.strategy import StrategyConfig
from search.config.train import TrainConfig
from search.errors import UserError, one_line, shown

SCHEMAS: dict[str, Any] = {
    "data": DataConfig,
    "space": SpaceConfig,
    "strategy": StrategyConfig,
    "train": TrainConfig,
    "executor": ExecutorConfig,
}
FILES = [(group, name) for group in shipped.GROUPS for name in shipped.choices(group)]


def content(group: str, name: str) -> dict[str, Any]:
    path = shipped.folder() / group / f"{name}.yaml"
    return yaml.safe_load(path.read_text()) or {}


def test_the_plain_command_composes_the_schemas_defaults() -> None:
    assert compose([]) == RunConfig()
    assert compose(["train=default"]).train == TrainConfig()


@pytest.mark.parametrize(
    ("group", "name"),
    [("data", "digits"), ("space", "small"), ("train", "default"), ("executor", "local")],
)
def test_the_default_files_are_the_schema(group: str, name: str) -> None:
    values = {key: value for key, value in content(group, name).items() if key != "defaults"}
    assert SCHEMAS[group](**values) == SCHEMAS[group]()


@pytest.mark.parametrize(("group", "name"), FILES)
def test_files_hold_differences_alone(group: str, name: str) -> None:
    """But for the name, which says whose file it is."""
    defaults = {
        field.name: getattr(SCHEMAS[group](), field.name) for field in fields(SCHEMAS[group])
    }
    for key, value in content(group, name).items():
        if key not in ("name", "defaults"):
            assert value != defaults[key], f"{key}={value} is the default"


def test_the_main_file_sets_no_default() -> None:
    main = yaml.safe_load((shipped.folder() / "config.yaml").read_text())
    assert set(main) == {"defaults", "budget", "epochs", "hydra"}
    assert (main["budget"], main["epochs"]) == ("${data.budget}", "${data.epochs}")


def test_every_setting_is_explained() -> None:
    for key, said, _ in walk(RunConfig()):
        assert len(said.help) > 5, key
        assert not said.help.endswith("."), key


def test_places_define_no_study() -> None:
    elsewhere = DataConfig(dir="there", cache="here", budget="3M", epochs=7)
    assert identity(elsewhere) == identity(DataConfig())
    assert identity(replace(elsewhere, flip=True)) != identity(DataConfig())


def test_lists_are_not_shared() -> None:
    SpaceConfig().kernels.append(5)
    assert SpaceConfig().kernels == [3]


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: TrainConfig(batch=0), "train.batch=0 must be an integer from 1 to 65536"),
        (lambda: TrainConfig(batch=True), "train.batch=True must be an integer from 1 to 65536"),
        (lambda: TrainConfig(batch="8"), "train.batch=8 must be an integer from 1 to 65536"),
        (
            lambda: TrainConfig(learning_rate=0),
            "train.learning_rate=0 must be a number above 0 and at most 100",
        ),
        (
            lambda: TrainConfig(learning_rate=float("nan")),
            "train.learning_rate=nan must be a number above 0 and at most 100",
        ),
        (
            lambda: TrainConfig(label_smoothing=1.0),
            "train.label_smoothing=1.0 must be a number from 0 to 0.99",
        ),
        (
            lambda: RunConfig(trials=0),
            "trials=0 must be an integer from 1 to 1000000000, or null for no limit",
        ),
        (
            lambda: RunConfig(hours=float("inf")),
            "hours=inf must be a number above 0, or null for no limit",
        ),
        (lambda: RunConfig(train=None), "train=None must be a group of settings, a TrainConfig"),
        (lambda: DataConfig(flip=1), "data.flip=1 must be true or false"),
        (lambda: DataConfig(mean=0.5), "data.mean=0.5 must be a list, such as [0.5]"),
        (lambda: DataConfig(name="a\0"), r"data.name=a\x00 has control characters"),
        (lambda: DataConfig(path="\udcff"), r"data.path=\udcff has control characters"),
        (lambda: DataConfig(channels=True), "data.channels=True is unknown; known are 0, 1, 3, 4"),
        (
            lambda: SpaceConfig(widths=[[4], [8, "x"], [9]]),
            "space.widths[1][1]=x must be an integer from 1 to 1000000",
        ),
        (
            lambda: SpaceConfig(ops=[["conv"]]),
            "space.ops[0]=['conv'] is unknown; did you mean conv",
        ),
        (
            lambda: RunConfig(budget_low="2M"),
            "budget_low=2M is above budget=200k; it must be at most that",
        ),
        (lambda: RunConfig(aim="bets"), "aim=bets is unknown; did you mean best"),
        (
            lambda: RunConfig(aim="best", strategy=StrategyConfig("random")),
            "aim=best has no effect with strategy=random; it belongs to surrogate",
        ),
        (
            lambda: RunConfig(aim="both", strategy=StrategyConfig("halving", inner="evolution")),
            "aim=both has no effect with strategy=halving",
        ),
    ],
)
def test_a_value_is_checked_when_it_is_set(make: Any, line: str) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("strategy", "aim"), [("surrogate", "both"), ("halving", "front"), ("random", "front")]
)
def test_an_aim_that_is_not_given(strategy: str, aim: str) -> None:
    config = RunConfig(strategy=StrategyConfig(strategy))
    assert config.improved == config.settings()["aim"] == aim


def test_a_checked_configuration_does_not_change() -> None:
    with pytest.raises(AttributeError):
        RunConfig().trials = 0  # type: ignore[misc]
    check(RunConfig())


def test_long_values_are_shortened() -> None:
    assert shown("x" * 80) == "x" * 80
    long = shown("a" * 5000 + "b" * 5000)
    assert len(long) == 80
    assert (long[0], long[-1], long.count("…")) == ("a", "b", 1)
    assert shown(10**5000) == "<int too large to print>"
    assert shown("a\n\x1b\udcff") == r"a\n\x1b\udcff"
    assert len(one_line(UserError("word " * 10_000))) <= 1200
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(nested) == "<list too large to print>"


@pytest.mark.parametrize("group", shipped.GROUPS)
def test_introductions_are_one_paragraph(group: str, tmp_path: Path) -> None:
    for name in shipped.choices(group):
        assert "\n" not in shipped.introduction(group, name)
        assert shipped.introduction(group, name)
    assert shipped.introduction(group, "nothing", tmp_path) == ""
