"""Studies of format 1 open, go on and keep their ids; what was changed in format 2 is found."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import search
from search.errors import UserError
from search.files import canonical_json
from search.jobs import Job, Option, Options, Result
from search.study.study import Study
from search.study.tables import read_front
from search.study.trials import FORMAT

KEPT = Path(__file__).parent / "format1"
PRICES: dict[Option, int] = {"é": 1, "ß": 2, "木": 4, 7: 8}


class Names:
    """The space of the kept study `own`; its values hold letters beyond ASCII."""

    def start(self) -> int:
        return 0

    def options(self, position: int, state: int) -> Sequence[Option]:
        return ("é", "ß", "木", 7) if position < 3 else ()

    def step(self, position: int, state: int, option: Option) -> tuple[int, int]:
        return 0, PRICES[option]

    def finish(self, state: int) -> int:
        return 10

    def value(self, options: Options) -> dict[str, list[str]]:
        return {"größe": [str(option) for option in options]}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return shutil.copytree(KEPT / "own", tmp_path / "own")


def version(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "study.db")) as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


@pytest.mark.parametrize(("name", "count"), [("own", 16), ("digits", 3)])
def test_a_study_of_format_1_reads_as_it_was_written(name: str, count: int) -> None:
    content = json.loads((KEPT / name / "front.json").read_text())
    before = (KEPT / name / "study.db").read_bytes()
    read, found = read_front(KEPT / name)
    assert read == {**content, "study": name}
    assert read["trials"] == count
    assert [row.arch_id for row in found] == [member["arch_id"] for member in content["members"]]
    assert version(KEPT / name) == 1
    assert (KEPT / name / "study.db").read_bytes() == before, "a reader changes nothing"


def test_ids_are_hashes_of_the_text_that_is_read(own: Path) -> None:
    with Study.read(own) as study:
        trials = study.trials()
    assert any("größe" in str(json.loads(trial.value)) for trial in trials)
    for trial in trials:
        assert hashlib.sha256(trial.value.encode()).hexdigest()[:12] == trial.arch_id
        assert trial.value == canonical_json(json.loads(trial.value))
        assert (trial.format, trial.computed) == (1, {})


@pytest.mark.parametrize("name", ["own", "digits"])
def test_format_1_becomes_format_2_when_the_study_goes_on(tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(KEPT / name, tmp_path / name)
    with Study.read(folder) as study:
        before = (study.info, study.settings, study.trials(), study.confirmations())
        front = study.front(study.trials())
    with Study.open(folder, before[1], before[0]) as study:
        assert (study.info, study.settings, study.trials(), study.confirmations()) == before
    assert version(folder) == FORMAT
    with Study.read(folder) as study:
        assert (study.info, study.settings, study.trials(), study.confirmations()) == before
        assert study.front(study.trials()) == front


def test_a_refused_study_of_format_1_is_not_touched(own: Path) -> None:
    with Study.read(own) as study:
        info, settings = study.info, {**study.settings, "seed": 4}
    before = (own / "study.db").read_bytes()
    with pytest.raises(UserError, match="seed 3 -> 4"):
        Study.open(own, settings, info)
    assert (own / "study.db").read_bytes() == before


def test_a_kill_while_migrating_leaves_format_1(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from search.study.database import Database

    with Study.read(own) as study:
        info, settings, trials = study.info, study.settings, study.trials()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_insert", killed)
        with pytest.raises(KeyboardInterrupt):
            Study.open(own, settings, info)
    assert version(own) == 1
    with Study.read(own) as study:
        assert study.trials() == trials


def test_a_search_of_format_1_goes_on_and_tries_failures_of_the_surroundings_again(
    own: Path,
) -> None:
    with Study.read(own) as study:
        before, again = study.trials(), study.confirmations()
    lost = [trial for trial in again if trial.retryable]
    kept = [trial for trial in again if trial.result.status != "ok" and not trial.retryable]
    assert [trial.result.error for trial in lost] == [
        "RuntimeError: RESOURCE_EXHAUSTED: Out of memory"
    ]
    assert [trial.result.error for trial in kept] == ["RuntimeError: the loss is NaN at größe 5"]
    asked: list[Job] = []

    def evaluate(job: Job) -> Result:
        asked.append(job)
        return Result(min(1.0, 0.2 + sum(PRICES[o] for o in job.options) / 40), 0.5, 0.01)

    found = search.run(
        space=Names(), budget=30, evaluator=evaluate, trials=18, strategy="random", study=own,
        seed=3, confirm=1,
    )  # fmt: skip
    assert found.trials[:16] == before
    assert {trial.format for trial in found.trials[16:]} == {FORMAT}
    with Study.read(own) as study:
        assert [trial.format for trial in study.confirmations()[:12]] == [1] * 12
        assert {trial.format for trial in study.confirmations()[12:]} == {FORMAT}
    # Two new trials, the one that ran out of memory, and new members of the front.
    fresh = [job for job in asked if job.seed != 3]
    assert lost[0].job in fresh
    assert not {trial.job for trial in kept} & set(fresh)
    assert lost[0].arch_id in {row.arch_id for row in found.front}


def test_failures_since_format_2_are_a_candidates_own() -> None:
    with Study.read(KEPT / "own") as study:
        (lost,) = [trial for trial in study.confirmations() if trial.retryable]
    assert not replace(lost, format=FORMAT).retryable
    assert not replace(lost, result=Result(0.5)).retryable


def test_numbers_as_keys_keep_their_order_and_their_id(tmp_path: Path) -> None:
    class Keys(Names):
        def value(self, options: Options) -> dict[int, str]:  # type: ignore[override]
            return {10: str(options[0]), 9: str(options[1]), 8: str(options[2])}

    arguments = {"space": Keys(), "budget": 40, "trials": 5, "strategy": "random"}
    found = search.run(**arguments, evaluator=lambda job: 0.5, study=tmp_path / "s")  # type: ignore[arg-type]
    for trial in found.trials:
        assert hashlib.sha256(trial.value.encode()).hexdigest()[:12] == trial.arch_id


def test_a_setting_that_came_later_has_had_its_default(tmp_path: Path) -> None:
    from search.config.run import RunConfig
    from search.study.info import StudyInfo

    info = StudyInfo(100, 10**6, 0, 10_000, 50, True, 0.1, 8, {})
    settings = RunConfig().settings()
    older = {**settings, "train": {k: v for k, v in settings["train"].items() if k != "warmup"}}
    Study.open(tmp_path / "s", older, info).close()
    Study.open(tmp_path / "s", settings, info).close()
    settings["train"]["warmup"] = 3.0
    with pytest.raises(UserError, match=r"train\.warmup \(absent\) -> 3\.0"):
        Study.open(tmp_path / "s", settings, info)


def test_before_there_was_an_aim_it_was_the_front(tmp_path: Path) -> None:
    from search.config.run import RunConfig
    from search.study.info import StudyInfo

    info = StudyInfo(100, 10**6, 0, 10_000, 50, True, 0.1, 8, {})
    settings = RunConfig().settings()
    older = {key: value for key, value in settings.items() if key != "aim"}
    Study.open(tmp_path / "s", older, info).close()
    with pytest.raises(UserError, match=r"aim \(absent\) -> both"):
        Study.open(tmp_path / "s", settings, info)
    Study.open(tmp_path / "s", RunConfig(aim="front").settings(), info).close()


def test_facts_of_a_later_version_are_read(own: Path) -> None:
    with Study.read(own) as study:
        facts, settings, info = study.info.as_json(), study.settings, study.info
    with Study.open(own, settings, info) as study:
        study._database.set_meta({"facts": {**facts, "objective": "accuracy"}, "later": [1]})
    with Study.read(own) as study:
        assert study.info == info
    with Study.open(own, settings, info) as study:
        assert study._database.meta()["facts"]["objective"] == "accuracy", "kept for who knows it"
