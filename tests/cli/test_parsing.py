"""Mistakes on a command line: one line, with the option or the value that was meant."""

import argparse

import pytest

from search.cli.arguments import Parser, reads
from search.errors import UserError, nearest


def even(text: str) -> int:
    if int(text) % 2:
        raise UserError(f"{text} is odd; write an even number")
    return int(text)


def parser() -> Parser:
    built = Parser(prog="convbudget try")
    built.add_argument("op", metavar="OP", choices=("conv", "separable"))
    built.add_argument("--width", type=float)
    built.add_argument("--even", type=reads(even))
    return built


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["conv", "--widht", "1"], ("--widht", "did you mean --width?")),
        (["conv", "--wid=1"], ("no option --wid;", "--width")),
        (["conv", "--zzzzzz"], ("known are --even, --help, --width",)),
        (["conv", "--width", "x"], ("--width", "'x'", "convbudget try --help")),
        (["conv", "--width"], ("--width", "expected one argument")),
        (["conv", "--even", "3"], ("--even", "3 is odd; write an even number")),
        (["cnov"], ("OP is 'cnov'", "did you mean conv?")),
        (["conv", "more"], ("'more'", "leave it out")),
        ([], ("OP", "required")),
        (["conv", "--width", "1\n2"], ("--width",)),
    ],
)
def test_mistakes_are_one_line(argv: list[str], parts: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        parser().parse_args(argv)
    line = str(caught.value)
    assert "\n" not in line
    for part in parts:
        assert part in line


def test_good_lines_parse() -> None:
    found = parser().parse_args(["separable", "--width", "-1", "--even", "4"])
    assert found == argparse.Namespace(op="separable", width=-1.0, even=4)


def test_help_exits_cleanly(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(["--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: convbudget try")


def test_nearest_names_all_when_nothing_is_close() -> None:
    assert nearest("q", ["conv", "basic"]) == "known are conv, basic"
    assert nearest("convv", ["conv", "basic"]) == "did you mean conv?"
