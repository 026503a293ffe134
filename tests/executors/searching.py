"""A search by two worker processes, to be killed: python searching.py FOLDER."""

import math
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from chains import numbers

import search
from search.__main__ import main
from search.jobs import Job


def evaluator(job: Job) -> float:
    """Leave the worker's process id and a line for each call, and take a while."""
    folder = Path(sys.argv[1])
    (folder / f"{os.getpid()}.pid").touch()
    with (folder / "calls").open("a") as file:
        file.write(f"{' '.join(map(str, job.options))}\n")
    time.sleep(0.3)
    numbers = [int(option) for option in job.options]
    return (sum(numbers) + math.sin(7 * numbers[0] + numbers[3])) / 20 + 0.05


def begin(_: list[str]) -> int:
    """Search, as a command would."""
    search.run(
        space=numbers(4, 4, end=10),
        budget=20,
        evaluator=evaluator,
        trials=12,
        strategy="random",
        ahead=1,
        executor={"devices": 2},
        study=Path(sys.argv[1]) / "study",
    )
    return 0


if __name__ == "__main__":
    from search import __main__

    # Its errors are lines and its exit codes those of the command.
    __main__._dispatch = begin
    sys.exit(main([]))
