"""Train every network of a small space on the digits, and keep their accuracies as a table.

    python tests/benchmarks/make_table.py [--share 0/2] [--only N]

It can be killed and goes on where it was; `--share` lets several processes work side by side.
Whoever finds everything trained writes `digits_table.json.xz`. `--only` trains a few and says how
long the rest would take.
"""

import argparse
import json
import lzma
import tempfile
import time
from pathlib import Path

import numpy as np

import search.spaces.stages
from search.config.data import DataConfig
from search.config.space import SpaceConfig
from search.config.train import TrainConfig
from search.data import open_dataset
from search.engine.evaluator import TrainingEvaluator
from search.jobs import Options
from search.networks.arch import Input
from search.spaces.budget_table import tabulate
from search.spaces.chain import candidate

EPOCHS, SEEDS = (1, 3, 9), (0, 1, 2)
# As the digits are trained by default, but half of the images are held out: of 900 instead of 360
# images an accuracy is known more exactly, and the networks differ more when fewer teach them. The
# means of sixteen of them had a deviation of 0.012, seeds of one network 0.007 (0.014 and 0.009 in
# batches of 64).
TRAIN = TrainConfig(batch=32, learning_rate=0.04, form="layers")
HELD_OUT = 0.5
SPACE = SpaceConfig(
    name="digits-table",
    expansions=[3],
    stem=[4, 8],
    widths=[[8, 16], [8, 24], [16, 48]],
    depths=[1],
    head=32,
)
_PARTS = Path("outputs") / "digits-table"
_TABLE = Path(__file__).parent / "digits_table.json.xz"


def read_parts() -> dict[tuple[Options, int], list[float]]:
    """Return the accuracies at each rung, by list and seed, that any process has trained."""
    found = {}
    for path in sorted(_PARTS.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            # A kill may have left half a line; the same training was then done again.
            try:
                options, seed, accuracies = json.loads(line)
            except ValueError:
                continue
            found[tuple(options), seed] = accuracies
    return found


def train(
    work: list[tuple[Options, int]], chain: search.spaces.stages.StageChain, part: Path
) -> None:
    """Train each encoding with each seed of `work`, and append a line each to `part`."""
    dataset = open_dataset(DataConfig(name="digits", validation_fraction=HELD_OUT), seed=0)
    with tempfile.TemporaryDirectory() as folder, part.open("a") as out:
        out.write("\n")
        evaluator = TrainingEvaluator(dataset, TRAIN, Path(folder))
        for options, seed in work:
            # Each rung goes on from the one before, as in halving.
            found = candidate(chain, options)
            results = [evaluator(found.job(epochs, seed)) for epochs in EPOCHS]
            evaluator.keep([])
            errors = [result.error for result in results if result.status != "ok"]
            if errors:
                raise SystemExit(f"{' '.join(map(str, options))} failed: {errors[0]}")
            accuracies = [round(result.accuracy, 5) for result in results]
            out.write(json.dumps([options, seed, accuracies]) + "\n")
            out.flush()


def write(
    encodings: list[Options], costs: list[int], found: dict[tuple[Options, int], list[float]]
) -> None:
    """Write the table: for each encoding its cost and accuracies, [rungs][seeds]."""
    rows = []
    for options, cost in zip(encodings, costs, strict=True):
        accuracy = np.array([found[options, seed] for seed in SEEDS]).T
        rows.append({"options": options, "cost": cost, "accuracy": accuracy.tolist()})
    content = {"name": SPACE.name, "epochs": EPOCHS, "chance": 0.1, "rows": rows}
    _TABLE.write_bytes(lzma.compress(json.dumps(content).encode(), preset=9))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", default="0/1", help="this process's part of the work: 0/2, 1/2")
    parser.add_argument("--only", type=int, help="train so many networks, say how long all take")
    arguments = parser.parse_args()
    share, shares = map(int, arguments.share.split("/"))
    chain = search.spaces.stages.build(SPACE, Input(8, 8, 1), 10)
    table = tabulate(chain)
    encodings = list(table.encodings())
    done = read_parts()
    work = [
        (options, seed) for options in encodings for seed in SEEDS if (options, seed) not in done
    ]
    print(
        f"{len(encodings)} networks, {len(work)} of {len(encodings) * len(SEEDS)} trainings to do"
    )
    # In random order, so that a few tell how long all take; the same order in all processes.
    order = np.random.default_rng(0).permutation(len(work))
    mine = [work[i] for i in order[share::shares]][: arguments.only]
    _PARTS.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    train(mine, chain, _PARTS / f"{share}-of-{shares}.jsonl")
    spent = time.perf_counter() - begin
    rest = (len(work) / shares - len(mine)) * spent / max(1, len(mine))
    print(
        f"{len(mine)} trainings in {spent:.0f} s; at this rate the rest takes {rest / 60:.0f} min"
    )
    done = read_parts()
    if all((options, seed) in done for options in encodings for seed in SEEDS):
        write(encodings, [table.cost(options) for options in encodings], done)
        print(f"wrote {_TABLE}, {_TABLE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
