"""What a search maximises: strategies are told it as the accuracy, whichever accuracy it is."""

from dataclasses import replace

from search.errors import UserError
from search.jobs import Result
from search.pareto import Objective, value_of


def as_told(result: Result, objective: Objective) -> Result:
    """Return a result as strategies are told it: its `accuracy` is what the search maximises."""
    if objective == "accuracy" or result.status != "ok":
        return result
    return replace(result, accuracy=value_of(result, objective))


def check_measured(result: Result, objective: Objective) -> None:
    """Raise `UserError` unless a success measured the objective, and that in [0, 1]."""
    value = value_of(result, objective)
    if result.status == "ok" and not 0 <= value <= 1:
        found = (
            f"balanced_accuracy={value:g}"
            if objective in result.details
            else "no balanced accuracy"
        )
        raise UserError(
            f"the evaluator reported {found}, and objective={objective} maximises a balanced"
            ' accuracy in [0, 1]; return Result(accuracy, details={"balanced_accuracy": …}), or'
            " choose objective=accuracy"
        )
