"""`confirm.fraction`: a front confirmed on images that chose nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chains import numbers

import search
from search.__main__ import main
from search.config.run import ConfirmConfig, RunConfig
from search.data.dataset import Dataset, Split
from search.engine import evaluator
from search.errors import UserError
from search.executors.local import LocalExecutor
from search.jobs import Job, Result
from search.runner.confirm import confirm, confirmer_of
from search.study.study import Study, StudyInfo
from search.study.trials import Trial

INFO = StudyInfo(1, 10**6, 0, 10**6, 50, True, 0.0, 1, {})
PARTS: dict[str, Split] = {
    name: Split(np.zeros((1, 1, 1, 1), np.uint8), np.zeros(1, np.int32), name)
    for name in ("train", "validation", "confirmation")
}
DATA = Dataset("noise", **PARTS, classes=("a", "b"), mean=(0.5,), std=(0.2,))


class Noise:
    """Every network is right for half of all images; on a part, each has its own luck."""

    precision = "float32"
    notes = ()

    def __init__(self, dataset: Dataset, *_: Any, **__: Any) -> None:
        self.part = dataset.validation

    def __call__(self, job: Job) -> Result:
        own = [int.from_bytes(str(option).encode(), "big") for option in job.options]
        part = int.from_bytes(self.part.fingerprint.encode(), "big")
        luck = np.random.default_rng([*own, part]).normal(0, 0.05)
        of_seed = np.random.default_rng([*own, part, job.seed]).normal(0, 0.01)
        return Result(float(0.5 + luck + of_seed), 0.7)

    def scored_on(self, part: Split, folder: Path | None) -> "Noise":
        return Noise(replace(DATA, validation=part))

    def weights(self, job: Job) -> dict[str, np.ndarray]:
        return {"part": np.frombuffer(self.part.fingerprint.encode(), np.uint8)}


def mean_of_front(number: int, dataset: Dataset) -> list[float]:
    """Confirm the front of 30 networks, and return the mean over seeds of each member."""
    with Study.open(None, {"seed": number}, INFO) as study:
        noise = Noise(dataset)
        for at in range(30):
            job = Job((f"{number}-{at}",), 1, number)
            cost = 1 + (17 * at) % 30
            study.add(Trial(at, job, "1", f"{number:06x}{at:06x}", cost, None, at, noise(job)))
        confirm(study, LocalExecutor(confirmer_of(noise, study, dataset)), 2)
        found: dict[str, list[float]] = {}
        for trial in study.confirmations():
            found.setdefault(trial.arch_id, []).append(trial.result.accuracy)
        return [float(np.mean(values)) for values in found.values()]


def test_only_unseen_images_give_an_unbiased_figure_of_pure_noise() -> None:
    def bias(dataset: Dataset) -> float:
        means = [mean for number in range(80) for mean in mean_of_front(number, dataset)]
        assert len(means) > 200, "too few for the bounds below"
        return float(np.mean(means)) - 0.5

    assert bias(replace(DATA, confirmation=None)) > 0.03
    # Four standard errors of 200 members, each with a deviation of 0.05.
    assert abs(bias(DATA)) < 4 * 0.05 / 200**0.5


def run_digits(outputs: Path, **given: Any) -> search.Outcome:
    return search.run(
        data="digits",
        budget="30k",
        trials=6,
        strategy="random",
        study="s",
        outputs=outputs,
        progress=False,
        **given,
    )


def test_a_study_is_confirmed_on_its_third_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluator, "TrainingEvaluator", Noise)
    found = run_digits(tmp_path, confirm={"seeds": 2, "fraction": 0.1})
    folder = tmp_path / "s"
    with Study.read(folder) as study:
        parts = study.settings["fingerprints"]
        assert len({parts[name] for name in PARTS}) == 3
        assert study.settings["confirm"] == {"fraction": 0.1}
        assert study.info.data["confirmation_images"] == study.info.unseen == 142
        again = study.confirmations()
        for name, trials in (("validation", study.trials()), ("confirmation", again)):
            part = replace(PARTS["train"], fingerprint=parts[name])
            noise = Noise(replace(DATA, validation=part))
            assert [trial.result.accuracy for trial in trials] == [
                noise(trial.job).accuracy for trial in trials
            ]
    content = json.loads((folder / "front.json").read_text())
    assert (content["confirmed"], content["unseen"]) == (True, 142)
    for row in found.front:
        own = [trial.result.accuracy for trial in again if trial.arch_id == row.arch_id]
        assert row.accuracy == pytest.approx(np.mean(own))
    assert main(["front", str(folder)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "on 142 images that the search never saw" in shown
    assert "what the search had measured, on the validation images" in shown
    assert "on 142 images that the search never saw" in (folder / "front.html").read_text()
    assert main(["compare", str(folder)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "confirmed with fresh seeds on images that chose nothing" in shown
    assert "Area at the end: of the confirmed fronts" in shown
    with pytest.raises(UserError, match=r"confirm\.fraction 0\.1 -> 0\.0"):
        run_digits(tmp_path)


def test_another_share_cannot_be_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluator, "TrainingEvaluator", Noise)
    for name, given in (("a", {}), ("b", {"confirm": {"seeds": 1, "fraction": 0.1}})):
        run_digits(tmp_path / name, **given)
    assert main(["compare", str(tmp_path / "a" / "s"), str(tmp_path / "b" / "s")]) == 2
    assert "confirm.fraction is 0.0 and 0.1" in capsys.readouterr().err


def test_a_fraction_without_seeds_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "confirm.fraction=0.1"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "confirm.fraction=0.1 sets images aside" in said
    assert "add confirm.seeds=3" in said


@pytest.mark.parametrize("fraction", [-0.1, 1, 2])
def test_a_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(UserError, match=r"confirm\.fraction=.* at least 0 and below 1"):
        ConfirmConfig(3, fraction)


def test_an_evaluator_of_ones_own_has_no_third_part() -> None:
    with pytest.raises(UserError, match=r"confirm\.fraction=0\.1 sets images aside.*leave it out"):
        search.run(
            space=numbers(2, 2, end=1),
            budget=9,
            evaluator=lambda job: 0.5,
            confirm={"seeds": 1, "fraction": 0.1},
        )


def test_nothing_changes_without_a_fraction() -> None:
    assert RunConfig().settings()["confirm"] == {"fraction": 0.0}
    assert RunConfig(confirm=ConfirmConfig(3)).settings() == RunConfig().settings()
