"""Successive halving: its arithmetic over all powers, and what it promotes."""

from collections import Counter

import pytest

from search.config.strategy import StrategyConfig
from search.errors import UserError
from search.jobs import Job, Result, failed
from search.spaces.budget_table import BudgetTable
from search.strategies import build
from search.strategies.rungs import lengths, most_rungs, promotions

POWERS = [(b, e) for b in range(2, 11) for e in range(1, 12) if b**e <= 10**6]


@pytest.mark.parametrize(("reduction", "power"), POWERS)
def test_rungs_at_powers(reduction: int, power: int) -> None:
    """243 = 3^5 gives six rungs: 1, 3, 9, 27, 81, 243; one epoch less gives five."""
    epochs = reduction**power
    assert most_rungs(epochs, reduction) == power + 1
    assert most_rungs(epochs - 1, reduction) == power
    assert lengths(epochs, power + 1, reduction) == tuple(reduction**i for i in range(power + 1))
    with pytest.raises(
        UserError, match=f"or strategy.rungs={power}" if power > 1 else "or another strategy"
    ):
        lengths(epochs - 1, power + 1, reduction)


def test_lengths_rise_to_the_full_one() -> None:
    for epochs in range(1, 200):
        for reduction in range(2, 6):
            for rungs in range(1, most_rungs(epochs, reduction) + 1):
                found = lengths(epochs, rungs, reduction)
                assert found[-1] == epochs
                assert found[0] >= 1
                assert list(found) == sorted(set(found))


def test_promotions_never_fall_and_never_pass_what_finished() -> None:
    for reduction in range(2, 6):
        for head in range(4):
            allowed = [promotions(n, reduction, head) for n in range(200)]
            assert allowed == sorted(allowed)
            assert all(0 <= many <= n for n, many in enumerate(allowed))
            assert allowed[100] == head + (100 - head) // reduction


def accuracy(job: Job) -> float:
    return 0.2 + 0.05 * job.options.count("yes") + 0.1 * (job.epochs > 1)


def test_most_trainings_are_short(table: BudgetTable) -> None:
    config = StrategyConfig("halving", inner="random", rungs=3, reduction=3)
    strategy = build(config, table, 0, 355, seed=0, epochs=9, chance=0.1)
    jobs = []
    for _ in range(150):
        jobs.append(strategy.ask())
        strategy.tell(jobs[-1], Result(accuracy(jobs[-1])))
    # It ends with full-length trainings only.
    assert {job.epochs for job in jobs[-30:]} == {9}
    last = max(i for i, job in enumerate(jobs) if job.epochs == 1)
    jobs = jobs[: last + 1]
    many = Counter(job.epochs for job in jobs)
    assert set(many) == {1, 3, 9}
    assert many[1] > 2 * many[3] > 2 * many[9]
    # Whatever is promoted was trained one rung shorter with the same seed.
    seen = set()
    for job in jobs:
        assert job.epochs == 1 or (job.options, job.epochs // 3, job.seed) in seen
        seen.add((job.options, job.epochs, job.seed))


def test_a_failure_is_never_promoted(table: BudgetTable) -> None:
    config = StrategyConfig("halving", inner="random")
    strategy = build(config, table, 0, 355, seed=0, epochs=9, chance=0.1)
    broken = set()
    for i in range(80):
        job = strategy.ask()
        assert job.options not in broken
        if i % 4 == 0:
            broken.add(job.options)
        strategy.tell(job, failed("no") if i % 4 == 0 else Result(accuracy(job)))


def test_nothing_waits_for_a_rung(table: BudgetTable) -> None:
    """There is a next job even if no result ever comes."""
    config = StrategyConfig("halving", inner="random")
    strategy = build(config, table, 0, 355, seed=0, epochs=9, chance=0.1)
    assert len({strategy.ask() for _ in range(50)}) == 50


def test_too_few_epochs_for_the_rungs(table: BudgetTable) -> None:
    with pytest.raises(UserError, match=r"epochs=8 are too few for strategy\.rungs=3"):
        build(StrategyConfig("halving", rungs=3), table, 0, 355, seed=0, epochs=8, chance=0.1)
    with pytest.raises(UserError, match="epochs=1 are too few"):
        build(StrategyConfig("halving"), table, 0, 355, seed=0, epochs=1, chance=0.1)
