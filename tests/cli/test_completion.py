"""Completion: which words are offered, and that a real bash inserts them."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from search.__main__ import COMMANDS, main
from search.cli.completion import _OPTIONS, SHELLS, complete
from search.cli.run_arguments import parser

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("convbudget fr", ["front "]),
        ("convbudget run bud", ["budget=", "budget_low="]),
        ("convbudget run budget=1k tri", ["trials="]),
        ("convbudget run st", ["strategy=", "strategy.", "study="]),
        ("convbudget run data.val", ["data.validation=", "data.validation_fraction="]),
        (
            "convbudget run space=",
            ["space=medium ", "space=mobile ", "space=question ", "space=small "],
        ),
        ("convbudget run -m space=small,mo", ["space=small,mobile "]),
        ("convbudget run train.optimiser=s", ["train.optimiser=sgd "]),
        ("convbudget run data.flip=", ["data.flip=true ", "data.flip=false "]),
        ("convbudget run epochs=", ["epochs=10 "]),
        ("convbudget run space.ops=[", ["space.ops=[conv,separable,inverted] "]),
        ("convbudget run ++see", ["++seed="]),
        ("convbudget run --cfg ", ["job ", "hydra ", "all "]),
        ("convbudget run --mul", ["--multirun "]),
        ("convbudget run --config-dir ", []),
        ("convbudget space strategy=ra", ["strategy=random "]),
        ("convbudget front out", []),
        ("/opt/bin/convbudget front --j", ["--json "]),
        ("convbudget run nothing.like=", []),
    ],
)
def test_what_is_offered(line: str, found: list[str]) -> None:
    assert complete(line) == found


def test_every_key_is_offered_once() -> None:
    offered = complete("convbudget run ")
    assert len(offered) == len(set(offered))
    assert {"data=", "data.", "confirm.", "outputs="} <= set(offered)


def test_own_configs_are_offered(tmp_path: Path) -> None:
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "mine.yaml").touch()
    for words in (f"--config-dir {tmp_path}", f"--config-dir={tmp_path}"):
        assert complete(f"convbudget run {words} space=mi") == ["space=mine "]


def test_commands_and_options_are_those_there_are() -> None:
    assert set(_OPTIONS) == set(COMMANDS)
    assert set(_OPTIONS["run"]) - {"--traceback"} <= set(parser()._option_string_actions)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "run"])
def test_every_option_of_a_command_is_offered(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with suppress(SystemExit):
        main([command, "--help"])
    shown = set(re.findall(r"^  (?:-\w, )?(--[a-z0-9-]+)", capsys.readouterr().out, re.MULTILINE))
    assert shown | {"--help", "--traceback"} == set(_OPTIONS[command])


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from search.__main__ import main; main(['run', '-sc', 'query=bash']);"
        "sys.exit(any(m in sys.modules for m in ('jax', 'hydra', 'omegaconf', 'numpy')))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("words", [[], ["query"], ["install=csh"], ["install=bash", "seed=0"]])
def test_other_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-sc", *words]) == 2
    assert "write install=SHELL or uninstall=SHELL" in capsys.readouterr().err


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `convbudget` is this checkout."""
    program = tmp_path / "convbudget"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m search "$@"\n')
    program.chmod(0o755)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("convbudget ru\t", "convbudget run "),
        ("convbudget run trai\t", "convbudget run train"),
        ("convbudget run space=mo\t", "convbudget run space=mobile "),
        ("convbudget run train.opt\tsg\t", "convbudget run train.optimiser=sgd "),
        ("convbudget run -m data=digits,cifar100\t", "convbudget run -m data=digits,cifar100 "),
        ("convbudget run outputs=kee\t", "convbudget run outputs=keep/"),
    ],
)
def test_a_real_bash_inserts_what_is_offered(
    typed: str, line: str, path: str, tmp_path: Path
) -> None:
    """Type on a terminal, with Readline, and read back the line that it made."""
    (tmp_path / "keep").mkdir()
    setup = (
        'eval "$(convbudget run --shell-completion install=bash)"\n'
        # Ctrl-G prints the line as it stands.
        "show() { printf '<%s>\\n' \"$READLINE_LINE\"; }\n"
        "bind -x '\"\\C-g\": show'\n"
        "echo ready\n"
    )
    rc = tmp_path / "rc"
    rc.write_text(setup)
    printed = _in_terminal(
        ["bash", "--noprofile", "--rcfile", str(rc), "-i"],
        f"{typed}\x07",
        {"PATH": path, "PYTHONPATH": str(ROOT), "PS1": "$ ", "TERM": "dumb"},
        tmp_path,
    )
    assert f"<{line}>" in printed, printed


def _in_terminal(command: list[str], typed: str, variables: dict[str, str], folder: Path) -> str:
    """Run an interactive program in a pseudo-terminal until it has shown the line."""
    import pty
    import select
    import time

    terminal, inside = pty.openpty()
    child = subprocess.Popen(
        command,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        cwd=folder,
        env={**os.environ, **variables},
        start_new_session=True,
    )
    os.close(inside)
    printed, sent, deadline = "", False, time.monotonic() + 60
    try:
        while time.monotonic() < deadline and not (sent and ">" in printed):
            if not select.select([terminal], [], [], 0.2)[0]:
                continue
            printed += os.read(terminal, 4096).decode(errors="replace")
            if not sent and "ready" in printed:
                os.write(terminal, typed.encode())
                printed, sent = "", True
    finally:
        child.kill()
        child.wait()
        os.close(terminal)
    return printed


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_valid(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the shell is installed it reads its script; every script names the program."""
    for action in ("install", "uninstall"):
        assert main(["run", "-sc", f"{action}={shell}"]) == 0
        script = capsys.readouterr().out
        assert "convbudget" in script
        if program := shutil.which(shell):
            subprocess.run([program, "-n"], input=script, text=True, check=True)
