"""The loop of a search, with a small chain, a strategy that learns, and an evaluator by formula."""

import contextlib
import errno
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from chains import numbers

from search.errors import Interrupted, UserError
from search.executors.local import LocalExecutor, evaluate
from search.jobs import Exhausted, Infeasible, Job, Result, failed
from search.runner.loop import Rules, Runner
from search.study.study import Study, StudyInfo
from search.study.tables import export
from search.study.trials import Trial

# Three digits of 0 to 3; the price is their sum plus one.
CHAIN = numbers(3, 3, end=1)


class Learner:
    """Proposes by a generator that every tell stirs: any slip in order or content shows."""

    def __init__(self, seed: int = 0, limit: int = 10_000) -> None:
        self.rng = np.random.default_rng(seed)
        self.told: list[tuple[Job, Result]] = []
        self.left = limit

    def ask(self) -> Job:
        if not self.left:
            raise Exhausted("nothing is left")
        self.left -= 1
        return Job(tuple(int(n) for n in self.rng.integers(0, 4, 3)), epochs=2, seed=0)

    def tell(self, job: Job, result: Result) -> None:
        self.told.append((job, result))
        if not math.isnan(result.accuracy):
            self.rng.random(int(result.accuracy * 100))


def accuracy(job: Job) -> Result:
    return Result(accuracy=(1 + sum(int(o) for o in job.options)) / 12, loss=0.5, seconds=2.0)


FACTS = StudyInfo(1, 10, 0, 10, 64, True, 0.0, 2, {})


def search(
    folder: Path | None,
    rules: Rules,
    evaluator: object = accuracy,
    learner: Learner | None = None,
    ahead: int = 0,
) -> tuple[list[Trial], str]:
    learner = learner or Learner()
    with Study.open(folder, {"ahead": ahead}, FACTS) as study:
        runner = Runner(study, CHAIN, learner, LocalExecutor(evaluator), rules)  # type: ignore[arg-type]
        ended = runner.run()
        trials = study.trials()
        export(study, trials)
    return trials, ended.reason


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_trials_are_asked_after_a_fixed_number_of_tells(ahead: int) -> None:
    learner = Learner()
    trials, reason = search(None, Rules(0, 10, ahead, trials=12), learner=learner)
    assert reason == "trials"
    assert [t.asked_after for t in trials] == [max(0, n - ahead) for n in range(12)]
    assert [job for job, _ in learner.told] == [t.job for t in trials]


@pytest.mark.parametrize("ahead", [0, 1, 3])
@pytest.mark.parametrize("cut", [1, 4, 9])
def test_an_interrupted_study_goes_on_as_if_it_had_not_been(
    tmp_path: Path, ahead: int, cut: int
) -> None:
    rules = Rules(0, 10, ahead, trials=15)
    whole, _ = search(tmp_path / "whole", rules)
    calls = 0

    def cut_short(job: Job) -> Result:
        nonlocal calls
        calls += 1
        if calls > cut:
            raise KeyboardInterrupt
        return accuracy(job)

    part, reason = search(tmp_path / "part", rules, cut_short)
    assert reason == "interrupted"
    assert part == whole[: len(part)]
    resumed, reason = search(tmp_path / "part", rules)
    assert (resumed, reason) == (whole, "trials")
    for name in ("trials.csv", "front.csv"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_more_trials_extend_a_study_to_what_a_long_one_is(tmp_path: Path) -> None:
    long, _ = search(None, Rules(0, 10, 2, trials=20))
    search(tmp_path / "s", Rules(0, 10, 2, trials=7))
    extended, _ = search(tmp_path / "s", Rules(0, 10, 2, trials=20))
    assert extended == long


def test_done_trials_are_not_run_again(tmp_path: Path) -> None:
    rules = Rules(0, 10, trials=5)
    search(tmp_path / "s", rules)

    def never(job: Job) -> Result:
        raise AssertionError(job)

    trials, reason = search(tmp_path / "s", rules, never)
    assert reason == "trials"
    assert all(trial.result.status == "ok" for trial in trials)


def test_the_same_training_runs_once() -> None:
    seen: list[Job] = []

    def noted(job: Job) -> Result:
        seen.append(job)
        return accuracy(job)

    trials, _ = search(None, Rules(0, 10, 3, trials=150), noted)
    assert len(seen) == len(set(seen)) == len({t.arch_id for t in trials})
    for trial in trials:
        if trial.same_as is not None:
            first = trials[trial.same_as]
            assert first.same_as is None
            assert (first.arch_id, first.result.accuracy) == (
                trial.arch_id,
                trial.result.accuracy,
            )
            assert trial.result.seconds == 0


def test_hours_count_the_recorded_seconds(tmp_path: Path) -> None:
    rules = Rules(0, 10, hours=7 / 3600)
    trials, reason = search(tmp_path / "s", rules)
    assert (len(trials), reason) == (4, "hours")
    again, reason = search(tmp_path / "s", rules)
    assert (again, reason) == (trials, "hours")
    more, _ = search(tmp_path / "s", Rules(0, 10, hours=11 / 3600))
    assert len(more) == 6


def test_exhaustion_ends_the_search() -> None:
    trials, reason = search(None, Rules(0, 10, 4), learner=Learner(limit=6))
    assert (len(trials), reason) == (6, "exhausted")


def test_failures_are_recorded_and_the_search_goes_on() -> None:
    def moody(job: Job) -> Result | float:
        kind = sum(int(o) for o in job.options) % 4
        if kind == 0:
            raise RuntimeError("two\nlines")
        if kind == 1:
            return math.nan
        return Result(0.5) if kind == 2 else failed("it said so")

    trials, reason = search(None, Rules(0, 10, trials=40), moody)
    assert reason == "trials"
    errors = {t.result.error for t in trials if t.result.status == "failed"}
    assert "RuntimeError: two lines" in errors
    assert "it said so" in errors
    assert any("accuracy is nan" in error for error in errors)


def test_ten_failures_in_a_row_stop_it_and_the_same_command_tries_on(tmp_path: Path) -> None:
    def diverges(job: Job) -> Result:
        return failed("the loss is nan")

    trials, reason = search(tmp_path / "s", Rules(0, 10), diverges)
    assert (len(trials), reason) == (10, "failures")
    more, reason = search(tmp_path / "s", Rules(0, 10, trials=25))
    assert reason == "trials"
    assert more[:10] == trials


@pytest.mark.parametrize("before", [0, 4])
def test_ten_exceptions_in_a_row_are_facts_about_nobody(tmp_path: Path, before: int) -> None:
    rules = Rules(0, 10, 1, trials=25)
    whole, _ = search(None, rules)
    calls = 0

    def breaks(job: Job) -> Result:
        nonlocal calls
        calls += 1
        if calls > before:
            raise RuntimeError("no luck")
        return accuracy(job)

    trials, reason = search(tmp_path / "s", rules, breaks)
    assert (trials, reason) == (whole[:before], "failures")
    mended, reason = search(tmp_path / "s", rules)
    assert (mended, reason) == (whole, "trials")


def test_an_exception_between_successes_is_the_candidates(tmp_path: Path) -> None:
    def moody(job: Job) -> Result:
        if job.options[0] == 3:
            raise ValueError("three is too much")
        return accuracy(job)

    trials, reason = search(tmp_path / "s", Rules(0, 10, trials=20), moody)
    assert reason == "trials"
    assert {t.result.status for t in trials if t.job.options[0] == 3} == {"failed"}
    assert search(tmp_path / "s", Rules(0, 10, trials=20), moody)[0] == trials


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1234 bytes"),
        MemoryError(),
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "table.csv"),
        ConnectionResetError("the worker is gone"),
        OSError(errno.EIO, os.strerror(errno.EIO)),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        caused(RuntimeError("the training failed"), MemoryError()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_surroundings_that_fail_are_tried_again_and_never_recorded(
    tmp_path: Path, error: Exception
) -> None:
    rules = Rules(0, 10, 1, trials=8)
    whole, _ = search(None, rules)
    calls = 0

    def once(job: Job) -> Result:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise error
        return accuracy(job)

    assert search(tmp_path / "once", rules, once) == (whole, "trials")

    def lasting(job: Job) -> Result:
        nonlocal calls
        calls += 1
        if calls >= 4:
            raise error
        return accuracy(job)

    calls = 0
    trials, reason = search(tmp_path / "lasting", rules, lasting)
    assert (trials, reason, calls) == (whole[:3], "surroundings", 5)
    assert search(tmp_path / "lasting", rules) == (whole, "trials")


def test_infeasible_candidates_are_stored_and_no_failures_in_a_row(tmp_path: Path) -> None:
    def never(job: Job) -> Result:
        raise Infeasible("it does not fit the chip")

    trials, reason = search(tmp_path / "s", Rules(0, 10, trials=25), never)
    assert (len(trials), reason) == (25, "trials")
    assert {(t.result.status, t.result.error) for t in trials} == {
        ("infeasible", "it does not fit the chip")
    }


@pytest.mark.parametrize("value", [60, 95.0, -0.1, 1.0001])
def test_percents_are_refused(value: float) -> None:
    with pytest.raises(UserError, match="percent"):
        search(None, Rules(0, 10, trials=3), lambda job: value)


def test_a_full_disk_stops_it_and_condemns_no_candidate(tmp_path: Path) -> None:
    calls = 0

    def full(job: Job) -> Result:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return accuracy(job)

    rules = Rules(0, 10, 1, trials=8)
    with pytest.raises(UserError, match="No space left"):
        search(tmp_path / "s", rules, full)
    resumed, _ = search(tmp_path / "s", rules)
    assert resumed == search(None, rules)[0]


@pytest.mark.parametrize("ahead", [0, 2])
def test_trials_of_other_code_are_kept_and_told(tmp_path: Path, ahead: int) -> None:
    before, _ = search(tmp_path / "s", Rules(0, 10, ahead, trials=5), ahead=ahead)
    learner, notes = Learner(seed=1), list[str]()
    with Study.open(tmp_path / "s", {"ahead": ahead}, FACTS) as study:
        rules = Rules(0, 10, ahead, trials=12)
        runner = Runner(study, CHAIN, learner, LocalExecutor(accuracy), rules, note=notes.append)
        assert runner.run().reason == "trials"
        after = study.trials()
    assert after[:5] == before
    assert [job for job, _ in learner.told] == [trial.job for trial in after]
    # What it offered in place of the first stored trial is the first that it adds.
    assert after[5].job == Learner(seed=1).ask()
    (note,) = notes
    assert "trial 0 was recorded by other code" in note


def test_a_strategy_that_ends_early_now_keeps_what_is_stored(tmp_path: Path) -> None:
    before, _ = search(tmp_path / "s", Rules(0, 10, trials=8))
    after, reason = search(tmp_path / "s", Rules(0, 10, trials=9), learner=Learner(limit=3))
    assert (after, reason) == (before, "exhausted")


def test_a_strategy_that_leaves_the_budget_is_refused() -> None:
    with pytest.raises(UserError, match="outside the budget of 0 to 3"):
        search(None, Rules(0, 3, trials=20))


def test_an_interrupt_that_a_callback_swallowed_still_ends_the_search() -> None:
    def swallow(job: Job) -> Result:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return accuracy(job)

    with Study.open(None, {}, FACTS) as study:
        ended = Runner(
            study, CHAIN, Learner(), LocalExecutor(swallow), Rules(0, 10, trials=9)
        ).run()
        assert (ended.reason, ended.signal) == ("interrupted", signal.SIGTERM)
        assert len(study.trials()) == 1


def test_ended_says_what_the_user_must_know() -> None:
    def stop(job: Job) -> Result:
        raise KeyboardInterrupt

    with Study.open(None, {}, FACTS) as study:
        ended = Runner(study, CHAIN, Learner(), LocalExecutor(stop), Rules(0, 10)).run()
    with pytest.raises(Interrupted, match="same command goes on"):
        ended.check(0)


@pytest.mark.parametrize("outcome", [np.ones(2), Result(math.inf), Result("high")])  # type: ignore[arg-type]
def test_what_is_no_number_is_no_success(outcome: object) -> None:
    result = evaluate(lambda job: outcome, Job(()))  # type: ignore[arg-type, return-value]
    assert result.status == "failed"
    assert result.error
    assert "\n" not in result.error


@pytest.mark.parametrize("outcome", ["0.5", None, 1j])
def test_an_evaluator_that_returns_another_type_stops_the_run(outcome: object) -> None:
    """A fault of the evaluator, not of the candidate: nothing is recorded."""
    with pytest.raises(UserError, match=r"the evaluator returned .*; it must return") as raised:
        evaluate(lambda job: outcome, Job(()))  # type: ignore[arg-type, return-value]
    assert repr(outcome) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_plain_number_is_an_accuracy() -> None:
    assert evaluate(lambda job: np.float32(0.5), Job(())).accuracy == 0.5  # type: ignore[return-value, arg-type]


def test_the_next_job_is_prepared_while_one_runs() -> None:
    class Noting:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def prepare(self, job: Job) -> None:
            self.seen.append(f"prepare {job.seed}")

        def __call__(self, job: Job) -> Result:
            self.seen.append(f"run {job.seed}")
            return Result(0.5)

    evaluator = Noting()
    local = LocalExecutor(evaluator)
    for seed in range(3):
        local.submit(seed, Job((), seed=seed))
    assert [local.next()[0] for _ in range(3)] == [0, 1, 2]
    assert evaluator.seen == ["prepare 1", "run 0", "prepare 2", "run 1", "run 2"]
