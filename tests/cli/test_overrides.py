"""Whatever stands on the command line of `run`: it composes, or one line says what is wrong."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser

from search.__main__ import main
from search.cli import hydra
from search.cli.run_arguments import parser
from search.config.run import RunConfig
from search.config.settings import walk
from search.config.shipped import GROUPS

COUNT = 300
SCREEN = 1300
KEYS = [*(key for key, _, _ in walk(RunConfig())), *GROUPS]
VALUES = [
    *("null", "true", "-1", "0", "1.5", "nan", "inf", "1e400", "9" * 40, "x", "''", "' '", "???"),
    *("[]", "[[conv]]", "[1,[2]]", "{}", "{a:1}", "[null]", "1,2", "range(1,4)", "choice(a,b)"),
    *("interval(0,1)", "glob(*)", "sort(3,1)", "int(x)", "${nope}", "${data}", "${oc.env:NOPE}"),
    *("${", "[", "]", "{", "}", "(", "'", '"', "\\", "a b", "a=b", "@", "é", "\u202e", "\x1b[31m"),
    *("../../x", "/etc/passwd", "/" * 50, "a" * 6000, "[" * 500 + "]" * 500, "\udcff", "$(x)"),
]
PREFIXES = ["", "", "", "", "+", "++", "~", "hydra.", "+hydra.sweeper.params.", "++", "@", "."]
WORDS = [
    *("train=null", "data=null", "space=null", "strategy=null", "executor=null", "~data", "~train"),
    *("space.ops=[[conv]]", "space.ops=" + "[" * 500 + "]" * 500, "+" + "x." * 500 + "x=1"),
    *("hydra.sweeper.params.seed=0,1", "+hydra.sweeper.params.seed='0,1'", "-p=x", "-p x"),
    *("hydra.sweeper=nope", "hydra/launcher=joblib", "hydra/sweeper=ax", "hydra.mode=MULTIRUN"),
    *(
        "hydra.searchpath=[nowhere]",
        "hydra.searchpath=3",
        "hydra.verbose=x",
        "hydra=null",
        "~hydra",
    ),
    *(
        "hydra.job.chdir=true",
        "hydra.sweeper.max_batch_size=0",
        "data@x=digits",
        "data@data.x=mnist",
    ),
    *(
        "--config-path x",
        "--config-name nope",
        "--experimental-rerun x",
        "--package x",
        "--resolve",
    ),
    *("--info nope", "--cfg nope", "-sc", "-sc install=nope", "--cfg", "-x=3", "--", "-- -m", "-"),
    *(
        "--cfg job --multirun",
        "--run -m",
        "--cfg job -p x",
        "--cfg job -p train.batch",
        "--config-dir",
    ),
    *("budget=" + "9" * 5000, "trials=" + "9" * 5000, "study=" + "a" * 6000, "study=.", "study=.."),
    *("outputs=" + "a/" * 3000, "=", "==", "+=", "~=", "data.name=" + "x" * 6000, "epochs=1e3"),
    *("train.learning_rate=0", "space.widths=[[4],[8]]", "data.mean=[x]", "data.std=[0]"),
]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """The names of the studies that would have started; nothing is searched."""
    names: list[str] = []
    monkeypatch.setattr(hydra, "_run", lambda prepared, *_: names.append(prepared.name))
    monkeypatch.chdir(tmp_path)
    yield names
    assert list(tmp_path.iterdir()) == []


def lines() -> list[list[str]]:
    """Command lines, most of them bad: the known ones and random ones, some of them sweeps."""
    rng = random.Random(0)
    found = [word.split(" ") for word in WORDS]
    while len(found) < COUNT:
        override = f"{rng.choice(PREFIXES)}{rng.choice(KEYS)}={rng.choice(VALUES)}"
        found.append([*rng.choice([[], [], [], ["-m"]]), override])
    return found


@pytest.mark.parametrize("part", range(6))
def test_bad_words_are_one_line(
    part: int, started: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    # Composing is what is tested; launchers would run each job in turn.
    monkeypatch.setattr(Hydra, "multirun", lambda *_: [])
    for words in lines()[part::6]:
        code = main(["run", "study=fuzz", *words])
        err = capsys.readouterr().err
        assert code in (0, 2), words
        assert err.count("\n") == (1 if code else 0), (words, err)
        assert len(err) <= SCREEN, (words, err)
        assert "\x1b" not in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train=null", "train=null chooses no config, and one is needed; known are default, few"),
        ("~data", "~data takes a key away, and all are needed; leave it out"),
        ("~trials", "~trials takes a key away, and all are needed; leave it out"),
        ("+trials=3", "trials is a key already; leave out the +"),
        ("seed=range(1,4)", "seed=range(1,4) has several values; add -m"),
        ("hydra.run.dir=x", "hydra.run.dir has no effect on a single run; outputs= and study= say"),
        ("hydra.searchpath=[nowhere]", "path=nowhere is not available"),
        ("space.ops=[[conv]]", "space.ops[0]=['conv'] is unknown; did you mean conv"),
        ("space.ops=" + "[" * 500 + "]" * 500, "is nested too deep"),
        ("+" + "x." * 500 + "x=1", "is not a key"),
        ("+hydra.sweeper.params.seed='0,1'", "can be set in a config file only"),
        ("-p=x", "--package has no effect without --cfg"),
        ("--resolve", "--resolve has no effect without --cfg"),
        ("--config-path x", "add a folder of yours with --config-dir"),
        ("--experimental-rerun x", "the same command goes on with its study"),
        ("--cfg job -m", "--cfg and --multirun exclude each other"),
        ("--cfg job -p trian", "--package trian is not a group of keys; did you mean train"),
        ("train.learning_rate=0", "train.learning_rate=0.0 must be a number above 0 and at most"),
        ("trials=true", "trials=true must be an integer from 1"),
        ("-m seed=0,-1", "seed=-1 must be an integer from 0"),
        ("-m seed=0,1 study=one", "study=one would be several studies with different settings"),
        ("-m seed=0,1 trials=x", "trials=x must be an integer from 1"),
        ("-m study=a,b/c", "study=b/c cannot name a folder"),
        ("-m hydra.sweeper.params={seed:'0,1'}", "can be set in a config file only"),
    ],
)
def test_what_is_said(words: str, said: str, started: list[str], capsys: Any) -> None:
    assert main(["run", *words.split(" ")]) == 2
    assert said in capsys.readouterr().err
    assert started == []


def test_all_jobs_of_a_sweep_run_once_all_are_right(started: list[str]) -> None:
    assert main(["run", "trials=1", "-m", "epochs=1,2", "seed=3,4"]) == 0
    assert len(started) == len(set(started)) == 4


def test_the_sweep_of_a_config_file(
    started: list[str], tmp_path_factory: pytest.TempPathFactory, capsys: Any
) -> None:
    own = tmp_path_factory.mktemp("own")
    words = ["run", "--config-dir", str(own), "--config-name", "mine", "trials=1"]
    text = "defaults: [config, _self_]\nhydra: {{sweeper: {{params: {{seed: '{}'}}}}}}\n"
    (own / "mine.yaml").write_text(text.format("3,4"))
    assert main(words) == 2
    assert "hydra.sweeper.params is for sweeps; add -m" in capsys.readouterr().err
    assert main([*words, "-m"]) == 0
    assert len(started) == 2
    (own / "mine.yaml").write_text(text.format("3,-4"))
    assert main([*words, "-m"]) == 2
    assert "seed=-4 must be an integer from 0" in capsys.readouterr().err
    assert len(started) == 2


def test_a_sweep_over_trials_extends_one_study(started: list[str]) -> None:
    assert main(["run", "-m", "trials=1,2", "study=one"]) == 0
    assert started == ["one", "one"]


def test_every_option_of_hydra_is_known() -> None:
    """An option that Hydra learns must be served here or refused, not ignored."""
    known = set(parser()._option_string_actions)
    assert set(get_args_parser()._option_string_actions) <= known


def test_a_number_for_a_flag_in_a_config_file(
    started: list[str], tmp_path_factory: pytest.TempPathFactory, capsys: Any
) -> None:
    """OmegaConf would take it for true."""
    own = tmp_path_factory.mktemp("own")
    (own / "data").mkdir()
    (own / "data" / "mine.yaml").write_text("defaults: [digits]\nflip: 3\n")
    for more in ([], ["--cfg", "job"]):
        assert main(["run", "--config-dir", str(own), "data=mine", *more]) == 2
        assert capsys.readouterr().err == "convbudget: data.flip=3 must be true or false\n"
    assert main(["run", "data.flip=yes", "--cfg", "job"]) == 0
    assert "flip: true" in capsys.readouterr().out
    assert started == []
