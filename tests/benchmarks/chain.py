"""How fast and how large the tables of counts are, beside rejection sampling on the same space.

python tests/benchmarks/chain.py

Each space is measured in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import yaml

from search.config.space import SpaceConfig
from search.jobs import Option, Options
from search.networks.arch import Input
from search.spaces import BudgetTable, tabulate
from search.spaces import stages as space
from search.spaces.stages import StageChain

CONFIGS = Path(__file__).parents[2] / "configs" / "space"
SPACES = {
    "medium": (Input(32, 32, 3), 10, 20_000_000),
    "mobile": (Input(224, 224, 3), 1000, 300_000_000),
}
FRACTIONS = (0.01, 0.0001)
# Seconds that each way of rejecting may try for at one budget.
PATIENCE = 8.0


def built(name: str) -> tuple[StageChain, int]:
    shape, classes, budget = SPACES[name]
    config = SpaceConfig(**yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()))
    return space.build(config, shape, classes), budget


def megabytes() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rate(table: BudgetTable, high: int, n: int = 50_000) -> float:
    """Encodings a second: the best of three, because what disturbs only ever slows."""
    rng = np.random.default_rng(0)
    table.sample(rng, n, 0, high)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        table.sample(rng, n, 0, high)
        seconds.append(time.perf_counter() - began)
    return n / min(seconds)


def each(table: BudgetTable, what: str, encodings: list[Options]) -> float:
    """Milliseconds of one mutation, one decoding."""
    rng = np.random.default_rng(1)
    points = rng.random((len(encodings), table.dimension))
    began = time.perf_counter()
    for options, point in zip(encodings, points, strict=True):
        if what == "mutate":
            table.mutate(rng, options)
        else:
            table.decode(point.tolist())
    return 1000 * (time.perf_counter() - began) / len(encodings)


def figures(name: str) -> dict[str, float | int | bool]:
    """Table, exact count, sampling and moves within the space's own budget."""
    chain, budget = built(name)
    before = megabytes()
    began = time.perf_counter()
    table = tabulate(chain, budget)
    tabled = time.perf_counter() - began
    table_peak = megabytes()
    began = time.perf_counter()
    within = table.count()
    counted = time.perf_counter() - began
    encodings = table.sample(np.random.default_rng(2), 300)
    return {
        "size": table.size,
        "within": within,
        "exact": table.exact,
        "unit": table.layout.unit,
        "cells": table.layout.cells,
        "table_seconds": tabled,
        "count_seconds": counted,
        "imports_megabytes": before,
        "table_peak_megabytes": table_peak,
        "count_peak_megabytes": megabytes(),
        "lists_per_second": rate(table, budget),
        "mutate_milliseconds": each(table, "mutate", encodings),
        "decode_milliseconds": each(table, "decode", encodings[:50]),
    }


def budget_for(whole: BudgetTable, fraction: float) -> int:
    """The cost under which so much of the whole space lies."""
    reach = np.cumsum(whole.filled.root_counts)
    units = int(whole.filled.root_costs[np.searchsorted(reach, fraction * reach[-1])])
    return whole.graph.cheapest + units * whole.layout.unit


def walk(chain: StageChain, rng: np.random.Generator) -> tuple[Options, int]:
    """One list, each decision drawn by itself: what other systems reject from. Not uniform."""
    state, price, found = chain.start(), 0, list[Option]()
    while following := chain.options(len(found), state):
        option = following[int(rng.integers(len(following)))]
        state, step = chain.step(len(found), state, option)
        found.append(option)
        price += step
    return tuple(found), price + chain.finish(state)


def rejected(name: str) -> list[dict[str, float | int]]:
    """Rejection and the table at budgets that few encodings fit."""
    chain, _ = built(name)
    # Without a budget only the root's total matters: coarse bins draw just as uniformly.
    whole = tabulate(chain, memory=1 << 26)
    rows = []
    for fraction in FRACTIONS:
        high = budget_for(whole, fraction)
        table = tabulate(chain, high)
        rng = np.random.default_rng(3)
        tried = accepted = 0
        began = time.perf_counter()
        while time.perf_counter() - began < PATIENCE:
            encodings = whole.sample(rng, 4096)
            accepted += sum(whole.cost(options) <= high for options in encodings)
            tried += len(encodings)
        uniform = accepted / (time.perf_counter() - began)
        walked = walk_accepted = 0
        began = time.perf_counter()
        while time.perf_counter() - began < PATIENCE:
            walk_accepted += walk(chain, rng)[1] <= high
            walked += 1
        stepwise = walk_accepted / (time.perf_counter() - began)
        rows.append(
            {
                "fraction": fraction,
                "budget": high,
                "fits": accepted / tried,
                "table": rate(table, high),
                "rejection": uniform,
                "stepwise_fits": walk_accepted / walked,
                "stepwise": stepwise,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=[f"{n}-{p}" for n in SPACES for p in ("table", "reject")])
    part = parser.parse_args().part
    if part:
        name, what = part.split("-")
        print(json.dumps(figures(name) if what == "table" else rejected(name)))
        return
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    for name, (shape, _, budget) in SPACES.items():
        found = measured(f"{name}-table")
        print(f"\n{name}, {shape.height}x{shape.width}x{shape.channels}, budget {budget:,}")
        for key, value in found.items():
            print(f"  {key:22} {value:,.3f}" if isinstance(value, float) else f"  {key:22} {value}")
        for row in measured(f"{name}-reject"):
            print(
                f"  {row['fraction']:.2%} fits {row['budget']:,}: table {row['table']:,.0f}/s,"
                f" uniform rejection {row['rejection']:,.1f}/s ({row['fits']:.4%} pass),"
                f" decision by decision {row['stepwise']:,.1f}/s ({row['stepwise_fits']:.4%} pass),"
                f" ratio {_ratio(row['table'], row['rejection'])}"
                f" and {_ratio(row['table'], row['stepwise'])}"
            )


def measured(part: str) -> "dict[str, float] | list[dict[str, float]]":
    """Run one part in a process of its own."""
    command = [sys.executable, __file__, "--part", part]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def _ratio(table: float, rejection: float) -> str:
    return f"{table / rejection:,.0f}" if rejection else f"> {table * PATIENCE:,.0f}"


if __name__ == "__main__":
    main()
