"""What one process holds that trains many small networks, each by a program of its own.

python tests/benchmarks/long_process.py --candidates 500
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from small import dataset, evaluator, job_of
from tiny import held, network


def main() -> None:
    """Train the networks and print what the process holds after every 25."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=500)
    parser.add_argument("--form", choices=("whole", "layers", "auto"), default="whole")
    arguments = parser.parse_args()
    engine, began = evaluator(dataset(), form=arguments.form), time.monotonic()
    for number in range(arguments.candidates + 1):
        if number % 25 == 0:
            programs = len(engine._trainer.programs.keys())
            seconds = time.monotonic() - began
            now = held("self")
            print(
                f"{number:5} candidates {now['megabytes']:7.0f} MB {now['threads']:4.0f} threads"
                f" {now['files']:4.0f} files {programs:4} programs {seconds:6.0f} s",
                flush=True,
            )
        result = engine(job_of(network(number)))
        assert result.status == "ok", result.error


if __name__ == "__main__":
    main()
