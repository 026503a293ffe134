"""The surrogate's parts: acquisition, model, training set, and multi-fidelity decisions."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

import search.strategies.surrogate.gp as gp
import search.strategies.surrogate.training_set as training_set
from search.config.strategy import StrategyConfig
from search.jobs import Job, Options, Result
from search.pareto import hypervolume
from search.spaces.budget_table import BudgetTable
from search.strategies import build
from search.strategies.history import History, Problem
from search.strategies.surrogate.acquisition import (
    expected_hypervolume_improvement,
    from_negative_log_error,
    hypervolume_improvement,
    negative_log_error,
    quadrature_points,
    reservation_value,
)
from search.strategies.surrogate.features import Featurizer
from search.strategies.surrogate.gp import PRIOR_MEDIAN, GaussianProcess, Hyperparameters
from search.strategies.surrogate.kernel_cache import KernelCache
from search.strategies.surrogate.posterior import Posterior
from search.strategies.surrogate.strategy import Surrogate

RNG = np.random.default_rng(0)


@pytest.fixture
def problem(table: BudgetTable) -> Problem:
    return Problem(table, 0, 355, seed=0, epochs=9, chance=0.1)


@pytest.fixture
def cache(table: BudgetTable) -> KernelCache:
    return KernelCache(Featurizer(table, list(table.encodings())), 300)


def accuracy(options: Options) -> float:
    return 0.2 + 0.08 * sum((i % 3) * (option == "yes") for i, option in enumerate(options))


def test_quadrature_points_have_the_moments_asked_for() -> None:
    weights = reservation_value(np.eye(7), np.ones(7), np.zeros(7))
    values = quadrature_points(np.array([2.0]), np.array([0.5]))[:, 0]
    assert weights.sum() == pytest.approx(1)
    assert weights @ values == pytest.approx(2)
    assert weights @ (values - 2) ** 2 == pytest.approx(0.25)


def test_reservation_value_is_that_of_the_best_stopping_rule() -> None:
    """Against every set of quadrature points after which the training might be continued."""
    improvement = RNG.random((7, 40)) ** 3
    step, rest = RNG.random(40) + 0.05, RNG.random(40)
    weights = reservation_value(np.eye(7), np.ones(7), np.zeros(7))
    best = np.zeros(40)
    for going in itertools.product((0.0, 1.0), repeat=7):
        share = weights * going
        best = np.maximum(best, share @ improvement / (step + rest * share.sum()))
    np.testing.assert_allclose(reservation_value(improvement, step, rest), best)


def test_reservation_value_of_an_uninformative_step_is_that_of_the_whole() -> None:
    improvement = np.full((7, 1), 0.3)
    found = reservation_value(improvement, np.array([0.1]), np.array([0.9]))
    np.testing.assert_allclose(found, 0.3)


def test_shorter_results_leave_more_uncertainty(cache: KernelCache, table: BudgetTable) -> None:
    encodings = list(table.encodings())
    known, asked = cache.add(encodings[:40]), cache.add(encodings[100:101])
    rows, new = np.array(known), np.array(asked)
    targets = negative_log_error(np.array([accuracy(options) for options in encodings[:40]]))
    deviations = []
    for short in (0.0, 0.5, 1.0):
        _, deviation = GaussianProcess(RNG).predict(
            cache.pairwise.select(rows, rows),
            cache.pairwise.select(new, rows),
            cache.pairwise.diagonal(new),
            targets,
            np.full(40, short),
        )
        deviations.append(float(deviation[0]))
    assert deviations == sorted(deviations)
    assert deviations[0] < 0.9 * deviations[2]


def test_the_model_predicts_additive_effects(cache: KernelCache, table: BudgetTable) -> None:
    encodings = [list(table.encodings())[i] for i in RNG.permutation(256)]
    numbers = np.array(cache.add(encodings))
    values = negative_log_error(np.array([accuracy(options) for options in encodings]))
    rows, new, short = numbers[:80], numbers[80:], np.zeros(80)
    process = GaussianProcess(np.random.default_rng(1))
    for _ in range(10):
        process.fit(cache.pairwise.select(rows, rows), values[:80], short)
    pairwise = cache.pairwise
    train, cross, diagonal = (
        pairwise.select(rows, rows),
        pairwise.select(new, rows),
        pairwise.diagonal(new),
    )
    mean, deviation = process.predict(train, cross, diagonal, values[:80], short)
    errors = mean - values[80:]
    assert np.std(errors) < 0.1 * np.std(values)
    assert np.mean(np.abs(errors) < 3 * deviation) > 0.95


def test_short_results_are_brought_to_full_length(cache: KernelCache, problem: Problem) -> None:
    """By the line through the encodings that have both."""
    history = History(problem)
    held = training_set.TrainingSet(cache, history, problem.generator(9))
    encodings = [list(problem.table.encodings())[i] for i in RNG.permutation(256)[:60]]
    full = RNG.normal(size=60) * 0.1 + 0.7
    short = (full - 0.4) / 0.5
    for i, options in enumerate(encodings):
        held.add(options, 1, 1.02 - float(np.exp(-short[i])))
        if i < 40:
            held.add(options, 9, 1.02 - float(np.exp(-full[i])))
    numbers, targets, noise = held.arrays()
    assert len(numbers) == len(set(numbers.tolist())) == 60
    np.testing.assert_allclose(targets[:40], full[:40])
    np.testing.assert_allclose(targets[40:], full[40:], atol=0.05)
    np.testing.assert_array_equal(noise[:40], 0.0)
    assert np.all((noise[40:] > 0) & (noise[40:] < 0.3 * np.std(full)))


def test_short_results_are_dropped_first(
    cache: KernelCache, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_set, "FITTED", 20)
    held = training_set.TrainingSet(cache, History(problem), problem.generator(9))
    encodings = list(problem.table.encodings())
    for i, options in enumerate(encodings[:30]):
        held.add(options, 9 if i % 2 else 1, 0.5)
    noise = held.arrays()[2]
    assert len(noise) == 20
    assert (noise == 0).sum() == 15
    # A pending job stands at its predicted value until a failure removes it.
    held.add_pending(encodings[40], cache.add([encodings[40]])[0], 1.0)
    assert len(held.arrays()[0]) == 21
    held.fail(encodings[40])
    assert len(held.arrays()[0]) == 20


def parallel(
    strategy: Surrogate, evaluate: Callable[[Options], float], workers: int, results: int
) -> tuple[list[Job], list[tuple[Job, Result]]]:
    """Return the jobs of a search with so many workers that end in a random order; and results."""
    order, pending = np.random.default_rng(4), list[Job]()
    asked, told = list[Job](), list[tuple[Job, Result]]()
    while len(told) < results:
        while len(pending) < workers:
            asked.append(strategy.ask())
            pending.append(asked[-1])
        job = pending.pop(int(order.integers(len(pending))))
        told.append((job, Result(evaluate(job.options))))
        strategy.tell(*told[-1])
    return asked, told


def test_64_pending_jobs_are_imagined_and_distinct(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy, seen = Surrogate(problem), list[int]()
    predict = GaussianProcess.predict

    def noted(*arguments: Any) -> tuple[np.ndarray, np.ndarray]:
        model = strategy._model
        assert model is not None
        # Every job that was asked for and not told is in the model, at a finite value.
        pending = model.training_set.pending
        assert np.isfinite([*pending.values()]).all()
        assert not strategy._unmodelled
        seen.append(len(pending))
        return predict(*arguments)

    monkeypatch.setattr(GaussianProcess, "predict", noted)
    asked, _ = parallel(strategy, accuracy, 64, 40)
    assert len({job.options for job in asked}) == len(asked) == 103
    # One before each proposal, one to imagine them.
    assert set(seen) <= {63, 64}
    assert len(seen) >= 70


def test_with_64_pending_it_goes_on_from_a_snapshot(problem: Problem) -> None:
    original, restored = Surrogate(problem), Surrogate(problem)
    asked, told = parallel(original, accuracy, 64, 30)
    text = json.dumps(original.snapshot(), allow_nan=False)
    restored.restore(json.loads(text), asked, told)
    assert json.dumps(restored.snapshot()) == text
    pending = [job for job in asked if job not in [job for job, _ in told]]
    for job in pending[:20]:
        for strategy in (original, restored):
            strategy.tell(job, Result(accuracy(job.options)))
        assert original.ask() == restored.ask()
    assert json.dumps(restored.snapshot()) == json.dumps(original.snapshot())


def test_a_full_cache_grows_and_compares_all(table: BudgetTable) -> None:
    encodings = list(table.encodings())
    featurizer = Featurizer(table, encodings)
    small, large = KernelCache(featurizer, 20), KernelCache(featurizer, 80)
    for cut in range(0, 70, 7):
        rows = [cache.add(encodings[cut : cut + 7]) for cache in (small, large)]
        assert sorted(rows[0]) == sorted(set(rows[0]))
    found = [np.array([cache.options.index(o) for o in encodings[:70]]) for cache in (small, large)]
    one, other = (c.pairwise.select(r, r) for c, r in zip((small, large), found, strict=True))
    for name in one.__dataclass_fields__:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-6)


def halved(problem: Problem, full: dict[Options, float], short: dict[Options, float]) -> list[Job]:
    """Return the jobs of a multi-fidelity search up to 19 results at full length."""
    config = StrategyConfig("halving", inner="surrogate", rungs=2, reduction=9)
    strategy = build(config, problem.table, 0, 355, seed=0, epochs=9, chance=0.1)
    jobs: list[Job] = []
    while sum(job.epochs == 9 for job in jobs) < 19:
        jobs.append(strategy.ask())
        known = full if jobs[-1].epochs == 9 else short
        strategy.tell(jobs[-1], Result(known[jobs[-1].options]))
    return jobs


def test_candidates_are_abandoned_where_short_results_predict_full_ones(problem: Problem) -> None:
    """Random accuracies, which short trainings predict, or which nothing predicts."""
    rng = np.random.default_rng(3)
    full, other = (
        {o: 0.4 + 0.4 * rng.random() for o in problem.table.encodings()} for _ in range(2)
    )

    def cut(jobs: list[Job]) -> int:
        return sum(job.epochs == 1 for job in jobs) - sum(job.epochs == 9 for job in jobs)

    telling = halved(problem, full, {options: value - 0.1 for options, value in full.items()})
    silent = halved(problem, full, other)
    assert cut(telling) > 2 * cut(silent)
    # The first were continued whatever their results; every encoding begins at the shortest.
    begun = [job.options for job in telling if job.epochs == 1]
    assert begun[:8] == [job.options for job in telling if job.epochs == 9][:8]
    for i, job in enumerate(telling):
        assert job.epochs == 1 or replace(job, epochs=1) in telling[:i]


def test_in_the_end_every_candidate_is_trained_in_full_at_once(problem: Problem) -> None:
    config = StrategyConfig("halving", inner="surrogate")
    strategy = build(config, problem.table, 0, 355, seed=0, epochs=9, chance=0.1)
    jobs: list[Job] = []
    while sum(job.epochs == 9 for job in jobs) < 30:
        jobs.append(strategy.ask())
        strategy.tell(jobs[-1], Result(accuracy(jobs[-1].options) - 0.2 / jobs[-1].epochs))
    last = jobs[-12:]
    assert [job.epochs for job in last] == [1, 3, 9] * 4
    assert [len({job.options for job in last[i : i + 3]}) for i in (0, 3, 6, 9)] == [1] * 4


def test_hyperparameters_as_logarithms_and_back() -> None:
    logs = PRIOR_MEDIAN.to_log()
    assert logs.shape == (11,)
    found = Hyperparameters.from_log(logs)
    for name, value in vars(PRIOR_MEDIAN).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-12)
    # One vector component, one field.
    for i, name in enumerate(vars(PRIOR_MEDIAN)):
        doubled = Hyperparameters.from_log(logs + np.log(2) * (np.arange(11) == i))
        changed = {n for n in vars(found) if getattr(doubled, n) != getattr(found, n)}
        assert changed == {name}


def test_the_kernel_is_its_formula(cache: KernelCache, table: BudgetTable) -> None:
    """Term by term from the features, for every pair of some encodings."""
    encodings = list(table.encodings())[::37]
    rows = np.array(cache.add(encodings))
    features = Featurizer(table, list(table.encodings()))(encodings)
    h = PRIOR_MEDIAN
    found = gp._kernel(cache.pairwise.select(rows, rows), h)
    for i, j in itertools.product(range(len(encodings)), repeat=2):
        counts = np.square(features.counts[i] - features.counts[j]).sum()
        cost = (features.cost[i] - features.cost[j]) ** 2
        differ = np.mean([a != b for a, b in zip(encodings[i], encodings[j], strict=True)])
        interaction = h.decision_variance * np.exp(-differ / h.decision_lengthscale)
        interaction += h.count_rbf_variance * np.exp(-counts / (2 * h.count_lengthscale**2))
        expected = (
            1.0
            + h.linear_variance * features.linear[i] @ features.linear[j]
            + h.count_variance * features.counts[i] @ features.counts[j]
            + 0.3 * features.cost[i] * features.cost[j]
            + h.cost_variance * np.exp(-cost / (2 * h.cost_lengthscale**2))
            + interaction * np.exp(-cost / (2 * (2 * h.cost_lengthscale) ** 2))
        )
        assert found[i, j] == pytest.approx(expected, rel=1e-5)


def test_the_likelihood_is_that_of_a_normal_distribution(
    cache: KernelCache, table: BudgetTable
) -> None:
    encodings = list(table.encodings())[::13]
    rows = np.array(cache.add(encodings))
    train = cache.pairwise.select(rows, rows)
    values = np.array([accuracy(options) for options in encodings])
    values = (values - values.mean()) / values.std()
    logs = PRIOR_MEDIAN.to_log()
    for noise in (np.zeros(len(rows)), np.linspace(0, 1, len(rows))):
        covariance = gp._train_covariance(train, noise, Hyperparameters.from_log(logs))
        density = stats.multivariate_normal.logpdf(values, cov=covariance)
        constant = 0.5 * len(rows) * np.log(2 * np.pi)
        found = gp._negative_log_posterior(train, values, noise, logs)
        assert found == pytest.approx(-density - constant, rel=1e-6)
        # The prior: half the squared distance of the logarithms.
        away = gp._negative_log_posterior(train, values, noise, logs + 0.1)
        moved = gp._train_covariance(train, noise, Hyperparameters.from_log(logs + 0.1))
        density = stats.multivariate_normal.logpdf(values, cov=moved)
        assert away == pytest.approx(-density - constant + 0.5 * 11 * 0.01, rel=1e-6)


def test_expected_improvement_is_the_mean_over_draws() -> None:
    cost, level = np.array([0.2, 0.6]), np.array([0.4, 0.7])
    mean, deviation = np.array([0.9, 0.5, 1.6]), np.array([0.3, 0.2, 0.4])
    new = np.array([0.1, 0.4, 0.8])
    found = expected_hypervolume_improvement(cost, level, new, mean, deviation, chance=0.1)
    draws = mean + deviation * np.random.default_rng(0).normal(size=(20_000, 3))
    improvement = [
        hypervolume_improvement(cost, level, new, from_negative_log_error(row), chance=0.1)
        for row in draws
    ]
    error = np.std(improvement, axis=0) / np.sqrt(len(draws))
    # The quadrature is inexact at the kinks: allow a tenth of a percent of the area beside 4 sigma.
    assert np.all(np.abs(found - np.mean(improvement, axis=0)) < 4 * error + 0.001)


def test_improvement_is_the_difference_of_areas() -> None:
    """Against the front's area computed by itself, with and without the point."""

    def area(points: list[tuple[float, float]]) -> float:
        grid = np.linspace(0, 1.01, 101_001)[:-1] + 0.5e-5
        height = np.full(len(grid), 0.1)
        for cost, level in points:
            height = np.where(grid >= cost, np.maximum(height, level), height)
        return float(height.mean() * 1.01)

    front = [(0.2, 0.4), (0.6, 0.7)]
    for point in ((0.1, 0.3), (0.3, 0.9), (0.5, 0.35), (0.7, 0.71), (0.0, 0.05)):
        found = hypervolume_improvement(
            np.array([0.2, 0.6]),
            np.array([0.4, 0.7]),
            np.array([point[0]]),
            np.array([point[1]]),
            chance=0.1,
        )
        assert found[0] == pytest.approx(area([*front, point]) - area(front), abs=1e-4)


def test_without_costs_the_improvement_is_that_of_the_best_accuracy() -> None:
    rng = np.random.default_rng(1)
    mean, deviation = rng.normal(1.5, 0.3, 30), 0.1 + 0.4 * rng.random(30)
    posterior = Posterior(
        np.array([0.1, 0.6]), np.array([0.5, 0.8]), rng.random(30), mean, deviation
    )
    draws = from_negative_log_error(mean + deviation * rng.normal(size=(100_000, 1)))
    expected = np.maximum(0.0, draws - 0.8).mean(axis=0)
    found = posterior.of_the_best().expected_improvement(0.1)
    # The one step is as wide as the budget's log-interval, and a hundredth beyond.
    np.testing.assert_allclose(found, 1.01 * expected, atol=0.006)


def test_the_aim_says_where_the_search_looks(problem: Problem) -> None:
    """The more it aims at the best, the better its proposals and the smaller their front's area."""
    area, level = {}, {}
    for aim in ("front", "both", "best"):
        strategy = Surrogate(replace(problem, aim=aim), start=6)
        points = []
        for _ in range(16):
            job = strategy.ask()
            result = Result(interacting(job.options))
            strategy.tell(job, result)
            points.append((job.candidate.multiplies, result.accuracy))
        area[aim] = hypervolume(points, low=100, high=355, chance=0.1)
        level[aim] = np.mean([value for _, value in points[6:]])
    assert area["front"] > area["both"] > area["best"]
    assert level["front"] < level["both"] < level["best"]


def interacting(options: Options) -> float:
    """An accuracy that grows with the cost and with pairs of decisions."""
    rng = np.random.default_rng(5)
    chosen = np.array([option == "yes" for option in options], float)
    effect = chosen @ rng.random(8) + chosen @ rng.normal(size=(8, 8)) @ chosen / 13
    return float(1 - 0.7 * np.exp(-0.35 * (effect + 0.3 * np.log2(1 + chosen @ 2 ** np.arange(8)))))
