"""The surrogate's parts: what a step is reservation value, what short results say, who goes on."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import search.strategies.surrogate.observations as training_set
from search.config.strategy import StrategyConfig
from search.jobs import Job, Options, Result
from search.spaces.budget_table import BudgetTable
from search.strategies import build
from search.strategies.history import History, Problem
from search.strategies.surrogate.acquisition import (
    negative_log_error,
    quadrature_points,
    reservation_value,
)
from search.strategies.surrogate.encoding import Encoder
from search.strategies.surrogate.gp import GaussianProcess
from search.strategies.surrogate.kernel_cache import KernelCache

RNG = np.random.default_rng(0)


@pytest.fixture
def problem(table: BudgetTable) -> Problem:
    return Problem(table, 0, 355, seed=0, epochs=9, chance=0.1)


@pytest.fixture
def cache(table: BudgetTable) -> KernelCache:
    return KernelCache(Encoder(table, list(table.encodings())), 300)


def accuracy(options: Options) -> float:
    return 0.2 + 0.08 * sum((i % 3) * (option == "yes") for i, option in enumerate(options))


def test_outcomes_have_the_moments_asked_for() -> None:
    weights = reservation_value(np.eye(7), np.ones(7), np.zeros(7))
    values = quadrature_points(np.array([2.0]), np.array([0.5]))[:, 0]
    assert weights.sum() == pytest.approx(1)
    assert weights @ values == pytest.approx(2)
    assert weights @ (values - 2) ** 2 == pytest.approx(0.25)


def test_worth_is_the_best_rule_for_going_on() -> None:
    """Against every set of quadrature points after which one might go on."""
    gains = RNG.random((7, 40)) ** 3
    step, rest = RNG.random(40) + 0.05, RNG.random(40)
    weights = reservation_value(np.eye(7), np.ones(7), np.zeros(7))
    best = np.zeros(40)
    for going in itertools.product((0.0, 1.0), repeat=7):
        share = weights * going
        best = np.maximum(best, share @ gains / (step + rest * share.sum()))
    np.testing.assert_allclose(reservation_value(gains, step, rest), best)


def test_worth_of_a_step_that_tells_nothing_is_that_of_the_whole() -> None:
    gains = np.full((7, 1), 0.3)
    found = reservation_value(gains, np.array([0.1]), np.array([0.9]))
    np.testing.assert_allclose(found, 0.3)


def test_a_short_result_says_less_the_shorter_it_was(
    cache: KernelCache, table: BudgetTable
) -> None:
    encodings = list(table.encodings())
    known, asked = cache.add(encodings[:40]), cache.add(encodings[100:101])
    rows, new = np.array(known), np.array(asked)
    targets = negative_log_error(np.array([accuracy(options) for options in encodings[:40]]))
    deviations = []
    for short in (0.0, 0.5, 1.0):
        _, deviation = GaussianProcess(RNG).predict(
            cache.pairwise.part(rows, rows),
            cache.pairwise.part(new, rows),
            cache.pairwise.own(new),
            targets,
            np.full(40, short),
        )
        deviations.append(float(deviation[0]))
    assert deviations == sorted(deviations)
    assert deviations[0] < 0.9 * deviations[2]


def test_what_is_known_is_predicted(cache: KernelCache, table: BudgetTable) -> None:
    encodings = [list(table.encodings())[i] for i in RNG.permutation(256)]
    numbers = np.array(cache.add(encodings))
    values = negative_log_error(np.array([accuracy(options) for options in encodings]))
    rows, new, short = numbers[:80], numbers[80:], np.zeros(80)
    process = GaussianProcess(np.random.default_rng(1))
    for _ in range(10):
        process.fit(cache.pairwise.part(rows, rows), values[:80], short)
    pairwise = cache.pairwise
    known, across, own = pairwise.part(rows, rows), pairwise.part(new, rows), pairwise.own(new)
    mean, deviation = process.predict(known, across, own, values[:80], short)
    errors = mean - values[80:]
    assert np.std(errors) < 0.1 * np.std(values)
    assert np.mean(np.abs(errors) < 3 * deviation) > 0.95


def test_short_results_are_brought_to_full_length(cache: KernelCache, problem: Problem) -> None:
    """By the line through those that have both, however many of those there are."""
    history = History(problem)
    held = training_set.TrainingSet(cache, history, problem.generator(9))
    encodings = [list(problem.table.encodings())[i] for i in RNG.permutation(256)[:60]]
    full = RNG.normal(size=60) * 0.1 + 0.7
    short = (full - 0.4) / 0.5
    for i, options in enumerate(encodings):
        held.hold(options, 1, 1.02 - float(np.exp(-short[i])))
        if i < 40:
            held.hold(options, 9, 1.02 - float(np.exp(-full[i])))
    numbers, targets, noise = held.rows()
    assert len(numbers) == len(set(numbers.tolist())) == 60
    np.testing.assert_allclose(targets[:40], full[:40])
    np.testing.assert_allclose(targets[40:], full[40:], atol=0.05)
    np.testing.assert_array_equal(noise[:40], 0.0)
    assert np.all((noise[40:] > 0) & (noise[40:] < 0.3 * np.std(full)))


def test_short_results_are_forgotten_first(
    cache: KernelCache, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_set, "FITTED", 20)
    held = training_set.TrainingSet(cache, History(problem), problem.generator(9))
    encodings = list(problem.table.encodings())
    for i, options in enumerate(encodings[:30]):
        held.hold(options, 9 if i % 2 else 1, 0.5)
    noise = held.rows()[2]
    assert len(noise) == 20
    assert (noise == 0).sum() == 15
    # An pending result stands in for the full one, until a failure says that there is none.
    assert held.add_pending(encodings[40], cache.add([encodings[40]])[0], 1.0)
    assert len(held.rows()[0]) == 21
    held.fail(encodings[40])
    assert len(held.rows()[0]) == 20


def halved(problem: Problem, full: dict[Options, float], short: dict[Options, float]) -> list[Job]:
    """Return the jobs of a halved search up to 19 results at full length."""
    config = StrategyConfig("halving", inner="surrogate", rungs=2, reduction=9)
    strategy = build(config, problem.table, 0, 355, seed=0, epochs=9, chance=0.1)
    jobs: list[Job] = []
    while sum(job.epochs == 9 for job in jobs) < 19:
        jobs.append(strategy.ask())
        known = full if jobs[-1].epochs == 9 else short
        strategy.tell(jobs[-1], Result(known[jobs[-1].options]))
    return jobs


def test_short_trainings_are_cut_short_as_far_as_they_tell(problem: Problem) -> None:
    """Accuracies that nothing but a short training foretells, or not even that."""
    rng = np.random.default_rng(3)
    full, other = (
        {o: 0.4 + 0.4 * rng.random() for o in problem.table.encodings()} for _ in range(2)
    )

    def cut(jobs: list[Job]) -> int:
        return sum(job.epochs == 1 for job in jobs) - sum(job.epochs == 9 for job in jobs)

    telling = halved(problem, full, {options: value - 0.1 for options, value in full.items()})
    silent = halved(problem, full, other)
    assert cut(telling) > 2 * cut(silent)
    # The first went on whatever they were; nobody begins anywhere but at the shortest.
    begun = [job.options for job in telling if job.epochs == 1]
    assert begun[:8] == [job.options for job in telling if job.epochs == 9][:8]
    for i, job in enumerate(telling):
        assert job.epochs == 1 or replace(job, epochs=1) in telling[:i]


def test_in_the_end_everything_goes_on_at_once(problem: Problem) -> None:
    config = StrategyConfig("halving", inner="surrogate")
    strategy = build(config, problem.table, 0, 355, seed=0, epochs=9, chance=0.1)
    jobs: list[Job] = []
    while sum(job.epochs == 9 for job in jobs) < 30:
        jobs.append(strategy.ask())
        strategy.tell(jobs[-1], Result(accuracy(jobs[-1].options) - 0.2 / jobs[-1].epochs))
    last = jobs[-12:]
    assert [job.epochs for job in last] == [1, 3, 9] * 4
    assert [len({job.options for job in last[i : i + 3]}) for i in (0, 3, 6, 9)] == [1] * 4
