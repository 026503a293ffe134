"""The command `convbudget`: passes the command line on, and turns errors into one line."""

import sys
from collections.abc import Sequence
from importlib import import_module

from search.errors import Interrupted, UserError, nearest, one_line, shown

# Where each command lives; imported only when it is called, so that `--help` does not wait.
COMMANDS = {
    "run": ("search.cli.run_arguments:main", "search for the front: convbudget run budget=200k"),
    "front": ("search.cli.front:main", "print the front of a study"),
    "compare": (
        "search.cli.compare:main",
        "which strategy, space or budget did better, over seeds",
    ),
    "question": (
        "search.cli.question:main",
        "which kind of block is best at equal multiplies, claim by claim",
    ),
    "retrain": (
        "search.cli.retrain:main",
        "train networks of a study to the end, and read the test part once",
    ),
    "export": (
        "search.cli.export:main",
        "write a found network as ONNX, TFLite, StableHLO, Flax or PyTorch",
    ),
    "cost": (
        "search.cli.cost:main",
        "exact multiplies and parameters of a network or a block",
    ),
    "latency": (
        "search.cli.latency:main",
        "how long networks take on this machine, beside their multiplies",
    ),
    "space": (
        "search.cli.space_arguments:main",
        "how many architectures a space has within a budget",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 1 for a failure, 2 for a bad value."""
    code = _main(list(sys.argv[1:] if argv is None else argv))
    # Only a process of its own may be ended; and only a command that computed has JAX.
    cache = sys.modules.get("search.engine.programs.cache")
    if argv is None and cache is not None:
        cache.leave(code)
    return code


def _main(words: list[str]) -> int:
    traceback = "--traceback" in words
    words = [word for word in words if word != "--traceback"]
    try:
        return _dispatch(words)
    except UserError as error:
        if traceback:
            raise
        print(f"convbudget: {one_line(error)}", file=sys.stderr)
        return 2
    except Interrupted as error:
        message, code = error.args
        print(f"convbudget: {message}", file=sys.stderr)
        return int(code)
    except BrokenPipeError:
        # The reader had enough, as in `convbudget front … | head`.
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        if traceback:
            raise
        print("convbudget: stopped; the same command goes on", file=sys.stderr)
        return 130


def _dispatch(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"convbudget {version('convbudget')}")
        return 0
    name = words[0]
    if name not in COMMANDS:
        raise UserError(f"'{shown(name)}' is not a command; {nearest(name[:40], COMMANDS)}")
    module, _, function = COMMANDS[name][0].partition(":")
    code: int = getattr(import_module(module), function)(words[1:])
    return code


def _help() -> str:
    lines = [
        "usage: convbudget COMMAND …",
        "",
        "Finds the most accurate small convolutional networks for a compute budget.",
        "",
        "commands:",
        *(f"  {name:10}{text}" for name, (_, text) in COMMANDS.items()),
        "",
        "options:",
        "  --help       this text; convbudget COMMAND --help says what a command takes",
        "  --traceback  show where an error came from",
        "  --version    print the version",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
