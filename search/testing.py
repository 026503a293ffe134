"""What every strategy must keep to: put your own through it with `check` and `check_exhausts`.

A strategy never leaves the budget, never asks for the same job twice, asks for the same jobs given
the same seed and results, bears results that fail, come late or in another order, and raises
`Exhausted` when nothing is left.
"""

import zlib
from collections.abc import Callable, Iterator

from search.jobs import Exhausted, Job, Result, Strategy, failed
from search.spaces.budget_table import BudgetTable
from search.spaces.chain import value_id

Factory = Callable[[BudgetTable, int, int, int], Strategy]
"""Makes a strategy from a table, the two ends of the budget, and a seed."""

Evaluate = Callable[[Job], Result]


def scattered(job: Job) -> Result:
    """Return a result that depends on the encoding alone, in no way that could be learned."""
    return Result(0.2 + 0.7 * (zlib.crc32(repr(job.options).encode()) % 1000) / 1000)


def play(
    strategy: Strategy,
    evaluate: Evaluate,
    *,
    limit: int,
    ahead: int = 0,
    newest_first: bool = False,
) -> Iterator[Job]:
    """Yield up to `limit` jobs, each asked for while at most `ahead` results are still to come."""
    waiting: list[Job] = []
    asked = 0
    while asked < limit:
        try:
            waiting.append(strategy.ask())
        except Exhausted:
            if not waiting:
                return
            # What is still to come may open a way.
            job = waiting.pop(0)
            strategy.tell(job, evaluate(job))
            continue
        asked += 1
        yield waiting[-1]
        if len(waiting) > ahead:
            job = waiting.pop(-1 if newest_first else 0)
            strategy.tell(job, evaluate(job))


def check(
    make: Factory,
    table: BudgetTable,
    low: int,
    high: int,
    *,
    evaluate: Evaluate = scattered,
    limit: int = 50,
) -> None:
    """Raise `AssertionError` unless strategies that `make` makes keep to all but exhaustion.

    Each of some ten searches is asked for at most `limit` jobs; jobs are not trained, `evaluate`
    only has to return some result for each.
    """

    def fails(job: Job) -> Result:
        return failed("on purpose") if zlib.crc32(repr(job).encode()) % 3 else evaluate(job)

    def breaks(_: Job) -> Result:
        return failed("on purpose")

    ways = [(evaluate, 0, False), (evaluate, 7, False), (evaluate, 5, True)]
    for way, ahead, newest in [*ways, (fails, 1, False), (breaks, 1, False)]:
        first, second = (
            list(
                play(make(table, low, high, 1), way, limit=limit, ahead=ahead, newest_first=newest)
            )
            for _ in range(2)
        )
        _check_jobs(first, table, low, high)
        _hold(first == second, "the same seed and results gave other jobs")
    # A study that goes on asks and tells again what it has.
    live, again = make(table, low, high, 2), make(table, low, high, 2)
    for job in play(live, evaluate, limit=limit // 2):
        _hold(again.ask() == job, "a strategy that was told the same asked for another job")
        again.tell(job, evaluate(job))
    later = [list(play(strategy, evaluate, limit=limit // 2)) for strategy in (live, again)]
    _hold(later[0] == later[1], "after a replay it went on in another way")


def check_exhausts(
    make: Factory, table: BudgetTable, low: int, high: int, *, evaluate: Evaluate = scattered
) -> None:
    """Raise `AssertionError` unless everything inside is asked for at full length, each once.

    Of encodings that stand for one value only one counts. The interval should hold some dozens.
    """
    everything = {value_id(table.chain.value(options)) for options in table.encodings(low, high)}
    for ahead in (0, 4):
        strategy = make(table, low, high, 3)
        limit = 20 * table.count(low, high) + 100
        jobs = list(play(strategy, evaluate, limit=limit, ahead=ahead))
        _check_jobs(jobs, table, low, high)
        longest = max(job.epochs for job in jobs)
        full = [value_id(table.chain.value(j.options)) for j in jobs if j.epochs == longest]
        _hold(set(full) == everything, f"{len(everything) - len(full)} were never asked for")
        try:
            strategy.ask()
        except Exhausted as error:
            _hold(bool(str(error)), "Exhausted says nothing")
        else:
            raise AssertionError("all was asked for, and yet there is another job")


def _check_jobs(jobs: list[Job], table: BudgetTable, low: int, high: int) -> None:
    _hold(bool(jobs), "nothing was asked for")
    seen: set[tuple[str, int, int]] = set()
    for job in jobs:
        cost = table.cost(job.options)
        _hold(low <= cost <= high, f"{job} costs {cost}, outside {low} to {high}")
        key = (value_id(table.chain.value(job.options)), job.epochs, job.seed)
        _hold(key not in seen, f"{job} was asked for twice")
        seen.add(key)


def _hold(condition: bool, otherwise: str) -> None:
    if not condition:
        raise AssertionError(otherwise)
