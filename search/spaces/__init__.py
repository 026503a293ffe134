"""Search spaces as chains of decisions; counting, sampling and mutation within a budget."""

from typing import TYPE_CHECKING

from search.lazy import names_from

if TYPE_CHECKING:
    from search.spaces.budget_table import BudgetTable, tabulate
    from search.spaces.chain import Chain, candidate, cost, value_id

__all__ = ["BudgetTable", "Chain", "candidate", "cost", "tabulate", "value_id"]
__getattr__ = names_from(
    __name__,
    {
        "BudgetTable": "search.spaces.budget_table",
        "Chain": "search.spaces.chain",
        "candidate": "search.spaces.chain",
        "cost": "search.spaces.chain",
        "tabulate": "search.spaces.budget_table",
        "value_id": "search.spaces.chain",
    },
)
