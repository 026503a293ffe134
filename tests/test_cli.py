"""The command line: what it prints, how it refuses, and what it leaves."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from search.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail as a user's mistake does; return its line."""
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert list(Path.cwd().iterdir()) == []
    return captured.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run budgt=200k", "budgt is not a key; did you mean budget"),
        ("run -m budgt=50k,100k", "budgt is not a key; did you mean budget"),
        ("run -m seed=0,1 budgt=50k", "budgt is not a key; did you mean budget"),
        ("run data.nme=x", "data.nme is not a key; did you mean data.name"),
        ("run learning_rate=1", "did you mean train.learning_rate?"),
        ("run dta=digits", "dta is not a key; did you mean data?"),
        ("run space=smal", "space=smal is not a config; did you mean small"),
        ("run -m space=smal,small", "space=smal is not a config; did you mean small"),
        ("run strategy=randm", "strategy=randm is not a config; did you mean random"),
        ("run +budgt=1", "budgt is not a key; did you mean budget"),
        ("run ++space.foo=1", "space.foo is not a key"),
        ("run trials=many", "trials=many must be an integer from 1"),
        ("run trials=0", "trials=0 must be an integer from 1 to 1000000000, or null for no limit"),
        ("run hours=-1", "hours=-1.0 must be a number above 0, or null for no limit"),
        ("run epochs=0", "epochs=0 must be an integer from 1 to"),
        (
            "run epochs=99999999999999999999",
            "epochs=99999999999999999999 must be an integer from 1 to",
        ),
        ("run epochs=1 strategy=halving", "give epochs=3 or another strategy"),
        ("run budget=null", "budget=null is not a value of the right type (field 'budget' is not"),
        ("run space.ops=conv", "space.ops=conv must be a list, such as [conv]"),
        ("run space=[small]", "space=[small] names several configs at once; choose one"),
        ("run data=digitz", "data.name=digitz is not a data set that TFDS knows"),
        ("run seed=-1", "seed=-1 must be an integer from 0"),
        ("run budget=many", "budget=many is not a number"),
        ("run budget=0", "budget=0 leaves nothing"),
        ("run budget=-5k", "budget=-5k is negative"),
        ("run budget=0.5", "budget=0.5 is not a whole number"),
        ("run budget=5k budget_low=6k", "budget_low=6k is above budget=5k"),
        ("run budget=50k,100k", "budget=50k,100k has several values; add -m"),
        ("run budget", "budget cannot be read; write KEY=VALUE"),
        ("run =3", "has no key"),
        ("run --budget 3", "convbudget run has no option --budget"),
        ("run --config-dir nowhere", "--config-dir/-cd: nowhere is not a folder"),
        ("run study=a/b", "study=a/b cannot name a folder"),
        ("run executor.name=cloud", "executor.name=cloud is unknown; known are local, ray"),
        ("run budget=5k", "a budget of 5k is below the cheapest architecture of the space"),
        (
            "run space=medium budget=10k",
            "give at least 54.47k; space=question has 31,298 networks within that budget",
        ),
        ("run data.flip=3", "data.flip=3 must be true or false"),
        ("run -m zoo=false,2", "zoo=2 must be true or false"),
        ("export digits --to onnx --at bad", "--at=bad is not a number; write"),
        ("compare digits --at bad", "--at=bad is not a number; write"),
        ("front digits --picture /nodir/x.svg", "/nodir is not a folder; name one that exists"),
        ("front digits --page /nodir/x.html", "/nodir is not a folder; name one that exists"),
        ("front nowhere", "nowhere is not the folder of a study"),
        ("front", "the following arguments are required"),
        ("fornt x", "'fornt' is not a command; did you mean front"),
        ("space budgt=5", "budgt is not a key; did you mean budget"),
        ("space budget=5k", "a budget of 5k is below the cheapest architecture"),
    ],
)
def test_a_mistake_is_one_line(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refused(words.split(), capsys)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "wdths: [8]",
            "space/mine has wdths, which is not a key; did you mean space.widths",
        ),
        ("ops: [conv", "a config is not valid YAML: while parsing"),
    ],
)
def test_a_mistake_in_an_own_config_is_one_line(
    content: str,
    said: str,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = tmp_path_factory.mktemp("own")
    (own / "space").mkdir()
    (own / "space" / "mine.yaml").write_text(content)
    assert said in refused(["run", "--config-dir", str(own), "space=mine"], capsys)


def test_a_budget_below_the_cheapest_names_its_cost_and_the_architecture(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = refused(["run", "budget=5k"], capsys)
    assert "give at least 7.68k" in line
    assert "separable" in line


def test_a_job_of_a_sweep_that_fails_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("one", "two"):
        Path("outputs", name).mkdir(parents=True)
        Path("outputs", name, "notes.txt").touch()
    assert main(["run", "-m", "study=one,two", "trials=1", "epochs=1"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert ["outputs/one is" in lines[0], "outputs/two is" in lines[1]] == [True, True]
    assert lines[2] == "convbudget: 2 of 2 jobs failed: one, two"


def test_no_job_of_a_sweep_starts_where_a_budget_has_no_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = refused(["run", "-m", "budget=20k,1k", "seed=0,1", "trials=1", "epochs=1"], capsys)
    assert "a budget of 1k is below the cheapest architecture" in line
    assert list(Path.cwd().iterdir()) == []


def test_a_folder_that_is_no_study_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("outputs/mine").mkdir(parents=True)
    Path("outputs/mine/notes.txt").touch()
    assert main(["run", "study=mine"]) == 2
    assert "outputs/mine is not a study: it holds 'notes.txt'" in capsys.readouterr().err
    assert [p.name for p in Path("outputs/mine").iterdir()] == ["notes.txt"]


def test_an_emptied_study_is_refused_rather_than_overwritten(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("outputs/mine").mkdir(parents=True)
    Path("outputs/mine/study.db").touch()
    Path("outputs/mine/front.csv").write_text("kept")
    assert main(["run", "study=mine"]) == 2
    assert "it holds 'front.csv' and an empty study.db" in capsys.readouterr().err
    assert {path.name for path in Path("outputs/mine").iterdir()} == {"front.csv", "study.db"}


def test_a_corrupt_study_is_named_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    Path("outputs/mine").mkdir(parents=True)
    path = Path("outputs/mine/study.db")
    path.write_bytes(b"no database" * 1000)
    for words in (["run", "study=mine"], ["front", "outputs/mine"]):
        assert main(words) == 2
        assert "outputs/mine/study.db is corrupt" in capsys.readouterr().err
    assert path.read_bytes() == b"no database" * 1000


def test_a_folder_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("outputs").touch()
    assert main(["run"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_traceback_is_shown_when_asked_for() -> None:
    from search.errors import UserError

    with pytest.raises(UserError):
        main(["front", "nowhere", "--traceback"])


@pytest.mark.parametrize("words", ["--help", "run --help", "front --help", "cost --help"])
def test_help_needs_few_modules(words: str) -> None:
    """Half a second is the limit, which importing is nearly all of."""
    code = (
        "import sys; before = set(sys.modules); from search.__main__ import main;"
        f"main({words.split()!r}); print(*(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "usage: convbudget" in done.stdout
    imported = set(done.stderr.split())
    own = {name for name in imported if name.partition(".")[0] == "search"}
    strangers = {name.partition(".")[0] for name in imported - own} - sys.stdlib_module_names
    assert strangers == set()
    assert len(imported) < 200


def test_every_command_stands_apart_from_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, (_, text) in COMMANDS.items():
        assert re.search(rf"^  {name}  +{re.escape(text)}$", shown, re.MULTILINE)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from search.__main__ import main;"
        "[main(w) for w in (['--help'], ['run', '--help'])];"
        "sys.exit(any(m in sys.modules for m in ('jax', 'hydra', 'numpy', 'rich')))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_hydra_prints_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--cfg", "job", "budget=2M", "seed=3"]) == 0
    printed = capsys.readouterr().out
    assert "budget: 2M" in printed
    assert "seed: 3" in printed
    assert list(Path.cwd().iterdir()) == []


def test_own_configs_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine/space").mkdir(parents=True)
    Path("mine/space/tiny.yaml").write_text("name: tiny\ndepths: [1]\n")
    assert main(["space", "--config-dir", "mine", "space=tiny", "--json"]) == 0
    small = json.loads(capsys.readouterr().out)
    assert main(["space", "--json"]) == 0
    assert small["size"] < json.loads(capsys.readouterr().out)["size"]


@pytest.mark.parametrize("name", ["stanford_dogs", "imagenette/160px-v2", "mnist:3.*.*"])
def test_a_name_of_tfds_stands_for_its_config(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--cfg", "job", f"data={name}"]) == 0
    assert f"name: {name} " in capsys.readouterr().out
