"""Memory of one process that trains many small networks, each by a program of its own.

python tests/benchmarks/long_process.py --candidates 500
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from small import dataset, evaluator, job_of

from search.networks.arch import Arch, Block, Head, Input, Stem


def resident_megabytes() -> float:
    """Memory that the process holds now; Linux only."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096 / 2**20


def network(number: int) -> Arch:
    """A network unlike those of all other numbers."""
    stem, width = divmod(number, 50)
    return Arch(Input(6, 5, 1), Stem(4 + stem), (Block("conv", 4 + width, 3, 2),), Head(), 3)


def main() -> None:
    """Train the networks and print the memory after every 25."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=500)
    parser.add_argument("--form", choices=("whole", "layers", "auto"), default="whole")
    arguments = parser.parse_args()
    engine, began = evaluator(dataset(), form=arguments.form), time.monotonic()
    for number in range(arguments.candidates + 1):
        if number % 25 == 0:
            programs = len(engine._trainer.programs.keys())
            seconds = time.monotonic() - began
            print(
                f"{number:5} candidates {resident_megabytes():7.0f} MB {programs:4} programs"
                f" {seconds:6.0f} s",
                flush=True,
            )
        result = engine(job_of(network(number)))
        assert result.status == "ok", result.error


if __name__ == "__main__":
    main()
