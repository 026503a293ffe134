"""What `convbudget space` prints: the size of a space, its costs, and sample networks."""

import json
from dataclasses import dataclass
from typing import IO

import numpy as np

from search.jobs import Options
from search.spaces import BudgetTable, Chain, tabulate, value_id
from search.units import format_multiplies

_BINS = 12
_SAMPLES = 10
_BAR = 40


@dataclass(frozen=True)
class Bin:
    """One bar of the histogram: `count` encodings cost from `low` to `high` multiplies."""

    low: int
    high: int
    count: int


def show(
    chain: Chain,
    low: int = 0,
    high: int | None = None,
    *,
    seed: int = 0,
    as_json: bool = False,
    out: IO[str],
) -> None:
    """Print what a space holds within [low, high] multiplies, as text or as one JSON object.

    `high` defaults to the cost of the most expensive network. Raises `UserError` where nothing is
    inside.
    """
    table = tabulate(chain, high)
    high = table.high
    table.inside(low, high)
    within = table.count(low, high)
    bins = histogram(table, low, high)
    samples = table.sample_level(np.random.default_rng(seed), _SAMPLES, low, high)
    if as_json:
        found = {
            "size": table.size,
            "within_budget": within,
            "exact": table.exact,
            "budget_low": low,
            "budget": high,
            "blur": table.blur,
            "cheapest": _row(table, table.cheapest()[1]),
            "dearest": _row(table, table.most_expensive()[1]),
            "histogram": [{"low": b.low, "high": b.high, "count": b.count} for b in bins],
            "samples": [_row(table, options) for options in samples],
        }
        print(json.dumps(found, indent=2), file=out)
        return
    for line in _text(table, low, high, within, bins, samples):
        print(line, file=out)


def histogram(table: BudgetTable, low: int, high: int) -> list[Bin]:
    """Count the encodings inside in bins of equal width in the logarithm of the cost."""
    begin = max(low, table.graph.cheapest)
    end = max(begin, min(high, table.graph.most_expensive))
    edges = np.geomspace(max(begin, 1), max(end, 1), _BINS + 1)[1:-1]
    lows = sorted({begin, *(int(edge) for edge in edges if begin < int(edge) <= end)})
    highs = [later - 1 for later in lows[1:]] + [end]
    # All counted from the same low end, so that a binned table's rounding there occurs only once.
    reached = [table.count(low, last) for last in highs]
    counts = [now - before for before, now in zip([0, *reached], reached, strict=False)]
    return [Bin(*entry) for entry in zip(lows, highs, counts, strict=True)]


def _row(table: BudgetTable, options: Options) -> dict[str, object]:
    return {
        "id": value_id(table.chain.value(options)),
        "multiplies": table.cost(options),
        "options": list(options),
    }


def _text(
    table: BudgetTable,
    low: int,
    high: int,
    within: int,
    bins: list[Bin],
    samples: list[Options],
) -> list[str]:
    about = "exactly" if table.exact else f"or more, costs known within {table.blur},"
    lines = [
        f"space          {_count(table.size)} networks",
        f"within budget  {_count(within)} {about} from {low} to {high} multiplies"
        f" ({within / table.size:.2%} of the space)",
        f"cheapest       {_encoding(table, table.cheapest()[1])}",
        f"most expensive {_encoding(table, table.most_expensive()[1])}",
        "",
        "networks by multiplies (bar length = log2(count))",
    ]
    longest = max((entry.count.bit_length() for entry in bins), default=1)
    for entry in bins:
        bar = "#" * round(_BAR * entry.count.bit_length() / longest)
        ends = f"{format_multiplies(entry.low):>7} - {format_multiplies(entry.high):<7}"
        lines.append(f"{ends} {bar:<{_BAR}} {entry.count:.1e}".replace("e+", "e"))
    lines += ["", f"{len(samples)} samples, evenly spread over the logarithm of the cost"]
    lines += [f"{_encoding(table, options)}" for options in samples]
    return lines


def _count(value: int) -> str:
    digits = str(value)
    return f"{value:,}" if len(digits) < 16 else f"{digits} (about 10^{len(digits) - 1})"


def _encoding(table: BudgetTable, options: Options) -> str:
    return f"{format_multiplies(table.cost(options)):>7}  {' '.join(map(str, options))}"
