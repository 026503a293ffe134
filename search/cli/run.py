"""What `convbudget run` does with a configuration: one study, from the data to the front."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from search.config.run import RunConfig
from search.errors import UserError
from search.executors.local import LocalExecutor
from search.executors.malloc import keep_memory_for
from search.jobs import Job, Strategy
from search.report.page import page
from search.report.picture import draw, plot
from search.report.progress import Watch
from search.report.table import show
from search.runner.confirm import confirm
from search.runner.loop import Ended, Rules, Runner
from search.runner.problem import Ground, lay
from search.runner.signals import interrupts_held
from search.spaces.budget_table import BudgetTable, tabulate
from search.study.study import Study, StudyInfo, check_name
from search.study.tables import export, front_content
from search.study.trials import FrontEntry, Trial, front_entries
from search.units import format_multiplies

if TYPE_CHECKING:
    from search.engine.evaluator import TrainingEvaluator

# So many seeds are advised: the fewest whose spread says something.
_SEEDS = 3
# Checkpoints are looked through after so many trials.
_TIDY = 8


def run(config: RunConfig, name: str, text: str) -> None:
    """Search, or go on with the study `name`, and leave its front; `text` is `config.yaml`.

    Raises `UserError` for bad values, of which nothing is left on the disk, and after ten failures
    in a row; `Interrupted` when the user stops it.
    """
    console = Console(width=None if sys.stdout.isatty() else 120)
    folder = Path(config.outputs) / check_name(name)
    low, high = config.interval
    ground = lay(config)
    table = _table(ground, low, high)
    info = _facts(config, ground, table, low, high)
    strategy = _strategy(config, table, info)
    settings = {**config.settings(), "fingerprints": ground.fingerprints()}
    with (
        Study.open(folder, settings, info) as study,
        Watch(console, config.trials, config.hours, folder / "run.log") as watch,
    ):
        study.write("config.yaml", text)
        _introduce(watch, study, info, ground, config.train.batch)
        ended, evaluator = _search(config, study, ground, strategy, watch)
        content, found = _leave(study, evaluator, watch)
        if config.confirm.seeds and ended.reason not in ("failures", "interrupted"):
            # Tables and weights are there by now, should this be interrupted.
            confirm(study, LocalExecutor(evaluator), config.confirm.seeds, _confirming(watch))
            content, found = _leave(study, evaluator, watch)
    show(console, content, found)
    ended.check(content["trials"])
    if not content["confirmed"]:
        console.print(
            "Each accuracy is of one training, chosen among many, and so too high on average; the"
            f" same command with confirm.seeds={_SEEDS} trains the front again with fresh seeds.",
            highlight=False,
        )
    console.print(
        f"In {folder}: front.csv, front.json, front.html, front.png, archs/, weights/",
        highlight=False,
        soft_wrap=True,
    )


def finish(study: Study, trials: Sequence[Trial]) -> tuple[dict[str, Any], list[FrontEntry]]:
    """Write the tables, the picture and the page of a study.

    Returns what `front.json` says, and the front.
    """
    export(study, trials)
    found, confirmed = study.front(trials)
    content = front_content(study.name, study.info, len(trials), found, confirmed)
    picture = draw(content, plot(trials, found, study.info.epochs))
    study.write("front.png", picture)
    study.write("front.html", page(content, found, picture))
    return content, found


def _leave(
    study: Study, evaluator: "TrainingEvaluator", watch: Watch
) -> tuple[dict[str, Any], list[FrontEntry]]:
    """Leave all of the study's files as its results say, weights included."""
    content, found = finish(study, study.trials())
    _keep_weights(study, found, evaluator, watch)
    return content, found


def _confirming(watch: Watch) -> Callable[[Trial, int, int], None]:
    def tell(trial: Trial, done: int, total: int) -> None:
        result = trial.result
        outcome = (
            f"accuracy {result.accuracy:.4f}"
            if result.status == "ok"
            else f"failed: {result.error}"
        )
        watch.tell(
            f"confirming {done}/{total}  {trial.arch_id}  seed {trial.job.seed}  {outcome}"
            f"  {result.seconds:.1f}s"
        )

    return tell


def _table(ground: Ground, low: int, high: int) -> BudgetTable:
    """Tabulate the space up to the budget; raises `UserError` where nothing is inside."""
    table = tabulate(ground.chain, high)
    table.inside(low, high)
    return table


def _facts(config: RunConfig, ground: Ground, table: BudgetTable, low: int, high: int) -> StudyInfo:
    return StudyInfo(
        cheapest=table.cheapest()[0],
        most_expensive=table.most_expensive()[0],
        low=low,
        high=high,
        within=table.count(low, high),
        exact=table.exact,
        chance=1 / len(ground.dataset.classes),
        epochs=config.epochs,
        data=ground.info(),
    )


def _strategy(config: RunConfig, table: BudgetTable, info: StudyInfo) -> Strategy:
    """Build what proposes; raises `UserError` where it can't be had, before a folder is made."""
    from search.strategies import build

    strategy: Strategy = build(
        config.strategy,
        table,
        info.low,
        info.high,
        seed=config.seed,
        epochs=config.epochs,
        chance=info.chance,
    )
    return strategy


def _introduce(watch: Watch, study: Study, info: StudyInfo, ground: Ground, batch: int) -> None:
    from search.executors.devices import describe

    watch.tell(f"study: {study.folder}")
    within = f"{info.within:,}" if info.within < 10**15 else f"{info.within:.3g}"
    watch.tell(
        f"space: {within} architectures within {format_multiplies(info.high)} multiplies; the"
        f" smallest costs {format_multiplies(info.cheapest)}, the largest of all"
        f" {format_multiplies(info.most_expensive)}"
    )
    watch.tell(ground.text())
    keep_memory_for(batch, *ground.dataset.shape[:2])
    with interrupts_held():
        device = describe()
    watch.tell(f"device: {device}")
    done = len(study.trials())
    if done:
        watch.tell(f"going on after {done} trials; those are not run again")


def _search(
    config: RunConfig, study: Study, ground: Ground, strategy: Strategy, watch: Watch
) -> "tuple[Ended, TrainingEvaluator]":
    assert study.folder is not None
    info = study.info
    with interrupts_held():
        # Imported here: it brings JAX, and bad values have been answered by now.
        from search.engine.evaluator import TrainingEvaluator

        evaluator = TrainingEvaluator(
            ground.dataset, config.train, ground.chain.value, study.folder / "checkpoints"
        )
    rules = Rules(info.low, info.high, config.ahead, config.trials, config.hours)

    def keep(trials: Sequence[Trial], waiting: Iterable[Job]) -> None:
        if len(trials) % _TIDY == 0:
            again = study.confirmations()
            evaluator.keep([*needed(trials, info.epochs, again), *waiting])

    runner = Runner(
        study, ground.chain, strategy, LocalExecutor(evaluator), rules, watch=watch, keep=keep
    )
    return runner.run(), evaluator


def needed(trials: Iterable[Trial], epochs: int, again: Sequence[Trial] = ()) -> list[Job]:
    """Return the jobs whose checkpoints may be wanted.

    Those are the front's, those that may go on, and of the trainings `again` with fresh seeds
    those with the lowest, which the front may come to need.
    """
    trials = list(trials)
    lowest = min((trial.job.seed for trial in again), default=None)
    repeated = [trial.job for trial in again if trial.job.seed == lowest]
    front = [row.job for row in front_entries(trials, epochs)]
    longest: dict[tuple[str, int], Job] = {}
    for trial in trials:
        key = (trial.arch_id, trial.job.seed)
        if trial.result.status == "ok" and (
            key not in longest or longest[key].epochs < trial.job.epochs
        ):
            longest[key] = trial.job
    return [*front, *repeated, *(job for job in longest.values() if job.epochs < epochs)]


def _keep_weights(
    study: Study, found: Sequence[FrontEntry], evaluator: "TrainingEvaluator", watch: Watch
) -> None:
    """Leave the weights of the front, and of nothing else, in the study's folder."""
    from search.export.weights import holds, pack

    assert study.folder is not None
    folder = study.folder / "weights"
    wanted = {f"{row.arch_id}.safetensors": row for row in found}
    for name, row in wanted.items():
        if holds(folder / name, row):
            continue
        try:
            arrays = evaluator.weights(row.job)
        except UserError as error:
            # A checkpoint was removed by hand: no reason to withhold the front.
            watch.tell(f"no weights/{name}: {error}")
            continue
        study.write(f"weights/{name}", pack(arrays, row, study.info))
    for path in folder.glob("*.safetensors"):
        if path.name not in wanted:
            path.unlink()
    evaluator.keep(needed(study.trials(), study.info.epochs, study.confirmations()))
