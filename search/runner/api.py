"""A search over one's own space with one's own evaluator: no Hydra, no images, no training."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.errors import UserError
from search.executors.local import LocalExecutor
from search.jobs import Evaluator, Job, Strategy
from search.pareto import hypervolume
from search.runner import confirm as retrain
from search.runner.loop import Rules, Runner
from search.spaces.budget_table import BudgetTable, tabulate
from search.spaces.chain import Chain
from search.study.study import Study, StudyInfo, check_name
from search.study.tables import export
from search.study.trials import FrontEntry, Trial
from search.units import parse_multiplies


@dataclass(frozen=True)
class Found:
    """What a search found.

    `trials` in the order of asking, `front` cheapest first, `hypervolume` of the front in [0, 1],
    `reason` why it ended (`trials`, `hours` or `exhausted`), `folder` of the study or None.
    """

    trials: list[Trial]
    front: list[FrontEntry]
    hypervolume: float
    reason: str
    folder: Path | None


def run(
    *,
    space: Chain,
    budget: int | str,
    evaluator: Evaluator | Callable[[Job], float],
    strategy: str | Strategy | Any = "surrogate",
    study: str | Path | None = None,
    budget_low: int | str | None = None,
    trials: int | None = 100,
    hours: float | None = None,
    epochs: int = 1,
    seed: int = 0,
    chance: float = 0.0,
    ahead: int = 0,
    confirm: int = 0,
) -> Found:
    """Search `space` for the best accuracy at every cost up to `budget`.

    `space` is a chain of decisions (`search.spaces.Chain`); `evaluator` turns a `Job` into a
    `Result` or a plain accuracy, at most 1, where `chance` is that of guessing; what it raises is
    recorded as a failure. `strategy` is a name (by default the command's own default, the one that
    measured best), a `StrategyConfig`, or an object with `ask` and `tell`. `study` names a folder
    under `outputs/` (a path stands for itself): the same call then goes on where it was stopped;
    None keeps everything in memory. `confirm` is how many fresh seeds the front is evaluated with
    again, for an evaluator that looks at `job.seed`. Raises `UserError` for bad values and after
    ten failures in a row, `Interrupted` on Ctrl-C.
    """
    high = parse_multiplies(budget)
    low = 0 if budget_low is None else parse_multiplies(budget_low, "budget_low")
    table = tabulate(space, high)
    within = table.count(low, high)
    cheapest, most_expensive = table.cheapest()[0], table.most_expensive()[0]
    chosen, name = _strategy(strategy, table, low, high, seed, epochs, chance)
    info = StudyInfo(cheapest, most_expensive, low, high, within, table.exact, chance, epochs, {})
    settings = {
        # A user's space cannot be compared, but what is counted of it can.
        "space": {"name": type(space).__name__, "within": within, "cheapest": cheapest},
        "strategy": name,
        "budget": high,
        "budget_low": low,
        "epochs": epochs,
        "seed": seed,
        "ahead": ahead,
    }
    rules = Rules(low, high, ahead, trials, hours)
    with Study.open(_folder(study), settings, info) as opened:
        ended = Runner(opened, space, chosen, LocalExecutor(evaluator), rules).run()
        if ended.reason not in ("failures", "interrupted"):
            retrain.confirm(opened, LocalExecutor(evaluator), confirm)
        recorded = opened.trials()
        front = export(opened, recorded)
    ended.check(len(recorded))
    area = hypervolume(
        [(row.multiplies, row.accuracy) for row in front], low=cheapest, high=high, chance=chance
    )
    return Found(recorded, front, area, ended.reason, opened.folder)


def _folder(study: str | Path | None) -> Path | None:
    if study is None:
        return None
    path = Path(study)
    return path if path.name != str(study) else Path("outputs") / check_name(str(study))


def _strategy(
    strategy: str | Strategy | Any,
    table: BudgetTable,
    low: int,
    high: int,
    seed: int,
    epochs: int,
    chance: float,
) -> tuple[Strategy, Any]:
    """Return the strategy, and what stands for it in the study's settings."""
    if hasattr(strategy, "ask") and hasattr(strategy, "tell"):
        return strategy, type(strategy).__name__
    # Imported here: a user's own strategy needs none of the shipped ones.
    from search.config.strategy import StrategyConfig
    from search.strategies import build

    config = StrategyConfig(name=strategy) if isinstance(strategy, str) else strategy
    if not isinstance(config, StrategyConfig):
        raise UserError(
            f"strategy={strategy!r} is none; give a name, a StrategyConfig, or an object with ask"
            " and tell"
        )
    built = build(config, table, low, high, seed=seed, epochs=epochs, chance=chance)
    return built, asdict(config)
