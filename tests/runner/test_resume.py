"""A resumed study asks for little again, and ends with the trials of one left alone."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chains import Stages, numbers

from search.config.strategy import StrategyConfig
from search.errors import UserError
from search.executors.local import LocalExecutor
from search.jobs import Job, Result, Resumable, Strategy
from search.runner.loop import Ended, Rules, Runner
from search.runner.resume import EVERY, REPLAYED
from search.spaces.budget_table import BudgetTable, tabulate
from search.strategies import build
from search.study.study import Study, StudyInfo
from search.study.trials import Trial

STAGES = tabulate(Stages(merge=True))
# Five digits of 0 to 7: enough for thousands of trials.
DIGITS = tabulate(numbers(5, 7, end=1))
INFO = StudyInfo(1, 400, 0, 400, 64, True, 0.1, 9, {})


def accuracy(job: Job) -> Result:
    share = zlib.crc32(repr((job.options, job.epochs)).encode()) % 700 / 1000
    return Result(0.2 + share, seconds=2.0)


class Counted:
    """Counts what a strategy is asked and told."""

    def __init__(self, inner: Resumable) -> None:
        self.inner, self.asks, self.tells = inner, 0, 0

    def ask(self) -> Job:
        self.asks += 1
        return self.inner.ask()

    def tell(self, job: Job, result: Result) -> None:
        self.tells += 1
        self.inner.tell(job, result)

    def snapshot(self) -> dict[str, Any] | None:
        return self.inner.snapshot()

    def restore(self, *arguments: Any) -> None:
        self.inner.restore(*arguments)


def counted(config: StrategyConfig, table: BudgetTable, low: int, high: int) -> Counted:
    strategy = build(config, table, low, high, seed=5, epochs=9, chance=0.1)
    assert isinstance(strategy, Resumable)
    return Counted(strategy)


def search(
    folder: Path,
    table: BudgetTable,
    strategy: Strategy,
    rules: Rules,
    evaluator: Callable[[Job], Result] = accuracy,
    notes: list[str] | None = None,
) -> tuple[list[Trial], Ended]:
    with Study.open(folder, {}, INFO) as study:
        # No power is lost here, and thousands of trials are to be written.
        connection = study._database._connection
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")
        note = None if notes is None else notes.append
        runner = Runner(study, table.chain, strategy, LocalExecutor(evaluator), rules, note=note)
        ended = runner.run()
        return study.trials(), ended


class Dying:
    """Evaluates some jobs, then is interrupted."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, job: Job) -> Result:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return accuracy(job)


@pytest.mark.parametrize("ahead", [0, 3])
@pytest.mark.parametrize(
    "config",
    [
        StrategyConfig("random"),
        StrategyConfig("evolution", population=6),
        StrategyConfig("local", start=4),
        StrategyConfig("surrogate", start=4),
        StrategyConfig("halving", inner="random"),
        StrategyConfig("halving", inner="surrogate", start=4),
    ],
    ids=lambda config: "-".join(filter(None, (config.name, config.inner))),
)
def test_a_study_killed_again_and_again_ends_as_one_left_alone(
    tmp_path: Path, config: StrategyConfig, ahead: int
) -> None:
    rules = Rules(30, 400, ahead, trials=3 * EVERY)
    whole, _ = search(tmp_path / "whole", STAGES, counted(config, STAGES, 30, 400), rules)
    part: list[Trial] = []
    for cut in (EVERY + 7, 1, EVERY // 2, EVERY, EVERY):
        strategy, notes = counted(config, STAGES, 30, 400), list[str]()
        part, ended = search(tmp_path / "part", STAGES, strategy, rules, Dying(cut), notes)
        assert part == whole[: len(part)]
        assert not notes
        assert strategy.asks <= cut + EVERY + 2 * ahead + 60
        if ended.reason != "interrupted":
            break
    part, _ = search(tmp_path / "part", STAGES, counted(config, STAGES, 30, 400), rules)
    assert part == whole


def test_a_resumed_study_of_2000_trials_asks_for_few_again(tmp_path: Path) -> None:
    config = StrategyConfig("grid")
    rules = Rules(0, 400, 2, trials=2000)
    search(tmp_path, DIGITS, counted(config, DIGITS, 0, 400), rules)
    strategy = counted(config, DIGITS, 0, 400)
    trials, _ = search(tmp_path, DIGITS, strategy, Rules(0, 400, 2, trials=2010))
    assert len(trials) == 2010
    assert strategy.asks <= 10 + EVERY
    assert strategy.tells <= 12 + EVERY
    assert strategy.inner.snapshot() is not None


@pytest.mark.parametrize("spoil", [None, {"version": 0}, {"strategy": "Other"}, {"told": "x"}])
def test_without_a_snapshot_a_short_study_is_asked_again(
    tmp_path: Path, spoil: dict[str, Any] | None
) -> None:
    config = StrategyConfig("evolution", population=6)
    whole, _ = search(
        tmp_path / "whole", DIGITS, counted(config, DIGITS, 0, 400), Rules(0, 400, trials=130)
    )
    search(tmp_path / "part", DIGITS, counted(config, DIGITS, 0, 400), Rules(0, 400, trials=120))
    spoil_snapshot(tmp_path / "part", spoil)
    strategy, notes = counted(config, DIGITS, 0, 400), list[str]()
    part, _ = search(tmp_path / "part", DIGITS, strategy, Rules(0, 400, trials=130), notes=notes)
    assert (part, strategy.asks, notes) == (whole, 130, [])


def test_without_a_snapshot_a_long_study_is_trusted(tmp_path: Path) -> None:
    config = StrategyConfig("grid")
    stored = REPLAYED + 1
    before, _ = search(
        tmp_path, DIGITS, counted(config, DIGITS, 0, 400), Rules(0, 400, trials=stored)
    )
    spoil_snapshot(tmp_path, None)
    strategy, notes = counted(config, DIGITS, 0, 400), list[str]()
    rules = Rules(0, 400, trials=stored + 20)
    after, _ = search(tmp_path, DIGITS, strategy, rules, notes=notes)
    assert after[:stored] == before
    assert (strategy.asks, strategy.tells) == (20, stored + 20)
    assert len({trial.job.options for trial in after}) == stored + 20
    (note,) = notes
    assert "its trials are kept" in note


def test_a_snapshot_that_the_strategy_cannot_read_is_said(tmp_path: Path) -> None:
    config = StrategyConfig("random")
    search(tmp_path, DIGITS, counted(config, DIGITS, 0, 400), Rules(0, 400, trials=60))
    spoil_snapshot(tmp_path, {"state": {"known": [[]]}})
    strategy = counted(config, DIGITS, 0, 400)
    with pytest.raises(UserError, match=r"snapshot in .* cannot be read"):
        search(tmp_path, DIGITS, strategy, Rules(0, 400, trials=61))


def test_a_snapshot_stays_small(tmp_path: Path) -> None:
    strategy = counted(StrategyConfig("halving", inner="surrogate"), STAGES, 30, 400)
    search(tmp_path, STAGES, strategy, Rules(30, 400, trials=150))
    with Study.read(tmp_path) as study:
        assert study.snapshot is not None
        assert len(json.dumps(study.snapshot)) < 100_000


def spoil_snapshot(folder: Path, changes: dict[str, Any] | None) -> None:
    """Change a study's snapshot, or leave one that is empty."""
    with Study.open(folder, {}, INFO) as study:
        assert study.snapshot is not None
        study.keep_snapshot({} if changes is None else {**study.snapshot, **changes})
