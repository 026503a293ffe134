"""`convbudget retrain`: trained on everything else, read once, kept, shown where it belongs."""

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from search.__main__ import main
from search.data.open import open_dataset, open_test
from search.engine.evaluator import TrainingEvaluator
from search.errors import UserError
from search.executors.local import LocalExecutor
from search.export import unit
from search.export.load import find
from search.finals import images as final_images
from search.finals import retrain as retraining
from search.finals.trainer import FinalTrainer
from search.report.finals import final_lines
from search.study.study import Study, StudyInfo
from search.study.tables import read_front

sys.path.insert(0, str(Path(__file__).parent))
import page_studies
from final_study import make_study, networks, write_images

BEST = networks()[1].id


def retrain(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert main(["retrain", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_final_is_read_once_and_shown_where_it_belongs(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def spy(found: final_images.FinalImages, console: object):
        # All seeds are trained by then.
        opened.append(len([*(study / "checkpoints").glob("final-*/*.npz")]))
        return open_test(found.config)

    monkeypatch.setattr(final_images, "open_test_part", spy)
    (final,) = retrain(capsys, str(study), "--seeds", "2", "--epochs", "1")
    assert opened == [2]
    assert (final["arch_id"], final["epochs"], final["seeds"]) == (BEST, 1, 2)
    assert (final["reading"], final["from"], final["teacher"]) == (1, "scratch", None)
    assert not [*(study / "checkpoints").glob("final-*")]
    with Study.read(study) as read:
        config = final_images.data_of(read)
        assert not {trial.job.seed for trial in read.trials()} & set(final["seed_numbers"])
    dataset, test = open_dataset(config, seed=0), open_test(config)
    data = final["data"]
    assert data["train_images"] == len(dataset.train) + len(dataset.validation) == 24
    assert (data["test_images"], data["test"]) == (len(test), test.fingerprint)
    assert np.sum(final["confusion"]) == 2 * len(test)

    # The unit holds the first seed's weights, and its predictions are those that were counted.
    from search.engine.predict import logits

    packed = unit.read(study / final["folder"])
    mean, std = packed.data["mean"], packed.data["std"]
    (scores,) = logits(packed.arch, [packed.arrays], test.images, mean, std)
    assert (scores.argmax(1) == test.labels).mean() == final["accuracies"][0]
    assert packed.measured.seed == final["seed_numbers"][0]
    assert packed.accuracy == final["accuracy"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FinalTrainer, "begin", lambda *_: pytest.fail("trained again"))
        (again,) = retrain(capsys, str(study), "--seeds", "2", "--epochs", "1")
    assert again == final
    assert opened == [2]

    (second,) = retrain(capsys, str(study), "--seeds", "1", "--epochs", "1")
    assert second["reading"] == 2
    assert second["folder"] != final["folder"]
    assert unit.read(study / final["folder"]).measured == packed.measured
    assert unit.read(study / second["folder"]).measured.seeds == 1
    # The weights and figures that stand for the network are not chosen by the test part.
    assert find(study).path == packed.path
    content, rows = read_front(study)
    assert [one["reading"] for one in content["finals"]] == [1, 2]
    assert "finals_on_other_data" not in content
    assert [row.accuracy for row in rows] == [0.6, 0.7]
    table = list(csv.DictReader((study / "front.csv").read_text().splitlines()))
    assert [row["test_reading"] for row in table] == ["", "1"]
    assert [row["test_seeds"] for row in table] == ["", "2"]
    assert float(table[1]["test_accuracy"]) == pytest.approx(final["accuracy"], abs=1e-6)
    assert json.loads((study / "front.json").read_text())["finals"] == content["finals"]
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["front", str(study)]) == 0
    printed = capsys.readouterr().out
    accuracy, spread = final["accuracy"], final["accuracy_std"]
    assert f"{accuracy:.4f} ± {spread:.4f} (1 epoch)" in printed
    assert "test: accuracy on the test part after" in printed
    # A narrow terminal breaks the test figure, so that the decisions have room.
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["front", str(study)]) == 0
    assert "decisions" in capsys.readouterr().out
    assert "Of a network that was read more than once this is the first" in " ".join(
        printed.split()
    )
    assert "(2nd reading)" in "".join(final_lines(second))
    assert '"reading":1' in (study / "front.html").read_text()


def test_a_stopped_call_goes_on_and_trains_nothing_again(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["retrain", str(study), "--id", networks()[0].id, "--seeds", "2", "--epochs", "1"]
    trained = []
    following = LocalExecutor.next

    def stopping(self: LocalExecutor):
        if trained:
            raise KeyboardInterrupt
        trained.append(1)
        return following(self)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingEvaluator, "at_once", 1)
        patch.setattr(LocalExecutor, "next", stopping)
        assert main(words) == 130
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "stopped after 1 of 2 final trainings, all of them kept" in said
    assert len([*(study / "checkpoints").glob("final-*/*.npz")]) == 1
    assert not (study / "finals").exists()
    assert main(words) == 0
    assert "going on: 1 of 2 trainings have checkpoints" in capsys.readouterr().out


@pytest.mark.slow
def test_a_network_of_the_zoo_is_as_wide_as_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_study(write_images(tmp_path / "images", size=(32, 32)), tmp_path / "large")
    words = [str(folder), "--zoo", "mobilenet_v1@300k", "--seeds", "1", "--epochs", "1"]
    (final,) = retrain(capsys, *words)
    assert final["name"].startswith("mobilenet_v1 x0.")
    assert final["multiplies"] <= 300_000
    assert main(["front", str(folder)]) == 0
    assert final["name"] in capsys.readouterr().out


def test_other_data_has_a_new_head_and_stands_apart(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_images(tmp_path / "other", ("a", "b", "c"), (8, 7), "RGB")
    words = ["data=folder", f"data.path={other}", "--from", "weights", "--seeds", "1"]
    assert main(["retrain", str(study), *words, "--epochs", "1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "other is other data than the study's" in said
    assert f"{BEST} in the search: " in said
    assert "within the study's budget of 50k" in said
    assert "3 begun anew: classifier.bias, classifier.kernel, stem.kernel" in said
    content, _ = read_front(study)
    (final,) = content["finals_on_other_data"]
    assert "finals" not in content
    assert (final["data"]["name"], final["data"]["classes"]) == ("other", ["a", "b", "c"])
    assert final["origin"] == BEST
    table = list(csv.DictReader((study / "front.csv").read_text().splitlines()))
    assert "test_accuracy" not in table[0]
    assert (study / final["folder"] / "model.safetensors").exists()
    # No final of the study's own data.
    assert find(study).measured.part == "validation"


def test_a_teacher_of_the_front_teaches(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--id", networks()[0].id[:6], "--seeds", "1", "--epochs", "1"]
    (plain,) = retrain(capsys, str(study), *words)
    assert main(["retrain", str(study), *words, "--teacher", BEST[:8]]) == 0
    said = capsys.readouterr().out
    assert f"teacher {BEST}: its search weights" in said
    assert "loss with soft labels" in said
    assert "training loss" not in said
    (taught,) = retrain(capsys, str(study), *words, "--teacher", BEST[:8])
    assert (taught["teacher"]["name"], taught["teacher"]["temperature"]) == (BEST, 4.0)
    assert taught["reading"] == 2
    assert not math.isclose(taught["nll"], plain["nll"], rel_tol=1e-6)


def test_a_teacher_that_is_trained_itself_is_the_same_once_more(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [str(study), "--all", "--seeds", "1", "--epochs", "1", "--teacher", BEST]
    finals = retrain(capsys, *words)
    assert [one["arch_id"] for one in finals] == [one.id for one in networks()]
    monkeypatch.setattr(FinalTrainer, "begin", lambda *_: pytest.fail("trained again"))
    assert retrain(capsys, *words) == finals


class Killed(BaseException):
    """What no code catches, as a kill."""


def test_a_call_killed_while_it_reads_goes_on_from_the_same_weights(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [str(study), "--all", "--from", "weights", "--seeds", "1", "--epochs", "1"]
    left, leaving = [], retraining._leave_unit

    def leave_one(*arguments) -> None:
        if left:
            raise Killed
        left.append(arguments)
        leaving(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(retraining, "_leave_unit", leave_one)
        with pytest.raises(Killed):
            main(["retrain", *words])
    capsys.readouterr()
    with Study.read(study) as read:
        (first,) = read.finals()
    assert len([*(study / "checkpoints").glob("final-*/*.npz")]) == 2
    monkeypatch.setattr("search.engine.trainer.Trainer.fit", lambda *_: pytest.fail("trained"))
    finals = retrain(capsys, *words)
    assert finals[0] == first
    assert len(finals) == 2
    assert not [*(study / "checkpoints").glob("final-*")]


def test_what_a_kill_left_beside_the_teachers_checkpoint_is_swept(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    # A small one takes less time than a published one.
    monkeypatch.setattr("search.networks.zoo.network", lambda *_, **__: networks()[0])
    words = ["--seeds", "1", "--epochs", "1", "--teacher", "zoo:cifar_resnet20"]
    with monkeypatch.context() as patch:
        patch.setattr(unit, "save", killed)
        with pytest.raises(Killed):
            main(["retrain", str(study), *words])
    capsys.readouterr()
    (place,) = (study / "checkpoints").glob("teacher-*")
    (place / ".writing-0123456789abcdef").write_bytes(b"half of it")
    (final,) = retrain(capsys, str(study), *words)
    assert final["teacher"]["name"] == "zoo:cifar_resnet20"
    assert not [*(study / "checkpoints").glob("teacher-*")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--at", "10"], "--at 10: nothing on the front of study costs so little; the cheapest"),
        (["--at", "much"], "--at=much is not a number; write a positive integer"),
        (["--id", BEST[:-1] + "x"], f"is not on the front of study; did you mean {BEST}?"),
        (["--id", ""], "is not on the front of study"),
        (["--seeds", "0"], "--seeds 0 must be an integer from 1 to 100"),
        (["--epochs", "0"], "--epochs 0 must be an integer from 1 to 1000000"),
        (["--epochs", "x"], "--epochs: invalid int value: 'x'"),
        (["--all", "--at", "1k"], "--at and --all each choose networks"),
        (["--temperature", "2"], "--temperature has no effect without --teacher"),
        (["--teacher", BEST, "--temperature", "0"], "--temperature 0 must be above 0"),
        (["--teacher", BEST, "--teacher-weight", "2"], "--teacher-weight 2 must be above 0"),
        (["--teacher", "zoo:resnet81"], "'resnet81' is not a network of the zoo"),
        (["--teacher", "no/such/folder"], "no/such/folder is not the folder of a saved model"),
        (["--teacher", "123456789abc"], "123456789abc is not on the front of study"),
        (["--teacher", "nope"], "nope is not on the front of study; known are"),
        (["--teacher", "nope"], "is an ID of the front, zoo:NAME, or the FOLDER of a saved model"),
        (["--teacher", "outputs"], "--teacher outputs is not a saved model; a teacher is an ID of"),
        (["--teacher", "x" * 5000], "is not on the front of study"),
        (["--zoo", "mobilenet_v9"], "'mobilenet_v9' is not a network of the zoo"),
        (["--zoo", "cifar_resnet20@1k"], "multiplies at width 0.01, above 1k"),
        (
            ["--zoo", "mobilenet_v2@60k"],
            "needs larger images than 6x5; of the zoo these fit: c",
        ),
        (["--teacher", "zoo:resnet18"], "resnet18 needs larger images than 6x5; of the zoo these"),
        (["--zoo", "mobilenet_v1", "--from", "weights"], "--from weights has no effect with"),
        (["train.batch=3"], "train.batch=3 is not about the data"),
        (["cache.program=x"], "cache.program=x is not about the data; retrain takes"),
        (["cache.programs=" + "x" * 5000], "has 5000 bytes; a path has at most"),
        (["data.pth=x"], "data.pth is not a key; did you mean path"),
        (["data.path=nowhere"], "data.path=nowhere"),
        (["--sedes", "3"], "has no option --sedes; did you mean --seeds"),
    ],
)
def test_bad_words_are_one_line_and_leave_nothing(
    study: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in study.rglob("*")}
    assert main(["retrain", str(study), *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert {path: path.stat().st_mtime_ns for path in study.rglob("*")} == before


def test_compiled_programs_are_kept_where_it_is_told(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVBUDGET_CACHE", str(tmp_path / "cache"))
    short = [str(study), "--seeds", "1", "--epochs"]
    (first,) = retrain(capsys, *short, "1", "cache.programs=null")
    assert first["data"]["own"], "the word about programs is none about the data"
    assert not (tmp_path / "here").exists()
    retrain(capsys, *short, "2", "cache.programs=here")
    assert [*(tmp_path / "here").rglob("*")]
    assert not [*(tmp_path / "cache").glob("programs*")]


def test_bad_studies_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*words: str) -> str:
        assert main(["retrain", *words]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        return captured.err

    images = write_images(tmp_path / "images")
    study = make_study(images, tmp_path / "study")
    three = write_images(tmp_path / "three", ("a", "b", "c"))
    other = make_study(three, tmp_path / "outputs" / "three")
    (other_id,) = [row.arch_id for row in read_front(other)[1]][-1:]
    saved = tmp_path / "unit"
    from search.export.weights import unpack

    unit.save(saved, unpack(other / "weights" / f"{other_id}.safetensors"))
    assert "a teacher must know the same classes" in refused(str(study), "--teacher", str(saved))
    assert "is not on the front of study" in refused(str(study), "--teacher", "")
    larger = make_study(write_images(tmp_path / "larger", size=(9, 9)), tmp_path / "outputs" / "l")
    row = read_front(larger)[1][0]
    unit.save(tmp_path / "big", unpack(larger / "weights" / f"{row.arch_id}.safetensors"))
    said = refused(str(study), "--teacher", str(tmp_path / "big"))
    assert "reads images of 9x9x1, and these are 6x5x1" in said
    with Study.read(study) as read:
        settings, info = read.settings, read.info
    assert "add data.path=FOLDER" in refused(str(make_bare(tmp_path / "bare", settings, info)))
    with Study.open(tmp_path / "empty", settings, info) as made:
        made.write("config.yaml", f"data: {{path: {images}}}\n")
    assert "empty has no front yet" in refused(str(tmp_path / "empty"))
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "front.json").write_text((study / "front.json").read_text())
    assert "keeps tables alone" in refused(str(tmp_path / "tables"))
    untested = write_images(tmp_path / "untested", parts=("train",))
    (untested / "test").mkdir()
    assert "test" in refused(str(study), "data=folder", f"data.path={untested}", "data.test=exam")
    foreign = write_images(tmp_path / "foreign", ("cat", "dog", "emu"))
    said = refused(str(study), f"data.path={foreign}")
    assert "is not the study's own data; write data=folder data.path=… for other data" in said
    assert "finals" not in read_front(study)[0]
    moved = write_images(tmp_path / "moved")
    with Study.read(study) as read:
        there = final_images.data_of(read, {"path": str(moved)})
        found = final_images.open_images(read, there, Console(), other=False, moved="data.path=")
    assert found.own
    (images / "train" / "cat" / "00.png").unlink()
    assert "is no longer what the search read" in refused(str(study))
    images.rename(images.with_name("gone"))
    assert "images" in refused(str(study))


def test_a_busy_study_is_waited_for(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Study.read(study) as read:
        settings, info = read.settings, read.info
    with Study.open(study, settings, info):
        assert main(["retrain", str(study)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "wait for it to end, then try again" in said
    assert "study=" not in said


def test_a_folder_is_no_place_of_a_data_set_that_was_none(tmp_path: Path) -> None:
    settings = {"data": {"name": "digits"}, "train": {}}
    with (
        Study.open(tmp_path / "digits", settings, page_studies.info()) as made,
        pytest.raises(UserError, match="searched digits; write data=folder"),
    ):
        final_images.data_of(made, {"path": "nope"})


def make_bare(folder: Path, settings: dict, info: StudyInfo) -> Path:
    """A study that lacks its config.yaml, which says where its images lie."""
    Study.open(folder, settings, info).close()
    return folder


def test_studies_without_networks_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import search

    class Numbers:
        def start(self):
            return 0

        def options(self, position, state):
            return range(3) if position == 0 else ()

        def step(self, position, state, option):
            return option, option + 1

        def finish(self, state):
            return 1

        def value(self, options):
            return list(options)

    search.run(
        space=Numbers(), budget=9, evaluator=lambda job: 0.5, trials=2, study=tmp_path / "own"
    )
    assert main(["retrain", str(tmp_path / "own")]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "made with an evaluator of one's own" in captured.err
    assert main(["retrain", "nowhere"]) == 2


def test_a_training_that_fails_reads_nothing(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.jobs import failed

    following = LocalExecutor.next
    monkeypatch.setattr(TrainingEvaluator, "at_once", 1)
    monkeypatch.setattr(
        LocalExecutor, "next", lambda self: (self._waiting.popleft()[0], failed("it diverged"))
    )
    monkeypatch.setattr(final_images, "open_test_part", lambda *_: pytest.fail("was read"))
    assert following is not LocalExecutor.next
    assert main(["retrain", str(study), "--epochs", "1"]) == 2
    assert "failed with seed" in capsys.readouterr().err
    assert "finals" not in read_front(study)[0]


def test_a_final_that_breaks_a_rule_is_refused(study: Path) -> None:
    with Study.read(study) as read:
        settings, info = read.settings, read.info
    with Study.open(study, settings, info) as made:
        made.record("final", "x", {"arch_id": "../../x"})
    with pytest.raises(UserError, match=r"study\.db is damaged \(final\[0\]\.arch_id"):
        read_front(study)


def test_a_final_never_leads_out_of_its_study(study: Path) -> None:
    with Study.read(study) as read:
        settings, info = read.settings, read.info
    with Study.open(study, settings, info) as made:
        made.record("final", "x", {**page_studies.final(BEST), "folder": "finals/../../x"})
    with pytest.raises(UserError, match=r"final\[0\]\.folder must be a folder of finals/"):
        read_front(study)
