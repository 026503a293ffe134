"""Damage every kind of file that a study leaves, and read each: the long form of `test_damage`."""

import argparse
import tempfile
import time
from pathlib import Path

from attacks import studies
from attacks.damage import attack

# Of the attacks that build a network each time, which takes a tenth of a second.
_LOADED = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be set."""
    parser.add_argument("-n", type=int, default=10_000, help="how many files are damaged")


def run(given: argparse.Namespace) -> None:
    """Print a line for each kind of file; an outcome that is none of them is an exception."""
    began = time.perf_counter()
    print("| file | damaged | refused | read as before | read as something else |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        healthy = studies.make(folder)
        every = [(place, one) for place, found in studies.targets().items() for one in found]
        shares = sum(target.share for _, target in every)
        every.append(("second", studies.loading()))
        for place, target in every:
            count = -(-given.n * target.share // shares)
            if target is every[-1][1]:
                count = min(_LOADED, given.n)
            outcomes = attack(
                healthy[place],
                target.file,
                target.ways,
                target.read,
                folder,
                count,
                given.seed,
                exact=target.exact,
            )
            cells = [outcomes[key] for key in ("refused", "unchanged", "changed")]
            print(f"| {target.title} | {count} | {' | '.join(map(str, cells))} |", flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")
