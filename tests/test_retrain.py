"""The front trained again with fresh seeds: which, how often, and what is said of it."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chains import PriceList

from search.api import Outcome, run
from search.errors import Interrupted, UserError
from search.executors.local import LocalExecutor
from search.jobs import Infeasible, Job, Result, failed
from search.pareto import front
from search.runner.confirm import confirm
from search.study.confirmation import confirmed, due, fresh_seeds
from search.study.study import Study, StudyInfo
from search.study.tables import export, read_front
from search.study.trials import Trial, front_entries

FACTS = StudyInfo(1, 10**6, 0, 10**6, 50, True, 0.0, 4, {})
SETTINGS = {"seed": 7}


def noisy(job: Job) -> Result:
    """Accuracy by cost, and noise that depends on architecture and seed alone."""
    cost = int(job.options[0])
    noise = np.random.default_rng((cost, job.seed)).normal(0, 0.05)
    return Result(float(np.clip(0.1 * np.log(cost) + noise, 0, 1)), 0.3, 1.5)


def trial(number: int, cost: int, evaluate: Callable[[Job], Result] = noisy) -> Trial:
    job = Job((cost,), 4, 7)
    value, arch = json.dumps({"cost": cost}), f"{cost:012x}"
    return Trial(number, job, value, arch, cost, None, number, evaluate(job))


def search(folder: Path | None, count: int = 30) -> Study:
    study = Study.open(folder, SETTINGS, FACTS)
    for number in range(len(study.trials()), count):
        study.add(trial(number, 100 + 37 * (number * 11 % 30)))
    return study


def test_fresh_seeds_are_consecutive_and_never_the_searchs() -> None:
    seeds = fresh_seeds(7, [7], 3)
    assert seeds == [seeds[0], seeds[0] + 1, seeds[0] + 2]
    assert all(7 != seed < 2**31 for seed in seeds)
    assert fresh_seeds(7, [7], 5)[:3] == seeds
    assert fresh_seeds(8, [8], 3)[0] != seeds[0]
    assert fresh_seeds(7, seeds, 3) == [seeds[2] + 1, seeds[2] + 2, seeds[2] + 3]


def test_the_front_is_that_of_the_means_over_fresh_seeds(tmp_path: Path) -> None:
    with search(tmp_path / "s") as study:
        before, sure = study.front(study.trials())
        assert not sure
        assert confirm(study, LocalExecutor(noisy), 3) == 3 * len(before)
        found, sure = study.front(study.trials())
        seeds = study.confirm_seeds
        export(study, study.trials())
    assert sure
    means = {
        row.arch_id: np.mean([noisy(Job(row.options, 4, seed)).accuracy for seed in seeds])
        for row in before
    }
    points = [(row.multiplies, float(means[row.arch_id])) for row in before]
    assert [row.arch_id for row in found] == [before[i].arch_id for i in front(points)]
    searched = {row.arch_id: row for row in before}
    for row in found:
        assert row.accuracy == pytest.approx(means[row.arch_id])
        assert row.search_accuracy == searched[row.arch_id].accuracy
        assert (row.seeds, row.seed) == (3, seeds[0])
        assert row.job == Job(row.options, 4, seeds[0])
        assert row.accuracy_std > 0
        assert row.trial == searched[row.arch_id].trial
    assert len(found) < len(before), "this noise must drop one, or the test shows nothing"
    rows = list(csv.DictReader((tmp_path / "s" / "front.csv").read_text().splitlines()))
    assert [float(row["search_accuracy"]) for row in rows] == pytest.approx(
        [row.search_accuracy for row in found], abs=1e-5
    )
    assert [row["seeds"] for row in rows] == ["3"] * len(found)
    assert (tmp_path / "s" / "confirmations.csv").read_text().count("\n") == 3 * len(before) + 1
    content, again = read_front(tmp_path / "s")
    assert content["confirmed"]
    assert again == found
    (tmp_path / "s" / "study.db").unlink()
    assert [repr(row) for row in read_front(tmp_path / "s")[1]] == [repr(row) for row in found]


@pytest.mark.parametrize("cut", [0, 1, 4, 8])
def test_a_killed_confirmation_goes_on_where_it_was(tmp_path: Path, cut: int) -> None:
    with search(tmp_path / "whole") as whole:
        confirm(whole, LocalExecutor(noisy), 3)
        expected = whole.front(whole.trials())
    calls: list[Job] = []

    def killed(job: Job) -> Result:
        if len(calls) == cut:
            raise KeyboardInterrupt
        calls.append(job)
        return noisy(job)

    with search(tmp_path / "part") as part:
        with pytest.raises(Interrupted, match=f"after {cut} of .* the same command goes on"):
            confirm(part, LocalExecutor(killed), 3)
        # Until all are there the front is the search's own.
        assert not part.front(part.trials())[1]
    with search(tmp_path / "part") as part:
        seen: list[Job] = []

        def noted(job: Job) -> Result:
            seen.append(job)
            return noisy(job)

        confirm(part, LocalExecutor(noted), 3)
        assert part.front(part.trials()) == expected
        assert not set(seen) & set(calls)
        assert confirm(part, LocalExecutor(noisy), 3) == 0


def test_more_seeds_go_on_with_fewer(tmp_path: Path) -> None:
    with search(None) as study:
        first = confirm(study, LocalExecutor(noisy), 2)
        seeds = study.confirm_seeds
        assert confirm(study, LocalExecutor(noisy), 3) == first // 2
        assert study.confirm_seeds[:2] == seeds
        assert {row.seeds for row in study.front(study.trials())[0]} == {3}
        assert confirm(study, LocalExecutor(noisy), 1) == 0
        assert {row.seeds for row in study.front(study.trials())[0]} == {3}


def test_a_longer_search_needs_its_new_members_alone(tmp_path: Path) -> None:
    with search(tmp_path / "s", 10) as study:
        confirm(study, LocalExecutor(noisy), 3)
        known = {t.arch_id for t in study.confirmations()}
    with search(tmp_path / "s", 30) as study:
        trials = study.trials()
        rows = front_entries(trials, 4)
        new = {row.arch_id for row in rows} - known
        assert new
        found, sure = study.front(trials)
        assert (found, sure) == (rows, False)
        assert confirm(study, LocalExecutor(noisy), 3) == 3 * len(new)
        assert study.front(trials)[1]


def test_an_architecture_that_fails_once_leaves_the_front() -> None:
    with search(None) as study:
        victim = front_entries(study.trials(), 4)[0]
        calls = iter(range(1000))

        def moody(job: Job) -> Result:
            fails = job.options == victim.options and next(calls) == 1
            return failed("loss is NaN") if fails else noisy(job)

        confirm(study, LocalExecutor(moody), 3)
        found, sure = study.front(study.trials())
        assert sure
        assert victim.arch_id not in {row.arch_id for row in found}
        assert confirm(study, LocalExecutor(moody), 3) == 0


def test_where_all_fail_the_searchs_front_stays() -> None:
    def never(job: Job) -> Result:
        raise Infeasible("no luck")

    with search(None) as study:
        confirm(study, LocalExecutor(never), 2)
        found, sure = study.front(study.trials())
        assert (found, sure) == (front_entries(study.trials(), 4), False)


@pytest.mark.parametrize("message", ["CUDA out of memory", "no luck"])
def test_a_cause_that_is_mended_leaves_no_trace(message: str) -> None:
    def broken(job: Job) -> Result:
        raise RuntimeError(message)

    with search(None) as study, search(None) as whole:
        with pytest.raises(UserError, match=f"{message}.*the same command"):
            confirm(study, LocalExecutor(broken), 3)
        assert study.confirmations() == []
        assert confirm(study, LocalExecutor(noisy), 3) == confirm(whole, LocalExecutor(noisy), 3)
        assert study.confirmations() == whole.confirmations()
        assert study.front(study.trials()) == whole.front(whole.trials())
        assert study.front(study.trials())[1]


def test_ten_diverged_trainings_in_a_row_stop_a_confirmation() -> None:
    with search(None) as study:
        with pytest.raises(UserError, match="last 10 candidates failed"):
            confirm(study, LocalExecutor(lambda job: failed("the loss is nan")), 3)
        assert len(study.confirmations()) == 10


def test_short_trainings_and_other_seeds_are_no_confirmation() -> None:
    trials = [trial(0, 100), trial(1, 200)]
    again = [replace(trial(0, 100), job=Job((100,), 4, 1000))]
    assert confirmed(trials, 4, again, [1000]) is None
    assert [t.job.options for t in due(trials, 4, again, [1000])] == [(200,)]
    assert confirmed(trials, 4, again, []) is None
    alone = confirmed(trials[:1], 4, again, [1000])
    assert alone is not None
    assert math.isnan(alone[0].accuracy_std)


class SideBySide:
    """An evaluator that gains from evaluating the seeds of a candidate together."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.groups: list[int] = []
        self.breaks = breaks

    def __call__(self, job: Job) -> Result:
        return noisy(job)

    def side_by_side(self, job: Job) -> bool:
        return True

    def together(self, jobs: Sequence[Job]) -> list[Result]:
        assert len({job.options for job in jobs}) == 1
        self.groups.append(len(jobs))
        if self.breaks:
            raise RuntimeError("too much memory for all at once")
        return [noisy(job) for job in jobs]


@pytest.mark.parametrize("breaks", [False, True])
def test_the_seeds_of_an_entry_are_trained_together_where_that_gains(breaks: bool) -> None:
    evaluator = SideBySide(breaks=breaks)
    with search(None) as study, search(None) as alone:
        entries = len(front_entries(study.trials(), 4))
        assert confirm(study, LocalExecutor(evaluator), 3) == 3 * entries
        assert evaluator.groups == [3] * entries
        confirm(alone, LocalExecutor(noisy), 3)
        assert study.front(study.trials()) == alone.front(alone.trials())


def test_seeds_that_failed_together_are_recorded_one_by_one() -> None:
    class Stops(SideBySide):
        def __call__(self, job: Job) -> Result:
            if self.calls == 2:
                raise KeyboardInterrupt
            self.calls += 1
            return noisy(job)

        calls = 0

    with search(None) as study:
        with pytest.raises(Interrupted, match="stopped after 2 of"):
            confirm(study, LocalExecutor(Stops(breaks=True)), 3)
        assert len(study.confirmations()) == 2


def test_each_training_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with search(None) as study:
        count = confirm(study, LocalExecutor(noisy), 2, lambda trial, n, of: told.append((n, of)))
    assert told == [(n + 1, count) for n in range(count)]


def test_ones_own_search_is_confirmed_too(tmp_path: Path) -> None:
    def search_it(confirm: int) -> Outcome:
        return run(
            space=PriceList({cost: cost for cost in range(1, 61)}),
            budget=60,
            evaluator=noisy,
            trials=30,
            study=tmp_path / "s",
            confirm=confirm,
        )

    plain = search_it(0)
    assert all(row.seeds == 1 for row in plain.front)
    sure = search_it(3)
    assert sure.trials == plain.trials
    assert {row.arch_id for row in sure.front} <= {row.arch_id for row in plain.front}
    assert all(row.seeds == 3 and row.seed != 0 for row in sure.front)
    # What was confirmed stays so when nobody asks again.
    assert search_it(0).front == sure.front
