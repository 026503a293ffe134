"""Shell completion of `convbudget`: keys, groups and values, from the schema and without Hydra.

Hydra's own completion takes a second for each key press, knows no subcommands, and offers of a
setting only the value it has.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from search.cli.run_help import written
from search.config.run import RunConfig
from search.config.settings import walk
from search.config.shipped import EXPERIMENT, GROUPS, LAUNCHER, choices
from search.errors import UserError, shown
from search.export.forms import FORMS, RUNTIMES

SHELLS = ("bash", "zsh", "fish")
_CONFIGURED = ("run", "space")
_OPTIONS = {
    "run": (
        *("--help", "--multirun", "--cfg", "--resolve", "--package", "--config-dir"),
        *("--config-name", "--info", "--hydra-help", "--shell-completion", "--traceback"),
    ),
    "front": (
        *("--help", "--json", "--picture", "--page", "--watch", "--serve", "--to", "--study-name"),
        "--traceback",
    ),
    "compare": ("--help", "--json", "--at", "--out", "--picture", "--seed", "--traceback"),
    "question": ("--help", "--json", "--out", "--traceback"),
    "retrain": (
        *("--help", "--json", "--at", "--id", "--all", "--zoo", "--epochs", "--seeds", "--from"),
        *("--teacher", "--temperature", "--teacher-weight", "--traceback"),
    ),
    "export": (
        *("--help", "--json", "--to", "--id", "--at", "--all", "--int8", "--raw", "--out"),
        "--traceback",
    ),
    "latency": ("--help", "--json", "--batch", "--runtime", "--all", "--seconds", "--traceback"),
    "cost": ("--help", "--json", "--layers", "--width", "--input", "--classes", "--traceback"),
    "space": ("--help", "--json", "--config-dir", "--traceback"),
}
_VALUES = {
    "--from": ("scratch", "weights"),
    "--to": tuple(FORMS),
    "front --to": ("optuna",),
    "--runtime": ("jax", *RUNTIMES, "all"),
    "--cfg": ("job", "hydra", "all"),
    "-c": ("job", "hydra", "all"),
    "--shell-completion": tuple(f"install={shell}" for shell in SHELLS),
    "-sc": tuple(f"install={shell}" for shell in SHELLS),
}

# Bash breaks words at = and :, and replaces only the last piece, so that what stands before it is
# cut off from each answer.
_BASH = """\
_convbudget() {
    local IFS=$'\\n' line="${COMP_LINE:0:COMP_POINT}" word before answer
    word="${line##*[[:space:]]}"
    before="${word%"${word##*[=:]}"}"
    COMPREPLY=()
    while read -r answer; do
        COMPREPLY+=("${answer#"$before"}")
    done < <(COMP_LINE="$line" "${COMP_WORDS[0]}" run --shell-completion query=bash 2>/dev/null)
}
complete -o nospace -o default -F _convbudget convbudget
"""
_ZSH = """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_convbudget() {
    local -a answers
    answers=("${(@f)$(COMP_LINE="${(j: :)words[1,CURRENT]}" $words[1] run \\
        --shell-completion query=zsh 2>/dev/null)}")
    (( ${#${answers:#}} )) && compadd -Q -S '' -- $answers || _files
}
compdef _convbudget convbudget
"""
_FISH = """\
function __convbudget
    set -l words (commandline -cpo)
    COMP_LINE=(commandline -cp) $words[1] run --shell-completion query=fish 2>/dev/null
end
complete -c convbudget -a '(__convbudget)'
"""
_REMOVED = {
    "bash": "complete -r convbudget\nunset -f _convbudget\n",
    "zsh": "compdef -d convbudget\nunfunction _convbudget\n",
    "fish": "complete -e -c convbudget\nfunctions -e __convbudget\n",
}


def answer(words: Sequence[str]) -> str:
    """Return what `run --shell-completion WORDS` prints.

    `install=SHELL` and `uninstall=SHELL` give a script for the shell to evaluate; `query=SHELL`
    completes the line in the variable COMP_LINE, up to its end. Raises `UserError` for other words.
    """
    action, _, shell = words[0].partition("=") if len(words) == 1 else ("", "", "")
    scripts = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
    if shell not in SHELLS or action not in ("install", "uninstall", "query"):
        raise UserError(
            f"--shell-completion {shown(' '.join(words))} is unknown; write install=SHELL or"
            f" uninstall=SHELL, where SHELL is {', '.join(SHELLS)}"
        )
    if action == "query":
        return "".join(f"{found}\n" for found in complete(os.environ.get("COMP_LINE", "")))
    return scripts[shell] if action == "install" else _REMOVED[shell]


def complete(line: str) -> list[str]:
    """Return the words that may stand where `line` ends; a finished one ends in a space."""
    words = line.split()[1:]
    word = words.pop() if words and not line[-1:].isspace() else ""
    if not words:
        return _matching(word, (f"{command} " for command in _OPTIONS))
    command = words[0]
    # An option may take other values with one command than with the others.
    values = _VALUES.get(f"{command} {words[-1]}", _VALUES.get(words[-1]))
    if values is not None:
        return _matching(word, (f"{value} " for value in values))
    if word.startswith("-"):
        return _matching(word, (f"{option} " for option in _OPTIONS.get(command, ())))
    if command not in _CONFIGURED or words[-1] in ("--config-dir", "-cd"):
        # Nothing: the shell then offers files.
        return []
    signs = word[: len(word) - len(word.lstrip("+"))]
    own = _own_folders(words)
    found = _values(word[len(signs) :], own) if "=" in word else _keys(word[len(signs) :])
    return [f"{signs}{each}" for each in found]


def _keys(word: str) -> list[str]:
    """Complete a key; a group's keys only after its dot, because there are many."""
    depth = word.count(".")
    keys = [f"{group}=" for group in (*GROUPS, EXPERIMENT, LAUNCHER)]
    for key, _, _ in walk(RunConfig()):
        parts = key.split(".")
        whole = len(parts) == depth + 1
        keys.append(f"{key}=" if whole else f"{'.'.join(parts[: depth + 1])}.")
    return _matching(word, keys)


def _values(word: str, own: Sequence[Path]) -> list[str]:
    """Complete the value after a key, of a sweep its last one."""
    key, _, value = word.partition("=")
    before = value[: value.rfind(",") + 1]
    if key in (*GROUPS, EXPERIMENT, LAUNCHER):
        values = choices(key, *own)
    else:
        values = _of_setting(key)
        if values and values[0].startswith("["):
            before = ""
    return _matching(word, (f"{key}={before}{each} " for each in values))


def _of_setting(key: str) -> list[str]:
    for name, said, value in walk(RunConfig()):
        if name == key:
            if isinstance(value, bool):
                return ["true", "false"]
            if isinstance(value, list) and not value:
                return [*map(written, said.choices), "null"]
            if said.choices and not isinstance(value, list):
                return [written(choice) for choice in said.choices]
            text = written(value)
            return [text] if text else []
    return []


def _own_folders(words: Sequence[str]) -> list[Path]:
    """Return the folder of the user's own configs that the line names."""
    for option, value in pairwise(words):
        if option in ("--config-dir", "-cd"):
            return [Path(value).expanduser()]
    named = [word.partition("=")[2] for word in words if word.startswith("--config-dir=")]
    return [Path(value).expanduser() for value in named[:1]]


def _matching(word: str, candidates: Iterator[str] | Sequence[str]) -> list[str]:
    return [each for each in dict.fromkeys(candidates) if each.startswith(word)]
