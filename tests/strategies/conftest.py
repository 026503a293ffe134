"""A small space that the tests of strategies share."""

import pytest

from search.jobs import Option, Options
from search.spaces.budget_table import BudgetTable, tabulate


class Line:
    """Eight decisions of 0 or 1; each 1 costs a position's power of two."""

    def start(self) -> None:
        return None

    def options(self, position: int, _state: None) -> list[Option]:
        return ["no", "yes"] if position < 8 else []

    def step(self, position: int, _state: None, option: Option) -> tuple[None, int]:
        return None, 2**position if option == "yes" else 0

    def finish(self, _state: None) -> int:
        return 100

    def value(self, options: Options) -> list[Option]:
        return list(options)


@pytest.fixture(scope="module")
def table() -> BudgetTable:
    return tabulate(Line())
