"""The contract suites: implementations that keep the contract pass, each broken one is found."""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from chains import PriceList, Product, RandomChain, Stages

from search.config.space import SpaceConfig
from search.errors import SurroundingsError
from search.executors.local import LocalExecutor, evaluate
from search.jobs import Evaluator, Exhausted, Infeasible, Job, Option, Options, Result, failed
from search.networks.arch import Arch, Head, Input, Stem
from search.spaces import stages, tabulate
from search.spaces.budget_table import BudgetTable
from search.testing import (
    check_chain,
    check_evaluator,
    check_executor,
    check_strategy,
    check_strategy_exhausts,
)

TABLE = tabulate(Stages(widths=(2, 3), depths=("d1", "d2")))


class Listing:
    """Proposes every encoding in order; broken on demand."""

    def __init__(self, table: BudgetTable, low: int, high: int, seed: int) -> None:
        self.table = table
        self.encodings = list(table.encodings(low, high))
        self.told: list[tuple[Job, Result]] = []

    def ask(self) -> Job:
        if not self.encodings:
            raise Exhausted("everything has been proposed")
        return Job(self.encodings.pop(0), 9, 0)

    def tell(self, job: Job, result: Result) -> None:
        self.told.append((job, result))


class OverBudget(Listing):
    def __init__(self, table: BudgetTable, low: int, high: int, seed: int) -> None:
        super().__init__(table, low, high + 200, seed)


class Repeats(Listing):
    def ask(self) -> Job:
        return Job(self.encodings[0], 9, 0)


class Unseeded(Listing):
    def __init__(self, table: BudgetTable, low: int, high: int, seed: int) -> None:
        super().__init__(table, low, high, seed)
        random.SystemRandom().shuffle(self.encodings)


class ForgetsFailures(Listing):
    """Proposes a failed candidate again."""

    def tell(self, job: Job, result: Result) -> None:
        if result.status != "ok":
            self.encodings.append(job.options)


class NotOfTheChain(Listing):
    def ask(self) -> Job:
        return replace(super().ask(), options=("x",))


class WrongCandidate(Listing):
    def ask(self) -> Job:
        job = super().ask()
        return replace(job, carried=self.table.candidate(self.table.cheapest()[1]))


class Empty(Listing):
    def ask(self) -> Job:
        raise Exhausted("nothing")


class StopsEarly(Listing):
    def ask(self) -> Job:
        if len(self.encodings) == 3:
            raise Exhausted("enough")
        return super().ask()


class NeverStops(Listing):
    def ask(self) -> Job:
        job = super().ask() if self.encodings else None
        return job or Job(self.table.cheapest()[1], 9, len(self.told))


class Silent(Listing):
    def ask(self) -> Job:
        if not self.encodings:
            raise Exhausted
        return super().ask()


def test_a_strategy_that_keeps_the_contract() -> None:
    check_strategy(Listing, TABLE, 0, 200)
    check_strategy_exhausts(Listing, TABLE, 0, 200)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (OverBudget, "outside 0 to 100"),
        (Repeats, "was asked for twice"),
        (Unseeded, "the same seed and results gave different jobs"),
        (ForgetsFailures, "was asked for twice"),
        (NotOfTheChain, "allowed here are"),
        (WrongCandidate, "carries another candidate"),
        (Empty, "nothing was asked for"),
    ],
)
def test_broken_strategies_are_found(broken: type[Listing], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_strategy(broken, TABLE, 0, 100)


def test_a_strategy_whose_replay_differs_is_found() -> None:
    class CountsAsks(Listing):
        """Its order depends on how often ask was called anywhere: the second search differs."""

        made = 0

        def __init__(self, table: BudgetTable, low: int, high: int, seed: int) -> None:
            super().__init__(table, low, high, seed)
            if seed == 2:
                type(self).made += 1
                self.encodings = self.encodings[self.made :]

    with pytest.raises(AssertionError, match="a replay with the same results asked for another"):
        check_strategy(CountsAsks, TABLE, 0, 200)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (StopsEarly, "3 values were never asked for"),
        (NeverStops, "everything was asked for, but|values were never"),
        (Silent, "Exhausted has no message"),
    ],
)
def test_strategies_that_end_wrongly_are_found(broken: type[Listing], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_strategy_exhausts(broken, TABLE, 0, 200)


class Priced(PriceList):
    """Two decisions, each of two options."""

    def __init__(self) -> None:
        super().__init__({"a": 1, "b": 2}, {"a": 3, "b": 5})


class Forgetful(Priced):
    """Asked a second time, it offers the options in another order."""

    asked = 0

    def options(self, position: int, _state: None) -> Sequence[Option]:
        self.asked += 1
        return super().options(position, _state)[:: 1 if self.asked % 2 else -1]


class Unsteady(Priced):
    """The price changes each time."""

    asked = 0

    def step(self, position: int, _state: None, option: Option) -> tuple[None, int]:
        self.asked += 1
        return None, self.asked


class FalselyFree(Priced):
    """States say how many decisions are left; the prices depend on the position as well."""

    position_free = True

    def start(self) -> Any:
        return 4

    def options(self, position: int, state: Any) -> Sequence[Option]:
        return (1, 2) if state > 0 else ()

    def step(self, position: int, state: Any, option: Option) -> Any:
        return state - int(option), position


class Shifting(FalselyFree):
    """The options depend on the position as well."""

    def options(self, position: int, state: Any) -> Sequence[Option]:
        offered = super().options(position, state)
        return (*offered, 3) if offered and position == 1 else offered

    def step(self, position: int, state: Any, option: Option) -> Any:
        return super().step(position, state, option)[0], 1


class Narrowing(Shifting):
    """At one position fewer options are offered than elsewhere."""

    def options(self, position: int, state: Any) -> Sequence[Option]:
        offered = FalselyFree.options(self, position, state)
        return offered[:1] if position == 1 else offered


class Negative(Priced):
    def finish(self, _state: None) -> int:
        return -1


class NoValue(Priced):
    def value(self, options: Options) -> Any:
        return object()


class OtherValue(Priced):
    asked = 0

    def value(self, options: Options) -> Any:
        self.asked += 1
        return self.asked


class Mispriced(Priced):
    def value(self, options: Options) -> Any:
        return Arch(Input(4, 4, 1), Stem(4), (), Head(), 2)


@pytest.mark.parametrize(
    "chain",
    [
        Priced(),
        Stages(),
        Stages(merge=True),
        Product(10, (1, 2, 3), 3),
        stages.build(SpaceConfig(), Input(8, 8, 1), 10),
        *map(RandomChain, range(10)),
    ],
)
def test_chains_that_keep_the_contract(chain: Any) -> None:
    check_chain(chain, walks=50)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Forgetful, "options\\(\\) offered"),
        (Unsteady, "step\\(\\) with"),
        (FalselyFree, "step by step but .* position_free"),
        (Shifting, "position_free"),
        (Narrowing, "position_free"),
        (Negative, "cannot be tabulated: .* the price is -1"),
        (NoValue, "not JSON"),
        (OtherValue, "two different values"),
        (Mispriced, "but its Arch .* multiplies"),
    ],
)
def test_broken_chains_are_found(broken: type[Priced], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_chain(broken())


class LastFirst(LocalExecutor):
    """Results may come in any order."""

    def next(self) -> tuple[int, Result]:
        self._waiting.rotate(1)
        return super().next()


class Broken:
    """An executor that keeps the contract, but for what its subclasses change."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.waiting: deque[tuple[int, Job]] = deque()

    def submit(self, number: int, job: Job) -> None:
        self.waiting.append((number, job))

    def next(self) -> tuple[int, Result]:
        number, job = self.waiting.popleft()
        return number, evaluate(self.evaluator, job)


class SwapsResults(Broken):
    def next(self) -> tuple[int, Result]:
        number, result = super().next()
        if self.waiting:
            other, job = self.waiting.popleft()
            self.waiting.append((number, job))
            return other, result
        return number, result


class ReturnsTwice(Broken):
    def next(self) -> tuple[int, Result]:
        number, job = self.waiting[0]
        return number, evaluate(self.evaluator, job)


class Renumbers(Broken):
    def next(self) -> tuple[int, Result]:
        number, result = super().next()
        return number + 1000, result


class DropsTheSeed(Broken):
    def submit(self, number: int, job: Job) -> None:
        super().submit(number, replace(job, seed=0))


class DropsTheCandidate(Broken):
    def submit(self, number: int, job: Job) -> None:
        super().submit(number, replace(job, carried=None))


class FailsSilently(Broken):
    def next(self) -> tuple[int, Result]:
        number, result = super().next()
        return number, failed("something went wrong") if result.status != "ok" else result


class InfeasibleIsFailed(Broken):
    def next(self) -> tuple[int, Result]:
        number, result = super().next()
        return number, failed(result.error) if result.status == "infeasible" else result


class BlamesTheCandidate(Broken):
    def next(self) -> tuple[int, Result]:
        number = self.waiting[0][0]
        try:
            return super().next()
        except SurroundingsError:
            return number, failed("MemoryError")


@pytest.mark.parametrize("executor", [LocalExecutor, LastFirst, Broken])
def test_executors_that_keep_the_contract(executor: Callable[[Evaluator], Any]) -> None:
    check_executor(executor)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (SwapsResults, r"number \d+ got accuracy .*; its job gives"),
        (ReturnsTwice, "returned number 0 twice"),
        (Renumbers, "never submitted"),
        (DropsTheSeed, "its job gives"),
        (DropsTheCandidate, "carries no candidate"),
        (FailsSilently, "the reason is lost"),
        (InfeasibleIsFailed, "got status failed, not infeasible"),
        (BlamesTheCandidate, "raise SurroundingsError"),
    ],
)
def test_broken_executors_are_found(broken: type[Broken], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_executor(broken)


CANDIDATES = [TABLE.candidate(options) for options in list(TABLE.encodings())[:5]]


def looked_up(job: Job) -> float:
    if len(job.options) == 3:
        raise Infeasible("too shallow")
    return 0.5 + job.epochs / 100 + job.candidate.multiplies / 1e4


class Prepared:
    """Compiles ahead: what it did not prepare it prepares itself."""

    def __init__(self) -> None:
        self.ready: set[Options] = set()
        self.calls = 0

    def prepare(self, job: Job) -> None:
        self.ready.add(job.options)

    def __call__(self, job: Job) -> Result:
        self.calls += 1
        self.ready.discard(job.options)
        return Result(looked_up(job), loss=1.0)


class PreparedDiffers(Prepared):
    def __call__(self, job: Job) -> Result:
        return Result(0.6 if job.options in self.ready else 0.5)


class OrderMatters(Prepared):
    def __call__(self, job: Job) -> Result:
        self.calls += 1
        return Result(0.5, loss=float(self.calls))


class Percent(Prepared):
    def __call__(self, job: Job) -> Result:
        return Result(95.0)


class Text(Prepared):
    def __call__(self, job: Job) -> Any:
        return "0.5"


class Raises(Prepared):
    def __call__(self, job: Job) -> Result:
        raise KeyError(job.options)


class NoReason(Prepared):
    def __call__(self, job: Job) -> Result:
        return Result(0.0, status="failed")


class OutOfMemory(Prepared):
    def __call__(self, job: Job) -> Result:
        raise MemoryError


class Hopeless(Prepared):
    def __call__(self, job: Job) -> Result:
        raise Infeasible("of course")


@pytest.mark.parametrize("make", [lambda: looked_up, Prepared])
def test_evaluators_that_keep_the_contract(make: Callable[[], Any]) -> None:
    check_evaluator(make, CANDIDATES, epochs=(1, 3))


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (PreparedDiffers, "but in another order accuracy 0.5"),
        (OrderMatters, "but in another order"),
        (Percent, "percent\\?"),
        (Text, "it returned a str instead of a Result or a number"),
        (Raises, "raise Infeasible, or return a failed Result"),
        (NoReason, "no candidate succeeded"),
        (OutOfMemory, "MemoryError"),
        (Hopeless, "no candidate succeeded; the first: of course"),
    ],
)
def test_broken_evaluators_are_found(broken: type[Prepared], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_evaluator(broken, CANDIDATES, epochs=(1, 3))


def test_an_evaluator_is_not_checked_with_nothing() -> None:
    with pytest.raises(AssertionError, match="no candidates"):
        check_evaluator(lambda: looked_up, [])
