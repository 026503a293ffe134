"""Options of strategies: what is refused, and that the shipped files agree with the code."""

import sys
from dataclasses import fields
from pathlib import Path

import pytest
from chains import numbers
from omegaconf import OmegaConf

from search.config.strategy import OPTIONS, StrategyConfig
from search.errors import UserError
from search.spaces.budget_table import tabulate
from search.strategies import build

CONFIGS = Path(__file__).parents[2] / "configs" / "strategy"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (StrategyConfig("evolutoin"), "did you mean evolution"),
        (StrategyConfig("optuna", sampler="nsga2"), "did you mean nsgaii"),
        (StrategyConfig("random", sampler="tpe"), "does nothing for strategy=random"),
        (StrategyConfig("evolution", population=1), "from 2 to 10000"),
        (StrategyConfig("evolution", population=True), "integer"),
        (StrategyConfig("surrogate", start=1), "strategy.start=1"),
        (StrategyConfig("halving", reduction=1), "strategy.reduction=1"),
        (StrategyConfig("halving", rungs=1), "strategy.rungs=1"),
        (StrategyConfig("halving", inner="halving"), "strategy.inner=halving is unknown"),
        (StrategyConfig("halving", inner="random", start=5), "does nothing"),
        (StrategyConfig("surrogate", inner="random"), "belongs to halving"),
    ],
)
def test_refused(config: StrategyConfig, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        config.validate()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", OPTIONS)
def test_shipped_files(name: str) -> None:
    """Each strategy has one, with all of its options and a comment on each."""
    text = (CONFIGS / f"{name}.yaml").read_text()
    merged = OmegaConf.merge(OmegaConf.structured(StrategyConfig), OmegaConf.create(text))
    config = OmegaConf.to_object(merged)
    assert isinstance(config, StrategyConfig)
    config.validate()
    assert config.name == name
    said = {line.split(":")[0] for line in text.splitlines() if ":" in line and line[0] != "#"}
    assert said == {"name", *OPTIONS[name]}


def test_every_option_belongs_to_a_strategy() -> None:
    owned = {option for options in OPTIONS.values() for option in options}
    assert {field.name for field in fields(StrategyConfig)} == owned | {"name"}


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'convbudget\[optuna\]'"):
        build(
            StrategyConfig("optuna"), tabulate(numbers(3, 1, 1)), 0, 4, seed=0, epochs=1, chance=0.0
        )
