"""The contract of strategies."""

import zlib
from collections.abc import Callable, Iterator
from random import Random

from search.errors import UserError
from search.jobs import Exhausted, Job, Result, Strategy, failed
from search.spaces.budget_table import BudgetTable
from search.spaces.chain import value_id
from search.testing.report import named, require

StrategyFactory = Callable[[BudgetTable, int, int, int], Strategy]
"""Makes a strategy from a table, both ends of the budget in multiplies, and a seed."""

Evaluate = Callable[[Job], Result]


def arbitrary(job: Job) -> Result:
    """Return a result with an accuracy that depends on the encoding but cannot be predicted."""
    return Result(0.2 + 0.7 * (zlib.crc32(repr(job.options).encode()) % 1000) / 1000)


def play(
    strategy: Strategy,
    evaluate: Evaluate,
    *,
    limit: int,
    ahead: int = 0,
    newest_first: bool = False,
    shuffled: int | None = None,
) -> Iterator[Job]:
    """Yield up to `limit` jobs of a strategy, each asked for with up to `ahead` jobs pending.

    Results are told oldest first, newest first or, as workers may finish, in a random order of the
    seed `shuffled`.
    """
    pending: list[Job] = []
    order = None if shuffled is None else Random(shuffled)
    asked = 0

    def next_told() -> int:
        if order is not None:
            return order.randrange(len(pending))
        return -1 if newest_first else 0

    while asked < limit:
        try:
            pending.append(strategy.ask())
        except Exhausted:
            if not pending:
                return
            # A pending result may make further jobs possible, such as a promotion.
            job = pending.pop(0 if order is None else next_told())
            strategy.tell(job, evaluate(job))
            continue
        asked += 1
        yield pending[-1]
        if len(pending) > ahead:
            job = pending.pop(next_told())
            strategy.tell(job, evaluate(job))


def check_strategy(
    make: StrategyFactory,
    table: BudgetTable,
    low: int,
    high: int,
    *,
    evaluate: Evaluate = arbitrary,
    limit: int = 50,
) -> None:
    """Check that a strategy proposes inside the budget, never twice, and repeatably.

    Every job costs from `low` to `high` multiplies. No value is proposed twice with the same epochs
    and seed. The same seed and results give the same jobs, also after a replay, as when a study is
    continued. All that with results that fail, come late, or come in any order while many jobs are
    pending. Runs about a dozen searches of at most `limit` jobs; `evaluate` gives their results.
    """

    def often_fails(job: Job) -> Result:
        return failed("on purpose") if zlib.crc32(repr(job).encode()) % 3 else evaluate(job)

    def always_fails(_: Job) -> Result:
        return failed("on purpose")

    # What is told, how many jobs are pending, and in which order they end.
    for results, ahead, newest_first, shuffled in [
        (evaluate, 0, False, None),
        (evaluate, 7, False, None),
        (evaluate, 5, True, None),
        (evaluate, limit // 2, False, 1),
        (often_fails, limit // 4, False, 2),
        (often_fails, 1, False, None),
        (always_fails, 1, False, None),
    ]:
        first, second = (
            list(
                play(
                    make(table, low, high, 1),
                    results,
                    limit=limit,
                    ahead=ahead,
                    newest_first=newest_first,
                    shuffled=shuffled,
                )
            )
            for _ in range(2)
        )
        _check_jobs(first, table, low, high)
        require(first == second, "the same seed and results gave different jobs")
    original, replayed = make(table, low, high, 2), make(table, low, high, 2)
    for job in play(original, evaluate, limit=limit // 2):
        require(replayed.ask() == job, "a replay with the same results asked for another job")
        replayed.tell(job, evaluate(job))
    later = [list(play(strategy, evaluate, limit=limit // 2)) for strategy in (original, replayed)]
    require(later[0] == later[1], "after a replay the strategy continued differently")


def check_strategy_exhausts(
    make: StrategyFactory,
    table: BudgetTable,
    low: int,
    high: int,
    *,
    evaluate: Evaluate = arbitrary,
) -> None:
    """Check that a strategy proposes everything inside the budget, then raises `Exhausted`.

    Every value is asked for at the largest number of epochs that the strategy uses; of encodings
    with the same value one suffices. Choose an interval that holds some dozens.
    """
    everything = {value_id(table.chain.value(options)) for options in table.encodings(low, high)}
    for ahead in (0, 4):
        strategy = make(table, low, high, 3)
        limit = 20 * table.count(low, high) + 100
        jobs = list(play(strategy, evaluate, limit=limit, ahead=ahead))
        _check_jobs(jobs, table, low, high)
        longest = max(job.epochs for job in jobs)
        full = {value_id(table.chain.value(j.options)) for j in jobs if j.epochs == longest}
        require(full == everything, f"{len(everything - full)} values were never asked for in full")
        try:
            job = strategy.ask()
        except Exhausted as error:
            require(bool(str(error)), "Exhausted has no message")
        else:
            raise AssertionError(f"everything was asked for, but ask() returned {named(job)}")


def _check_jobs(jobs: list[Job], table: BudgetTable, low: int, high: int) -> None:
    require(bool(jobs), "nothing was asked for")
    seen: set[tuple[str, int, int]] = set()
    for job in jobs:
        try:
            candidate = table.candidate(job.options)
        except UserError as error:
            raise AssertionError(f"{named(job)}: {error}") from error
        multiplies = candidate.multiplies
        require(
            low <= multiplies <= high,
            f"{named(job)} costs {multiplies}, outside {low} to {high}",
        )
        if job.carried is not None:
            carried = (job.carried.options, job.carried.id, job.carried.multiplies)
            require(
                carried == (job.options, candidate.id, multiplies),
                f"{named(job)} carries another candidate, {carried}",
            )
        key = (candidate.id, job.epochs, job.seed)
        require(key not in seen, f"{named(job)} was asked for twice")
        seen.add(key)
