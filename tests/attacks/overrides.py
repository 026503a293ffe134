"""Give the commands beside `run` bad and odd words: each ends well, or in one line on stderr.

Those of `run`, sweeps included, are in `tests/cli/test_overrides.py`.
"""

import argparse
import contextlib
import io
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from search.__main__ import main

SCREEN = 1300
VALUES = (
    *("null", "-1", "0", "1.5", "nan", "1e400", "9" * 5000, "x", "", " ", "200k", "2M", "[[conv]]"),
    *(
        "[" * 500 + "]" * 500,
        "a" * 6000,
        "../../x",
        "/etc/passwd",
        "/dev/null",
        "\udcff",
        "\x1b[2J",
    ),
    *("$\\nope$", "[/b]", "é", "a\nb", "--", "-m", "${data}", "conv", "separable", "digits"),
)
FORMS = {
    "space": ("budget={}", "space={}", "data={}", "space.ops={}", "{}", "--json {}", "+x={}"),
    "cost": ("{}", "block {}", "block conv --in {}", "--input {}", "--json {}", "mobilenet_v2 {}"),
    "compare": ("{}", "{0} {0}", "--json {}", "--by {}", "--{}"),
    "front": ("{}", "{0} {0}", "--json {}", "--{}"),
}


def attack(command: str, count: int, seed: int) -> Counter[int]:
    """Call `command` with `count` random lines in an empty folder; returns its exit codes.

    Raises `AssertionError` for another exit code, several lines, one longer than a screen, or
    anything left on the disk.
    """
    codes: Counter[int] = Counter()
    rng = random.Random(f"{seed} {command}")
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for _ in range(count):
            words = rng.choice(FORMS[command]).split(" ")
            value = rng.choice(VALUES)
            line = [command, *(word.format(value) for word in words)]
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    code = main(line)
                except SystemExit as ended:
                    code = ended.code if isinstance(ended.code, int) else 1
            said, case = err.getvalue(), [ascii(word)[:200] for word in line]
            assert code in (0, 2), (case, code, said[:SCREEN])
            if code:
                assert said.count("\n") == 1, (case, said[:SCREEN])
            assert len(said) <= SCREEN, (case, len(said))
            assert "\x1b" not in said, case
            assert os.listdir(Path(name)) == [], case
            codes[code] += 1
    return codes


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be set."""
    parser.add_argument("-n", type=int, default=300, help="lines for each command")


def run(given: argparse.Namespace) -> None:
    """Print the exit codes of each command."""
    began = time.perf_counter()
    for command in FORMS:
        codes = attack(command, given.n, given.seed)
        print(f"| {command} | {codes[0]} | {codes[2]} |")
    print(f"\n{time.perf_counter() - began:.0f} s")
