"""Known networks trained beside a search: recorded, shown, gone on with, and never its trials."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from chains import numbers
from rich.console import Console

import search
from search.errors import Interrupted, UserError
from search.jobs import Job, Result
from search.networks.arch import Arch, Input
from search.networks.cost import multiplies_of
from search.networks.zoo import names
from search.report.table import landmark_rows, show
from search.runner.landmarks import within
from search.study.study import Study
from search.study.tables import read_front

# The ResNets of CIFAR with 20, 32 and 44 layers cost that little on digits; two more are scaled.
BUDGET = "7M"
FIT = [f"cifar_resnet{depth}" for depth in (20, 32, 44, 56, 110)]


class Deep:
    """Evaluates at once, by the depth of the network; counts."""

    def __init__(self, fail: dict[int, BaseException | Result] | None = None) -> None:
        self.fail, self.seen = fail or {}, list[str]()

    def __call__(self, job: Job) -> Result:
        arch = job.candidate.value
        assert isinstance(arch, Arch)
        depth = len(arch.blocks)
        self.seen.append(arch.id)
        # The blocks of ResNets, which no space chooses.
        told = self.fail.get(depth) if arch.blocks and arch.blocks[0].op == "basic" else None
        if isinstance(told, BaseException):
            raise told
        return told or Result(0.5 + depth / 200, 0.7, 2.0, details={"balanced_accuracy": 0.4})


def run(study: Path | None, evaluator: Deep, **arguments: Any) -> search.Outcome:
    words = {"budget": BUDGET, "strategy": "random", "trials": 1, "epochs": 4, "zoo": True}
    return search.run(
        data="digits", space="small", evaluator=evaluator, study=study, **{**words, **arguments}
    )


def test_landmarks_are_recorded_and_shown_but_no_trials(tmp_path: Path) -> None:
    plain = run(None, Deep())
    found = run(tmp_path / "study", Deep())
    assert len(found.trials) == 1
    assert [t.job for t in found.trials] == [t.job for t in plain.trials]
    names = [one["name"] for one in found.content["landmarks"]]
    assert sorted(names) == sorted(FIT)
    first = found.content["landmarks"][names.index("cifar_resnet20")]
    wanted = {"width": 1.0, "multiplies": 2_532_992, "epochs": 4, "seed": 0, "accuracy": 0.545}
    assert {key: first[key] for key in wanted} == wanted
    front = (tmp_path / "study" / "front.csv").read_text()
    ids = {one["arch_id"] for one in found.content["landmarks"]}
    assert ids.isdisjoint(row.arch_id for row in found.front)
    assert not any(one in front for one in [*ids, *FIT])
    stored = json.loads((tmp_path / "study" / "front.json").read_text())
    content, rows = read_front(tmp_path / "study")
    assert content == stored == found.content
    assert rows == found.front
    log = (tmp_path / "study" / "run.log").read_text()
    assert "landmark 3/5  cifar_resnet44  seed 0  accuracy 0." in log
    assert "no landmark: mobilenet_v2 at width 1.0 and input 8x8x1: blocks[6].stride is 2" in log
    console = Console(width=200)
    with console.capture() as shown:
        show(console, content, rows)
    assert shown.get().index(rows[-1].arch_id) < shown.get().index("cifar_resnet20")
    assert landmark_rows(content)[1][:3] == ("cifar_resnet20", "1", "2.533M")


def test_an_interrupted_run_goes_on_with_the_next_landmark(tmp_path: Path) -> None:
    # 15 blocks: the second of five.
    with pytest.raises(Interrupted, match="after 1 of 5 landmarks, all of them kept"):
        run(tmp_path / "study", Deep({15: KeyboardInterrupt()}))
    again = Deep()
    found = run(tmp_path / "study", again)
    assert {one["name"] for one in found.content["landmarks"]} == {*FIT}
    assert len(again.seen) == 4
    done = Deep()
    assert run(tmp_path / "study", done).content == found.content
    assert done.seen == []


def test_a_failed_landmark_is_kept_with_its_reason_and_not_tried_again(tmp_path: Path) -> None:
    failing = {9: Result(math.nan, status="failed", error="the loss is nan")}
    found = run(tmp_path / "study", Deep(failing))
    assert {one["name"] for one in found.content["landmarks"]} == {*FIT[1:]}
    assert "the loss is nan" in (tmp_path / "study" / "run.log").read_text()
    with Study.read(tmp_path / "study") as study:
        errors = {one.name: one.error for one in study.landmarks()}
        assert errors == dict.fromkeys(FIT, "") | {FIT[0]: "the loss is nan"}
    done = Deep()
    run(tmp_path / "study", done)
    assert done.seen == []
    damaged(tmp_path / "study")


def test_a_loss_that_is_not_finite_is_recorded_as_unknown(tmp_path: Path) -> None:
    found = run(tmp_path / "study", Deep({9: Result(0.5, math.inf)}))
    (first,) = (one for one in found.content["landmarks"] if one["name"] == FIT[0])
    assert (first["accuracy"], first["loss"]) == (0.5, None)
    with Study.read(tmp_path / "study") as study:
        losses = {one.name: one.loss for one in study.landmarks()}
    assert math.isnan(losses[FIT[0]])


def damaged(folder: Path) -> None:
    """Check that a landmark which cannot be one is named, in the database and in `front.json`."""
    path = folder / "front.json"
    content = json.loads(path.read_text())
    with Study.read(folder) as study:
        info, settings, kept = study.info, study.settings, study.records("landmark")
    with Study.open(folder, settings, info) as study:
        study.record("landmark", FIT[0], {**kept[FIT[0]], "width": "wide"})
    with pytest.raises(UserError, match=r"study\.db.*cifar_resnet20\.width"):
        read_front(folder)
    (folder / "study.db").unlink()
    content["landmarks"][1]["arch_id"] = "../../x"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"front\.json.*landmarks\[1\]\.arch_id"):
        read_front(folder)


def test_failing_surroundings_stop_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its surroundings failed at every try"):
        run(tmp_path / "study", Deep({9: OSError("a lost disk")}))
    with Study.read(tmp_path / "study") as study:
        assert study.landmarks() == []
        assert len(study.trials()) == 1


def test_networks_are_scaled_into_the_budget_or_named_with_the_reason() -> None:
    found, _ = within(0, 400_000, Input(28, 28, 1), 10)
    widths = {one.name: one.width for one in found}
    assert widths.keys() == {*names()}
    assert all(0 < width < 1 for width in widths.values())
    assert all(multiplies_of(one.arch) <= 400_000 for one in found)
    _, reasons = within(0, 300_000, Input(28, 28, 1), 10)
    assert any(
        "mobilenet_v2 costs 352.3k multiplies at width 0.01, above 300k" in r for r in reasons
    )
    found, reasons = within(8_000_000, 20_000_000, Input(28, 28, 1), 10)
    assert all(8_000_000 <= multiplies_of(one.arch) <= 20_000_000 for one in found)
    assert {"mobilenet_v1", "cifar_resnet20", "resnet18"} <= {one.name for one in found}
    assert any("mobilenet_v2 costs 5.598M multiplies, below 8M" in line for line in reasons)


def test_without_images_there_is_nothing_to_train_them_on() -> None:
    with pytest.raises(UserError, match="zoo=true trains known networks on images"):
        search.run(space=numbers(4, 4, end=10), budget=20, evaluator=lambda _: 0.5, zoo=True)
