"""Arguments from Python that were tracebacks or failures: one line each."""

from typing import Any

import numpy as np
import pytest
from chains import numbers

import search
from search.__main__ import main
from search.errors import UserError

CHAIN = numbers(2, 4, end=10)


@pytest.mark.parametrize("given", ["mobilenet_v2", None, 3])
def test_the_cost_of_no_arch(given: Any) -> None:
    with pytest.raises(UserError, match=r"give an Arch, such as search\.zoo\.network"):
        search.cost_of(given)


@pytest.mark.parametrize("width", ["0.5", None, float("nan"), -1, 1j])
def test_a_width_that_is_no_positive_number(width: Any) -> None:
    with pytest.raises(UserError, match=r"width is .*; it must be positive and finite"):
        search.zoo.network("mobilenet_v2", width=width)


def test_a_width_of_numpy_is_a_number() -> None:
    half = search.zoo.network("mobilenet_v2", width=0.5)
    assert search.zoo.network("mobilenet_v2", width=np.float32(0.5)) == half


def test_building_with_a_width_in_quotes() -> None:
    given: Any = "0.5"
    with pytest.raises(UserError, match=r"width is '0\.5'; it must be positive and finite"):
        search.build("mobilenet_v2", width=given)


@pytest.mark.parametrize("asked", [None, "job", (1, 1)])
def test_a_strategy_that_asks_for_no_job(asked: Any) -> None:
    class Odd:
        def ask(self) -> Any:
            return asked

        def tell(self, job: search.Job, result: search.Result) -> None:
            pass

    with pytest.raises(UserError, match=r"ask\(\) returned .*; it must return a search\.Job"):
        search.run(space=CHAIN, budget=50, evaluator=lambda job: 0.5, strategy=Odd())


@pytest.mark.parametrize("returned", [None, "0.5", [0.5], {"accuracy": 0.5}])
def test_an_evaluator_that_returns_no_accuracy(returned: Any) -> None:
    with pytest.raises(UserError, match=r"evaluator returned .*; it must return an accuracy in"):
        search.run(space=CHAIN, budget=50, evaluator=lambda job: returned, trials=3)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("space.ops=conv", "space.ops=conv must be a list, such as [conv]"),
        ("epochs=1e9", "epochs=1e9 must be an integer from 1 to 1000000"),
        ("trials=1.5", "trials=1.5 must be an integer from 1 to 1000000000, or null for no limit"),
        ("train.batch=x", "train.batch=x must be an integer from 1 to 65536"),
        ("hours=soon", "hours=soon must be a number above 0, or null for no limit"),
        ("data.flip=maybe", "data.flip=maybe must be true or false"),
    ],
)
def test_a_value_of_another_type(word: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", word]) == 2
    assert capsys.readouterr().err == f"convbudget: {line}\n"
