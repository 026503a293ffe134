"""One search put together, the same for the command and for `search.run`.

From a configuration, in which a caller's own parts may replace the configured ones, to the study
with its front: data, space, budget table, strategy, study, executor, runner,
confirmation, report.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from search.config.run import RunConfig
from search.data.class_weights import class_weights, weights_summary
from search.data.dataset import Dataset
from search.errors import UserError, shown
from search.executors.build import elsewhere
from search.executors.joined import JoinedWorkers
from search.executors.protocol import Executor
from search.executors.shared import SharedExecutor
from search.export.leave import leave_weights
from search.jobs import Evaluator, Job, Strategy
from search.loggers.build import Loggers
from search.loggers.build import classes as logger_classes
from search.networks.arch import Arch, Input
from search.report.progress import Watch
from search.report.study import introduction, leave, reporting, show_end
from search.runner import images
from search.runner.budget import EarlyTable, early_table, notices, tabulated
from search.runner.confirm import confirm
from search.runner.evaluation import Evaluation, evaluations, start
from search.runner.join import HolderGone, join
from search.runner.landmarks import chosen, jobs_of, train_landmarks
from search.runner.loop import Ended, Rules, Runner
from search.runner.outcome import Outcome
from search.runner.retention import Retention, drop_checkpoints
from search.runner.signals import stoppable
from search.spaces.budget_table import BudgetTable, tabulate
from search.spaces.chain import Chain
from search.strategies.registry import rung_lengths
from search.study.hold import StudyInUse, running
from search.study.study import Study, StudyInfo
from search.study.trials import FrontEntry, Trial


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of one's own; each None where the configuration says which.

    `chance` is the accuracy of guessing, by default one over the classes of the data.
    """

    chain: Chain | None = None
    evaluator: Evaluator | Callable[[Job], float] | None = None
    strategy: Strategy | None = None
    chance: float | None = None

    @property
    def need_images(self) -> bool:
        """Whether data has to be opened: to train on, or to know the space's image shape."""
        return self.chain is None or self.evaluator is None


def search(
    config: RunConfig, folder: Path | None, text: str, parts: Parts, console: Console
) -> Outcome:
    """Search, or go on with the study in `folder` (None: in memory), and leave its front.

    `text` is the study's `config.yaml`. Raises `UserError` for bad values, of which nothing is
    left on the disk, and after too many failures in a row; `Interrupted` when the user stops it.
    With `join` this process trains for the one that holds the study, and is the next to hold it.
    """
    with stoppable("stopped; what was recorded is kept, and the same command goes on"):
        while True:
            try:
                return _search(config, folder, text, parts, console)
            except StudyInUse:
                # Of several commands that begin at once, one was first.
                if not config.join:
                    raise
            except HolderGone as gone:
                said = f"{gone}; this process goes on"
                console.print(said, highlight=False, markup=False, soft_wrap=True)


def _search(
    config: RunConfig, folder: Path | None, text: str, parts: Parts, console: Console
) -> Outcome:
    if parts.strategy is not None and config.aim not in (None, "front"):
        raise UserError(
            f"aim={config.aim} has no effect with a strategy of one's own: leave it out"
        )
    if config.confirm.fraction and parts.evaluator is not None:
        raise UserError(
            f"confirm.fraction={config.confirm.fraction:g} sets images aside, of which an evaluator"
            " of one's own knows nothing; leave it out, and score fresh seeds on other data there"
        )
    # Devices that are not there are answered before a folder is made.
    elsewhere(config.executor)
    early = early_table(config) if parts.chain is None else None
    dataset = images.open_images(config, console) if parts.need_images else None
    weights: tuple[float, ...] = ()
    if dataset is not None and parts.evaluator is None:
        weights = class_weights(config.train.class_weights, dataset.class_counts)
    table = _table(config, parts, dataset, early)
    known, unfit = chosen(config, dataset)
    info = _info(config, parts, dataset, table)
    strategy = parts.strategy or _strategy(config, table, info)
    settings = _settings(config, parts, dataset, info)
    if config.join and folder is not None and running(folder) is not None:
        return join(config, folder, settings, dataset, parts.evaluator, console)
    log = folder / "run.log" if folder else None
    made = logger_classes(config.logger)
    rungs = () if parts.strategy else rung_lengths(config.strategy, config.epochs)
    with (
        Study.open(folder, settings, info) as study,
        Watch(console, config.trials, config.hours, log, config.maximised, rungs) as watch,
        Loggers(study, made, watch.tell) as loggers,
    ):
        if text:
            study.write("config.yaml", text)
        for line in introduction(study, info):
            watch.tell(line)
        if dataset is not None:
            watch.tell(images.summary(dataset))
            if few := images.few_images_notice(dataset):
                watch.tell(few)
            images.keep_contact_sheet(study, dataset)
        if dataset is not None and weights:
            watch.tell(weights_summary(dataset.classes, weights))
        if dataset is not None and parts.chain is None:
            shape, classes = Input(*dataset.shape), len(dataset.classes)
            for line in notices(config, table, shape, classes):
                watch.tell(line)
        phases = evaluations(config, parts.evaluator, study, dataset, watch.tell)
        searching, confirming = phases
        later = jobs_of(known, config.epochs, config.seed)
        joined = _joined(config, study, watch)
        own = searching.executor()
        with closing(_shared(config, own, joined)) as executor:
            start(own, config, study, watch.tell)
            _tell_notes(study, watch)
            done = len(study.trials())
            if done:
                watch.tell(f"going on after {done} trials; those are not run again")
            keeper = searching.keeper
            ended = _run(config, study, table.chain, strategy, executor, keeper, watch, loggers)
        content, found = _leave(study, phases, watch, later)
        if config.confirm.seeds and ended.complete:
            # Tables and weights are there by now, should this be interrupted.
            told = reporting(watch, "confirming", info.objective)
            with closing(_shared(config, confirming.executor(), joined, True)) as executor:
                confirm(study, executor, config.confirm.seeds, told)
            content, found = _leave(study, phases, watch, later)
        if config.zoo and ended.complete:
            for line in unfit:
                watch.tell(line)
            names = {one.arch.id: one.name for one in known}
            told = reporting(watch, "landmark", info.objective, names)
            with closing(_shared(config, searching.executor(), joined)) as executor:
                train_landmarks(study, executor, known, config.seed, told)
            content, found = _leave(study, phases, watch)
        trials = study.trials()
    show_end(console, content, found, folder)
    if dataset is not None and parts.evaluator is None:
        values = [row.ranked_by(info.objective) for row in found]
        notice = images.majority_notice(dataset, values, info.objective)
        if notice:
            console.print(notice, highlight=False, markup=False)
    ended.check(len(trials))
    return Outcome(trials, found, content["hypervolume"], ended.reason, folder, content)


def _table(
    config: RunConfig, parts: Parts, dataset: Dataset | None, early: EarlyTable | None
) -> BudgetTable:
    if parts.chain is None:
        assert dataset is not None, "Parts.need_images"
        shape, classes = Input(*dataset.shape), len(dataset.classes)
        if early is not None and early[:2] == (shape, classes):
            return early[2]
        return tabulated(config, shape, classes)
    low, high = config.interval
    table = tabulate(parts.chain, high)
    table.inside(low, high)
    if parts.evaluator is None:
        value = table.candidate(table.cheapest()[1]).value
        if not isinstance(value, Arch):
            raise UserError(
                f"the space's values are not networks ({shown(value)}), and only an Arch can be"
                " trained; give evaluator=, or return an Arch from value()"
            )
    return table


def _info(
    config: RunConfig, parts: Parts, dataset: Dataset | None, table: BudgetTable
) -> StudyInfo:
    low, high = config.interval
    chance = parts.chance
    if chance is None:
        chance = 0.0 if dataset is None else 1 / len(dataset.classes)
    return StudyInfo(
        cheapest=table.cheapest()[0],
        most_expensive=table.most_expensive()[0],
        low=low,
        high=high,
        within=table.count(low, high),
        exact=table.exact,
        chance=chance,
        epochs=config.epochs,
        objective=config.maximised,
        data={} if dataset is None else images.description(dataset),
    )


def _settings(
    config: RunConfig, parts: Parts, dataset: Dataset | None, info: StudyInfo
) -> dict[str, Any]:
    """Return all that defines the study's results; parts of one's own by what is known of them."""
    settings = config.settings()
    if dataset is None:
        del settings["data"]
    else:
        settings["fingerprints"] = images.fingerprints(dataset)
    if parts.evaluator is not None:
        del settings["train"]
    if parts.chain is not None:
        # A user's space cannot be compared, but what is counted of it can.
        name = type(parts.chain).__name__
        settings["space"] = {"name": name, "within": info.within, "cheapest": info.cheapest}
    if parts.strategy is not None:
        settings["strategy"] = type(parts.strategy).__name__
        # It means nothing there, and is what studies have recorded since there was an aim.
        settings["aim"] = "front"
    return settings


def _strategy(config: RunConfig, table: BudgetTable, info: StudyInfo) -> Strategy:
    """Build what proposes; raises `UserError` where it cannot be had, before a folder is made."""
    from search.strategies import build

    return build(
        config.strategy,
        table,
        info.low,
        info.high,
        seed=config.seed,
        epochs=config.epochs,
        chance=info.chance,
        aim=config.improved,
    )


def _joined(config: RunConfig, study: Study, watch: Watch) -> JoinedWorkers | None:
    """Return the processes that join a study, which one in memory has none of."""
    if study.folder is None:
        return None
    return JoinedWorkers(
        study.folder,
        watch.tell,
        computed=lambda: study.computed,
        allow_mixed=config.allow_mixed,
        timeout=config.executor.timeout,
    )


def _shared(
    config: RunConfig, own: Executor, joined: JoinedWorkers | None, confirming: bool = False
) -> Executor:
    if joined is None:
        return own
    retries = config.executor.retries
    return SharedExecutor(own, joined, confirming=confirming, retries=retries)


def _run(
    config: RunConfig,
    study: Study,
    chain: Chain,
    strategy: Strategy,
    executor: Executor,
    keeper: Any,
    watch: Watch,
    loggers: Loggers,
) -> Ended:
    info = study.info
    rules = Rules(info.low, info.high, config.ahead, config.trials, config.hours)
    watch.count_workers(lambda: executor.workers)

    def told(trial: Trial, new: bool) -> None:
        _tell_notes(study, watch)
        watch(trial, new)
        loggers.tell(trial, new)

    keep = Retention(study, keeper)
    return Runner(
        study, chain, strategy, executor, rules, watch=told, keep=keep, note=watch.tell
    ).run()


def _tell_notes(study: Study, watch: Watch) -> None:
    """Tell what the study has to say since the last call."""
    while study.notes:
        watch.tell(study.notes.pop(0))


def _leave(
    study: Study,
    phases: tuple[Evaluation, Evaluation],
    watch: Watch,
    later: Sequence[Job] = (),
) -> tuple[dict[str, Any], list[FrontEntry]]:
    """Leave all of the study's files as its results say, weights included.

    Checkpoints of the jobs that come `later` are kept.
    """
    _tell_notes(study, watch)
    trials = study.trials()
    content, found = leave(study, trials)
    searching, confirming = phases
    trained = confirming if content["confirmed"] else searching
    weights = getattr(trained.keeper, "weights", None)
    if weights is not None and study.folder is not None:
        leave_weights(study, found, weights, watch.tell)
        for one in phases:
            drop_checkpoints(study, one.keeper, trials, later)
    return content, found
