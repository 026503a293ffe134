"""Attacks that are too long for the test suite: each of them is a module of `tests/attacks`.

python tests/benchmarks/attack.py files -n 10000

`files` damages every kind of file of a study and reads it. Another attack is added by a module
with `arguments(parser)` and `run(arguments)`, and a line in `ATTACKS`.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

ATTACKS = {
    "files": "attacks.files",
    "kills": "attacks.kills",
    "overrides": "attacks.overrides",
    "signals": "attacks.signals",
    "surroundings": "attacks.surroundings",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    commands = parser.add_subparsers(required=True)
    for name, module in ATTACKS.items():
        attack = import_module(module)
        command = commands.add_parser(name, description=attack.__doc__)
        attack.arguments(command)
        command.set_defaults(run=attack.run)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
