"""What the README states is there: its example runs, its commands and keys exist."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from search.__main__ import COMMANDS
from search.config import shipped
from search.config.run import RunConfig

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\s*```\w+\n(.*?)```", TEXT, re.DOTALL)
    assert found, name
    return found[1]


def test_ones_own_space_takes_thirty_lines(capsys: pytest.CaptureFixture[str]) -> None:
    code = block("own")
    assert len(code.splitlines()) <= 30
    exec(compile(code, "README.md", "exec"), {"__name__": "example"})
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) >= 2


def test_two_commands_stand_at_the_top() -> None:
    assert TEXT.index(block("run")) < TEXT.index(block("test")) < TEXT.index("## ")
    assert block("run").strip().endswith("convbudget run")
    assert block("test").strip().endswith("pytest")


def test_commands_exist() -> None:
    used = re.findall(r"^(?:.*bin/)?convbudget (\w+)", TEXT, re.MULTILINE)
    assert used
    assert set(used) <= set(COMMANDS)


def test_every_key_is_explained_with_its_default() -> None:
    table = TEXT[TEXT.index("## Keys") :]
    config = OmegaConf.load(shipped.folder() / "config.yaml")
    for key in fields(RunConfig):
        assert f"`{key.name}" in table, key.name
    chosen = dict(next(iter(p.items())) for p in config["defaults"] if not isinstance(p, str))
    for group in ("data", "space", "strategy", "train", "executor"):
        assert f"| `{group}` | `{chosen[group]}` |" in table
    for strategy in (shipped.folder() / "strategy").glob("*.yaml"):
        assert f"`{strategy.stem}`" in table


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if "://" not in target:
            assert (ROOT / target).exists(), target
