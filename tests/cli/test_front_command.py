"""`convbudget front --watch`, `--serve` and `--to optuna`, with a study as a run leaves it."""

import io
import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from search.__main__ import main
from search.cli.completion import complete
from search.cli.watch import follow
from search.errors import UserError
from search.jobs import Job, Result, failed
from search.report.live import LiveStudy
from search.report.serve import _Handler, _Server, serving
from search.study.study import Study, StudyInfo, locate
from search.study.trials import Trial

INFO = StudyInfo(100, 10_000, 0, 5_000, 40, True, 0.1, 8, {})


def trial(number: int, result: Result, epochs: int = 8) -> Trial:
    job = Job(("conv", number), epochs)
    return Trial(number, job, f'["{number}"]', f"{number:012x}", 1000 + number, 7, number, result)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Study.open(tmp_path / "seen", {"seed": 0}, INFO) as study:
        study.add(trial(0, Result(0.5, 0.7, 2.0, details={"balanced_accuracy": 0.4})))
        study.add(trial(1, Result(0.75, 0.6, 1.0)))
        study.add(trial(2, Result(0.25, 0.9, 0.5), epochs=2))
        study.add(trial(3, failed("the loss is nan", 0.5)))
    return tmp_path / "seen"


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, height=40)


@pytest.mark.parametrize("terminal", [True, False])
def test_watch_shows_trials_as_they_arrive_and_ends_with_the_run(
    folder: Path, *, terminal: bool
) -> None:
    shown = console(terminal=terminal)
    running = Study.open(folder, {"seed": 0}, INFO)
    looks: list[int] = []

    def sleep(_: float) -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            running.add(trial(4, Result(0.875, 0.5, 1.0)))
        elif len(looks) == 3:
            running.close()

    follow(folder, shown, watch=True, port=None, sleep=sleep)
    text = shown.file.getvalue()
    assert looks == [0, 1, 2]
    assert "running: process" in text
    assert "5 trials, best 0.8750" in text
    assert text.count("Hypervolume") == 1


def test_watch_of_a_study_without_a_run_shows_it_and_ends(folder: Path) -> None:
    shown = console(terminal=False)
    follow(folder, shown, watch=True, port=None, sleep=lambda _: pytest.fail("nothing to wait for"))
    assert "Front of seen: 2 of 4 trials" in shown.file.getvalue()


def test_ctrl_c_ends_watching_without_a_message(folder: Path) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    shown = console(terminal=False)
    with Study.open(folder, {"seed": 0}, INFO):
        follow(folder, shown, watch=True, port=None, sleep=interrupted)
    assert "Traceback" not in shown.file.getvalue()


def fetched(address: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        return answer.read().decode()


def test_the_page_is_served_and_renewed_on_this_machine_only(folder: Path) -> None:
    with serving(LiveStudy(folder), 0) as address:
        assert address.startswith("http://127.0.0.1:")
        assert "/front.html" in fetched(address)
        before = fetched(f"{address}front.html")
        state = json.loads(fetched(f"{address}state"))
        assert (state["trials"], state["writer"]) == (4, None)
        assert "fetch" in fetched(f"{address}live.js")
        assert fetched(f"{address}live.css")
        with Study.open(folder, {"seed": 0}, INFO) as study:
            study.add(trial(4, Result(0.875, 0.5, 1.0)))
            again = json.loads(fetched(f"{address}state"))
            assert again["trials"] == 5
            assert again["writer"].startswith("process")
            assert again["stamp"] != state["stamp"]
            assert fetched(f"{address}front.html") != before
        for path, headers, code in (
            ("x", {}, 404),
            ("../study.db", {}, 404),
            ("state", {"Host": "evil.example"}, 403),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                fetched(f"{address}{path}", **headers)
            assert refused.value.code == code
            refused.value.close()


def test_a_study_that_cannot_be_read_any_more_is_an_answer(folder: Path) -> None:
    with serving(LiveStudy(folder), 0) as address:
        (folder / "study.db").unlink()
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetched(f"{address}state")
        assert refused.value.code == 503
        assert "not a study" in refused.value.read().decode()
        refused.value.close()


def test_a_browser_that_went_away_is_not_a_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        for error in (BrokenPipeError(), ConnectionResetError()):
            try:
                raise error
            except ConnectionError:
                server.handle_error(None, ("127.0.0.1", 1))
        assert capsys.readouterr().err == ""
        try:
            raise ValueError("a fault of ours")
        except ValueError:
            server.handle_error(None, ("127.0.0.1", 1))
    assert "a fault of ours" in capsys.readouterr().err


LATENCY = {
    "arch_id": "053708d29267",
    "multiplies": 7680,
    "runtime": "own_runtime",
    "batch": 1,
    "platform": "cpu",
    "device": "x",
    "threads": 2,
    "calls": 9,
    "median": 0.5,
    "lower": 0.4,
    "upper": 0.6,
}
LANDMARK = {
    "name": "known",
    "width": 1,
    "arch_id": "0" * 12,
    "multiplies": 9000,
    "params": 100,
    "accuracy": 0.5,
    "balanced_accuracy": None,
    "loss": None,
    "epochs": 1,
    "seed": 0,
    "seconds": 1,
    "status": "ok",
    "error": "",
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"latency": [LATENCY]}, 0),
        # As a later version may write it.
        ({"latency": [LATENCY | {"median_of": 3}]}, 0),
        ({"landmarks": [LANDMARK]}, 0),
        ({"landmarks": [LANDMARK | {"accuracy": None}]}, 2),
        ({"facts": {"class_counts": ["a"]}}, 2),
    ],
)
def test_tables_alone_are_shown_or_refused_in_one_line(
    change: dict[str, Any], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((locate("digits") / "front.json").read_text())
    content["facts"]["data"] |= change.pop("facts", {})
    (tmp_path / "front.json").write_text(json.dumps(content | change))
    assert main(["front", str(tmp_path)]) == code
    error = capsys.readouterr().err
    assert error.count("\n") == (code == 2)
    assert ("front.json" in error) == (code == 2)


def test_a_port_in_use_is_one_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(UserError, match=f"port {port} is in use; give another"),
            serving(LiveStudy(folder), port),
        ):
            pass


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--json", "--watch"], "exclude each other"),
        (["--picture", "a.png", "--watch"], "exclude each other; leave out --watch, or --picture"),
        (["--page", "a.html", "--to", "optuna", "x.db"], "leave out --to, or --page"),
        (["--page", "a.html", "--serve"], "leave out --serve, or --page"),
        (["--picture", "a.png", "--page", "a.html", "--json"], "or --picture and --page"),
        (["--serve", "70000"], "'70000' is not a port"),
        (["--serve", "x"], "'x' is not a port"),
        (["--to", "excel", "x"], "--to excel is unknown; known is optuna"),
        (["--study-name", "x"], "no effect without --to"),
        (["{folder}", "--watch"], "2 studies are given"),
    ],
)
def test_bad_words_are_one_line(
    words: list[str], line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["front", str(folder), *(word.format(folder=folder) for word in words)]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_watching_what_is_not_a_study_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["front", str(tmp_path), "--watch"]) == 2
    assert "is not a study" in capsys.readouterr().err


def test_optuna_reads_what_is_exported(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optuna = pytest.importorskip("optuna")
    place = tmp_path / "x.db"
    assert main(["front", str(folder), "--to", "optuna", str(place)]) == 0
    assert f"4 trials in sqlite:///{place}, study seen" in capsys.readouterr().out
    storage = optuna.storages.RDBStorage(f"sqlite:///{place}")
    study = optuna.load_study(study_name="seen", storage=storage)
    assert study.metric_names == ["accuracy", "multiplies"]
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    states = [one.state.name for one in study.trials]
    assert states == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL"]
    first, *_, last = study.trials
    assert first.values == [0.5, 1000.0]
    assert first.params == {"decision 00": "conv", "decision 01": 0}
    assert first.user_attrs["balanced_accuracy"] == 0.4
    assert first.user_attrs["front"] is True
    assert first.duration.total_seconds() == pytest.approx(2.0)
    assert last.user_attrs["error"] == "the loss is nan"
    assert {one.user_attrs["arch_id"] for one in study.best_trials} == {f"{n:012x}" for n in (0, 1)}
    assert main(["front", str(folder), "--to", "optuna", f"sqlite:///{place}"]) == 2
    assert "holds a study 'seen' already" in capsys.readouterr().err
    assert len(study.trials) == 4
    assert main(["front", str(folder), "--to", "optuna", str(place), "--study-name", "again"]) == 0
    storage.remove_session()
    storage.engine.dispose()


@pytest.mark.parametrize("storage", ["{folder}/none/x.db", "nothing://x"])
def test_a_storage_that_cannot_be_written_is_one_line(
    storage: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    words = ["front", str(folder), "--to", "optuna", storage.format(folder=folder)]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "cannot be written by Optuna" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("convbudget front x --to o", ["optuna "]),
        ("convbudget export x --to on", ["onnx "]),
        ("convbudget latency x --ba", ["--batch "]),
        ("convbudget run experiment=qui", ["experiment=quick "]),
        ("convbudget run logger=te", ["logger=tensorboard "]),
    ],
)
def test_words_are_completed(line: str, offered: list[str]) -> None:
    assert complete(line) == offered
