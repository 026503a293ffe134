"""Whether a space has networks within the budget, and which shipped space has, if it has few."""

from search.config import shipped
from search.config.run import RunConfig
from search.config.space import SpaceConfig
from search.data.open import describe
from search.errors import UserError
from search.networks.arch import Input
from search.spaces.budget_table import BudgetTable, tabulate
from search.spaces.stages import build
from search.units import format_multiplies

# With fewer networks there is hardly anything to search.
_FEW = 32

EarlyTable = tuple[Input, int, BudgetTable]
"""Image shape, number of classes, and the table of the space for them."""


def early_table(config: RunConfig) -> EarlyTable | None:
    """Return the table of the configured space from what the data says without decoding.

    Raises `UserError` for a budget without networks; None where the data does not say enough.
    """
    described = describe(config.data)
    if described is None:
        return None
    shape = Input(described.height, described.width, described.channels)
    return shape, described.classes, tabulated(config, shape, described.classes)


def tabulated(config: RunConfig, shape: Input, classes: int) -> BudgetTable:
    """Return the table of the configured space, for images of `shape`, up to the budget.

    Raises `UserError` if no network costs as little, naming a shipped space that has some.
    """
    low, high = config.interval
    chain = build(config.space, shape, classes)
    try:
        table = tabulate(chain, high)
        table.inside(low, high)
    except UserError as error:
        better = _better(config, shape, classes, 0)
        raise UserError(f"{error}; {better}" if better else str(error)) from None
    return table


def notices(config: RunConfig, table: BudgetTable, shape: Input, classes: int) -> list[str]:
    """Return what to say of a budget that leaves few networks, or excludes none."""
    low, high = config.interval
    within, most = table.count(low, high), table.most_expensive()[0]
    found = []
    if within < min(_FEW, table.size):
        better = _better(config, shape, classes, within)
        said = f"only {within} networks of space={config.space.name} cost"
        said += f" {f'from {format_multiplies(low)} ' if low else ''}up to"
        found.append(f"{said} {format_multiplies(high)}{f'; {better}' if better else ''}")
    if high > most:
        found.append(
            f"budget={config.budget} is above the most expensive network of the space,"
            f" {format_multiplies(most)}; it excludes nothing"
        )
    return found


def _better(config: RunConfig, shape: Input, classes: int, within: int) -> str:
    """Name the shipped space with most networks within the budget, if more than `within`."""
    low, high = config.interval
    counts: dict[str, int] = {}
    for name in shipped.choices("space"):
        if name == config.space.name:
            continue
        try:
            chain = build(SpaceConfig(**shipped.values("space", name)), shape, classes)
            counts[name] = tabulate(chain, high).count(low, high)
        except UserError:
            # It has no network so cheap, or no sense for images of this size.
            continue
    name = max(counts, key=lambda key: counts[key], default="")
    if not name or counts[name] <= within:
        return ""
    return f"space={name} has {counts[name]:,} networks within that budget"
