"""A small space that the tests of strategies share."""

import pytest
from chains import PriceList

from search.spaces.budget_table import BudgetTable, tabulate


@pytest.fixture(scope="module")
def table() -> BudgetTable:
    """Eight decisions; each "yes" costs its position's power of two."""
    return tabulate(PriceList(*[{"no": 0, "yes": 2**i} for i in range(8)], end=100))
