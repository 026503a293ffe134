"""Several workers: one order of events, recorded and repeated, whatever arrives when."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chains import numbers

from search.config.strategy import StrategyConfig
from search.errors import SurroundingsError
from search.jobs import Exhausted, Job, Result, Strategy, failed
from search.runner.loop import Ended, Rules, Runner
from search.runner.resume import EVERY
from search.spaces.budget_table import tabulate
from search.strategies import build
from search.study.study import Study, StudyInfo
from search.study.trials import Trial

# Three digits of 0 to 3; the price is their sum plus one.
CHAIN = numbers(3, 3, end=1)
# With more of them equal trainings are rare.
LARGE = numbers(9, 3, end=1)
INFO = StudyInfo(1, 400, 0, 400, 64, True, 0.0, 2, {})


class Killed(BaseException):
    """What no code catches, as a kill."""


class Learner:
    """Proposes by a generator that every ask and tell stirs: any slip in order or content shows.

    Now and then, while results are outstanding, it has nothing to propose, which stirs it as well.
    """

    def __init__(self, seed: int = 0, gaps: float = 0.0, digits: int = 3) -> None:
        self.rng, self.gaps, self.digits = np.random.default_rng(seed), gaps, digits
        self.pending = 0

    def ask(self) -> Job:
        if self.pending and self.rng.random() < self.gaps:
            raise Exhausted("nothing now")
        self.pending += 1
        return Job(tuple(int(n) for n in self.rng.integers(0, 4, self.digits)), epochs=2)

    def tell(self, job: Job, result: Result) -> None:
        self.pending -= 1
        told = 0 if math.isnan(result.accuracy) else int(result.accuracy * 100)
        self.rng.random(1 + told + sum(int(digit) for digit in job.options))


def accuracy(job: Job) -> Result:
    return Result(accuracy=(1 + sum(int(o) for o in job.options)) / 30, loss=0.5, seconds=2.0)


class Shuffled:
    """So many workers, of which a random one finishes next; dies after some results."""

    def __init__(
        self,
        workers: int,
        rng: np.random.Generator,
        evaluator: Callable[[Job], Result] = accuracy,
        left: float = math.inf,
    ) -> None:
        self.workers, self._rng, self._evaluator, self._left = workers, rng, evaluator, left
        self.submitted: list[int] = []
        self.most = 0
        self._jobs: dict[int, Job] = {}

    def submit(self, number: int, job: Job) -> None:
        self.submitted.append(number)
        self._jobs[number] = job
        self.most = max(self.most, len(self._jobs))

    def next(self) -> tuple[int, Result]:
        self._left -= 1
        if self._left < 0:
            raise Killed
        # As with real workers, what waits behind them has not begun.
        begun = [*self._jobs][: self.workers]
        number = begun[int(self._rng.integers(len(begun)))]
        return number, self._evaluator(self._jobs.pop(number))

    def close(self) -> None:
        self._jobs.clear()


class Dying:
    """Passes a strategy's calls on, and dies instead of one of them."""

    def __init__(self, inner: Strategy, left: float) -> None:
        self.inner, self.left = inner, left

    def _live(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def ask(self) -> Job:
        self._live()
        return self.inner.ask()

    def tell(self, job: Job, result: Result) -> None:
        self._live()
        self.inner.tell(job, result)


def search(
    folder: Path,
    strategy: Strategy,
    executor: Shuffled,
    rules: Rules,
    chain: object = CHAIN,
    notes: list[str] | None = None,
    written: float = math.inf,
) -> Ended | None:
    """Search until the end or, returning None, until something dies; `written`: trials until then.

    No trial that was recorded before is run.
    """
    with Study.open(folder, {}, INFO) as study:
        # No power is lost here.
        connection = study._database._connection
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")
        recorded = {trial.number for trial in study.trials()}
        add = study.add

        def dying(*arguments: object) -> None:
            if len(study.trials()) >= written:
                raise Killed
            add(*arguments)  # type: ignore[arg-type]

        study.add = dying  # type: ignore[method-assign]
        note = None if notes is None else notes.append
        try:
            return Runner(study, chain, strategy, executor, rules, note=note).run()  # type: ignore[arg-type]
        except Killed:
            return None
        finally:
            assert recorded.isdisjoint(executor.submitted)
            assert len(executor.submitted) == len(set(executor.submitted))


def check_order(folder: Path, strategy: Strategy) -> list[Trial]:
    """Check that a new strategy proposes what is stored, asked and told as the study says."""
    with Study.read(folder) as study:
        trials, arrivals = study.trials(), study.arrivals()
    assert [trial.number for trial in trials] == [*range(len(trials))]
    order = sorted(trials, key=lambda trial: arrivals[trial.number].place)
    assert [arrivals[trial.number].place for trial in order] == [*range(len(trials))]
    asked: list[Job] = []
    for place, trial in enumerate(order):
        arrival = arrivals[trial.number]
        while len(asked) < arrival.asked:
            job = strategy.ask()
            number = len(asked)
            assert (trials[number].job, trials[number].asked_after) == (job, place)
            asked.append(job)
        if arrival.exhausted:
            with pytest.raises(Exhausted):
                strategy.ask()
        strategy.tell(trial.job, trial.result)
    return trials


@pytest.mark.parametrize(("workers", "ahead"), [(2, 0), (8, 1), (64, 3)])
def test_workers_are_kept_busy_and_results_told_as_they_arrive(
    tmp_path: Path, workers: int, ahead: int
) -> None:
    executor = Shuffled(workers, np.random.default_rng(0))
    rules = Rules(0, 400, ahead, trials=150)
    assert search(tmp_path, Learner(digits=9), executor, rules, LARGE) == Ended("trials")
    assert len(check_order(tmp_path, Learner(digits=9))) == 150
    assert executor.most == workers + ahead
    with Study.read(tmp_path) as study:
        places = [arrival.place for _, arrival in sorted(study.arrivals().items())]
    assert places != sorted(places)


def test_the_same_training_runs_once(tmp_path: Path) -> None:
    executor = Shuffled(16, np.random.default_rng(0))
    search(tmp_path, Learner(), executor, Rules(0, 400, 1, trials=150))
    trials = check_order(tmp_path, Learner())
    assert len(executor.submitted) == len({trial.arch_id for trial in trials}) < 150
    for trial in trials:
        if trial.same_as is not None:
            first = trials[trial.same_as]
            assert (first.arch_id, first.same_as) == (trial.arch_id, None)
            assert (trial.result.accuracy, trial.result.seconds) == (first.result.accuracy, 0)


@pytest.mark.parametrize("seed", range(8))
def test_a_study_killed_at_any_point_repeats_its_order(tmp_path: Path, seed: int) -> None:
    """Whether it dies in an ask or a tell, while it waits, or as it writes."""
    rng = np.random.default_rng(seed)
    gaps = 0.2 * (seed % 2)

    def moody(job: Job) -> Result:
        kind = sum(int(digit) for digit in job.options) % 5
        if kind == 4:
            return Result(math.nan, status="failed", error="an exception", raised=True)
        return failed("it diverged") if kind == 3 else accuracy(job)

    for _ in range(200):
        kind = int(rng.integers(3))
        with Study.open(tmp_path, {}, INFO) as study:
            there = len(study.trials())
        # Replaying takes calls as well.
        calls = 3 * there + int(rng.integers(20)) if kind == 0 else math.inf
        executor = Shuffled(
            int(rng.integers(1, 9)), rng, moody, int(rng.integers(9)) if kind == 1 else math.inf
        )
        written = there + int(rng.integers(7)) if kind == 2 else math.inf
        if there == 0:
            executor.workers = 4
        notes: list[str] = []
        rules = Rules(0, 400, seed % 3, trials=90)
        strategy = Dying(Learner(seed, gaps), calls)
        ended = search(tmp_path, strategy, executor, rules, notes=notes, written=written)
        assert not notes
        if ended == Ended("trials"):
            break
    assert len(check_order(tmp_path, Learner(seed, gaps))) == 90


CONFIGS = [
    StrategyConfig("random"),
    StrategyConfig("evolution", population=6),
    StrategyConfig("local", start=4),
    StrategyConfig("surrogate", start=4),
    StrategyConfig("halving", inner="random"),
    StrategyConfig("halving", inner="surrogate", start=4),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: "-".join(filter(None, (c.name, c.inner))))
def test_snapshots_hold_what_is_in_flight(tmp_path: Path, config: StrategyConfig) -> None:
    table = tabulate(numbers(4, 5, end=1))
    rng = np.random.default_rng(1)

    def strategy() -> Strategy:
        return build(config, table, 0, 400, seed=5, epochs=9, chance=0.1)

    def evaluator(job: Job) -> Result:
        sizes = sum(weight * int(digit) for weight, digit in enumerate(job.options))
        return Result(0.2 + 0.01 * sizes + 0.02 * job.epochs, seconds=1.0)

    rules = Rules(0, 400, 1, trials=EVERY + 30)
    for left in (EVERY + 7, 3, math.inf):
        executor, notes = Shuffled(12, rng, evaluator, left), list[str]()
        search(tmp_path, strategy(), executor, rules, table.chain, notes)
        assert not notes
    with Study.read(tmp_path) as study:
        assert study.snapshot is not None
        assert study.snapshot["version"] == 2
        trials, arrivals = study.trials(), study.arrivals()
    assert len(trials) == rules.trials
    told = {arrival.place: trials[number] for number, arrival in arrivals.items()}
    replayed, asked = strategy(), 0
    for place in range(len(trials)):
        while asked < arrivals[told[place].number].asked:
            assert replayed.ask() == trials[asked].job
            asked += 1
        replayed.tell(told[place].job, told[place].result)


def test_one_worker_goes_on_with_several_and_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    kept: list[Trial] = []
    for count, workers in ((7, 1), (30, 6), (45, 1), (60, 3)):
        rules, notes = Rules(0, 400, 2, trials=count), list[str]()
        search(tmp_path, Learner(), Shuffled(workers, rng), rules, notes=notes)
        with Study.read(tmp_path) as study:
            trials, arrivals = study.trials(), study.arrivals()
        assert (len(trials), notes) == (count, [])
        assert trials[: len(kept)] == kept
        # Those of one worker alone need no record.
        assert set(arrivals) == set(range(7, count))
        kept = trials


def test_workers_that_join_are_used(tmp_path: Path) -> None:
    class Growing(Shuffled):
        def next(self) -> tuple[int, Result]:
            found = super().next()
            self.workers = min(6, 1 + len(self.submitted) // 8)
            return found

    rng, rules = np.random.default_rng(3), Rules(0, 400, 1, trials=60)
    executor = Growing(1, rng)
    search(tmp_path, Learner(digits=9), executor, rules, LARGE)
    assert executor.most == 7
    with Study.read(tmp_path) as study:
        before, arrivals = study.trials(), study.arrivals()
    assert 0 < min(arrivals) < 12
    notes: list[str] = []
    rules = Rules(0, 400, 1, trials=70)
    search(tmp_path, Learner(digits=9), Shuffled(6, rng), rules, LARGE, notes)
    with Study.read(tmp_path) as study:
        assert study.trials()[:60] == before
        assert (len(study.trials()), notes) == (70, [])


def test_fewer_trials_than_before_are_the_first_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    search(tmp_path, Learner(), Shuffled(8, rng, left=40), Rules(0, 400, trials=100))
    with Study.read(tmp_path) as study:
        before = {trial.number for trial in study.trials()}
    ended = search(tmp_path, Learner(), Shuffled(8, rng), Rules(0, 400, trials=30))
    assert ended == Ended("trials")
    with Study.read(tmp_path) as study:
        assert {trial.number for trial in study.trials()} == before | set(range(30))
    notes: list[str] = []
    search(tmp_path, Learner(), Shuffled(8, rng), Rules(0, 400, trials=100), notes=notes)
    assert len(check_order(tmp_path, Learner())) == 100
    assert not notes


def test_exceptions_in_a_row_are_told_to_nobody(tmp_path: Path) -> None:
    rng, calls = np.random.default_rng(5), 0

    def breaks(job: Job) -> Result:
        nonlocal calls
        calls += 1
        if calls > 20:
            return Result(math.nan, status="failed", error="no luck", raised=True)
        return accuracy(job)

    rules = Rules(0, 400, trials=60)
    ended = search(tmp_path, Learner(digits=9), Shuffled(5, rng, breaks), rules, LARGE)
    assert ended == Ended("failures", "no luck")
    with Study.read(tmp_path) as study:
        assert {trial.result.status for trial in study.trials()} == {"ok"}
        assert len(study.trials()) >= 20
    again = search(tmp_path, Learner(digits=9), Shuffled(5, rng), rules, LARGE)
    assert again == Ended("trials")
    assert len(check_order(tmp_path, Learner(digits=9))) == 60


def test_all_may_wait_for_a_failure_that_is_held_back(tmp_path: Path) -> None:
    class Repeating:
        """Proposes one job four times, then others."""

        def __init__(self) -> None:
            self.asked = 0

        def ask(self) -> Job:
            self.asked += 1
            return Job((max(0, self.asked - 4), 0, 0), epochs=2)

        def tell(self, job: Job, result: Result) -> None:
            pass

    def breaks(job: Job) -> Result:
        if job.options == (0, 0, 0):
            return Result(math.nan, status="failed", error="no luck", raised=True)
        return accuracy(job)

    executor = Shuffled(2, np.random.default_rng(0), breaks)
    ended = search(tmp_path, Repeating(), executor, Rules(0, 400, trials=7))
    assert ended == Ended("trials")
    trials = check_order(tmp_path, Repeating())
    assert [trial.result.status for trial in trials] == ["failed"] * 4 + ["ok"] * 3
    assert [trial.same_as for trial in trials] == [None, 0, 0, 0, None, None, None]


def test_surroundings_that_fail_stop_it_and_what_is_recorded_stays(tmp_path: Path) -> None:
    rng, calls = np.random.default_rng(6), 0

    def lost(job: Job) -> Result:
        nonlocal calls
        calls += 1
        if calls == 15:
            raise SurroundingsError("a device is lost")
        return accuracy(job)

    rules = Rules(0, 400, trials=40)
    ended = search(tmp_path, Learner(), Shuffled(4, rng, lost), rules)
    assert ended == Ended("surroundings", "a device is lost")
    with Study.read(tmp_path) as study:
        assert len(study.arrivals()) >= 14
    search(tmp_path, Learner(), Shuffled(4, rng), rules)
    assert len(check_order(tmp_path, Learner())) == 40


def test_other_code_keeps_what_is_stored(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    search(tmp_path, Learner(), Shuffled(4, rng, left=20), Rules(0, 400, trials=40))
    with Study.read(tmp_path) as study:
        before = {trial.number: trial for trial in study.trials()}
    notes: list[str] = []
    search(tmp_path, Learner(seed=9), Shuffled(4, rng), Rules(0, 400, trials=40), notes=notes)
    with Study.read(tmp_path) as study:
        after = {trial.number: trial for trial in study.trials()}
    assert after == {**after, **before}
    assert len(after) == 40
    (note,) = notes
    assert "was recorded by other code" in note


@pytest.mark.parametrize("seed", range(3))
def test_the_space_is_exhausted_once(tmp_path: Path, seed: int) -> None:
    table = tabulate(numbers(2, 3, end=1))
    rng = np.random.default_rng(seed)
    strategy = [
        build(StrategyConfig("random"), table, 1, 7, seed=0, epochs=2, chance=0.1) for _ in "ab"
    ]
    ended = search(tmp_path, strategy[0], Shuffled(5, rng), Rules(1, 7), table.chain)
    assert ended is not None
    assert ended.reason == "exhausted"
    assert len(check_order(tmp_path, strategy[1])) == 16
