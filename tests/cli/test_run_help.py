"""`run --help` and `--cfg job`: every key of every group with its value and its meaning."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from search.__main__ import COMMANDS, main
from search.cli.run_help import commented, written
from search.config import shipped
from search.config.run import RunConfig
from search.config.settings import walk

ROOT = Path(__file__).parents[2]
HEAVY = ("jax", "flax", "hydra", "omegaconf", "numpy", "scipy", "rich", "matplotlib", "yaml")


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def joined(lines: str) -> str:
    return " ".join(lines.split())


@pytest.mark.parametrize("words", [[], ["data=folder"]])
def test_every_key_is_explained(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(["run", *words, "--help"], capsys)
    assert found.startswith("usage: convbudget run")
    assert max(map(len, found.splitlines())) <= 100
    for key, said, _ in walk(RunConfig()):
        assert f"  {key}=" in found
        assert said.help in joined(found)
    for group in shipped.GROUPS:
        assert ", ".join(shipped.choices(group)) in joined(found)


def test_the_plain_help_is_that_of_the_composed_defaults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def entries(lines: str) -> list[str]:
        return [line for line in lines.splitlines() if re.match(r"  [\w.]+=", line)]

    plain = entries(printed(["run", "--help"], capsys))
    assert plain == entries(printed(["run", "data=digits", "--help"], capsys))
    assert len(plain) == len(list(walk(RunConfig())))


def test_help_shows_a_choices_values_and_introduction(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = printed(["run", "--help", "data=folder", "seed=7"], capsys)
    assert "data=folder:" in found
    assert "Your own images: data=folder data.path=FOLDER." in found
    for value in ("data.budget=5M", "budget=5M", "space.head=256", "seed=7"):
        assert f"  {value} " in found
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "mine.yaml").write_text("# Mine alone.\nname: mine\ndepths: [1]\n")
    own = printed(["run", "--config-dir", str(tmp_path), "space=mine", "--help"], capsys)
    assert "medium, mine, mobile, question, small" in own
    assert "space=mine:\n  Mine alone." in own
    assert "  space.depths=[1] " in own


@pytest.mark.parametrize("resolve", [[], ["--resolve"]])
def test_the_configuration_is_yaml_with_comments(
    resolve: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["data=folder", "data.path='a b: c # d'", "study='1e3'", "seed=3"]
    words = ["run", "--cfg", "job", *resolve, *own]
    found = printed(words, capsys)
    values = OmegaConf.to_container(OmegaConf.create(found), resolve=True)
    assert isinstance(values, Mapping)
    assert values["data"]["path"] == "a b: c # d"
    assert values["study"] == "1e3"
    assert (values["seed"], values["budget"]) == (3, "5M")
    assert ("${data.budget}" in found) != bool(resolve)
    for key, said, _ in walk(RunConfig()):
        (line,) = [each for each in found.splitlines() if f"# {said.help}" in each][:1]
        assert line.split(":")[0].strip() in key


def test_a_package_of_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(["run", "--cfg", "job", "--package", "train"], capsys)
    assert yaml.safe_load(found)["learning_rate"] == 0.04
    assert "# peak learning rate" in found
    whole = printed(["run", "--cfg", "job", "--package", "_global_"], capsys)
    assert whole == printed(["run", "--cfg", "job"], capsys)
    assert "sweeper" in printed(["run", "--cfg", "hydra"], capsys)


@pytest.mark.parametrize("value", ["", "null", "x: y", "- a", "#", "1_000", "a\nb", "word " * 40])
def test_texts_survive(value: Any) -> None:
    found = OmegaConf.to_container(OmegaConf.create(commented({"study": value})))
    assert found == {"study": value}


def test_values_are_written_as_on_the_command_line() -> None:
    assert [written(value) for value in (None, True, [1, [2]], "x", 0.5)] == [
        *("null", "true", "[1,[2]]", "x", "0.5")
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--info", "defaults"], "space/small"),
        (["--hydra-help"], "== Configuration groups =="),
        (["--version"], "convbudget "),
    ],
    ids=lambda value: "",
)
def test_information_and_versions(words: list[str], said: str) -> None:
    # In processes of their own: Hydra's logging would keep pytest's streams beyond the test.
    done = subprocess.run(
        [sys.executable, "-m", "search", "run", *words], capture_output=True, text=True, check=True
    )
    assert said in done.stdout


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["cost", "block"]])
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys\n"
        "from search.__main__ import main\n"
        "try:\n"
        f"    main({[*command, '--help']!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"sys.stderr.write(' '.join(m for m in {HEAVY!r} if m in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "usage: convbudget" in done.stdout
    assert done.stderr == ""
