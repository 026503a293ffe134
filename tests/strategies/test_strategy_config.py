"""Options of strategies: what is refused, and that the shipped files agree with the code."""

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from chains import numbers

from search.config.strategy import OPTIONS, StrategyConfig
from search.errors import UserError
from search.spaces.budget_table import tabulate
from search.strategies import build

CONFIGS = Path(__file__).parents[2] / "configs" / "strategy"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "evolutoin"}, "did you mean evolution"),
        ({"name": "optuna", "sampler": "nsga2"}, "did you mean nsgaii"),
        ({"name": "random", "sampler": "tpe"}, "has no effect with strategy=random"),
        ({"name": "evolution", "population": 1}, "from 2 to 10000"),
        ({"name": "evolution", "population": True}, "integer"),
        ({"name": "surrogate", "start": 1}, "strategy.start=1"),
        ({"name": "halving", "reduction": 1}, "strategy.reduction=1"),
        ({"name": "halving", "rungs": 1}, "strategy.rungs=1"),
        ({"name": "halving", "inner": "halving"}, "strategy.inner=halving is unknown"),
        ({"name": "halving", "inner": "random", "start": 5}, "has no effect"),
        ({"name": "surrogate", "inner": "random"}, "belongs to halving"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        StrategyConfig(**options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", OPTIONS)
def test_shipped_files(name: str) -> None:
    """Each strategy has one, which sets no option of another."""
    text = (CONFIGS / f"{name}.yaml").read_text()
    config = StrategyConfig(**yaml.safe_load(text))
    assert config.name == name
    said = {line.split(":")[0] for line in text.splitlines() if ":" in line and line[0] != "#"}
    assert said <= {"name", *OPTIONS[name]}


def test_every_option_belongs_to_a_strategy() -> None:
    owned = {option for options in OPTIONS.values() for option in options}
    assert {field.name for field in fields(StrategyConfig)} == owned | {"name"}


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'convbudget\[optuna\]'"):
        build(
            StrategyConfig("optuna"), tabulate(numbers(3, 1, 1)), 0, 4, seed=0, epochs=1, chance=0.0
        )
