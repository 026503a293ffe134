"""The front as a table in the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from search.study.trials import FrontEntry
from search.units import format_multiplies


def show(console: Console, content: Mapping[str, Any], found: Sequence[FrontEntry]) -> None:
    """Print a front, `content` being what `front.json` says of it."""
    info = content["facts"]
    data = f" on {info['data']['name']}" if info["data"] else ""
    low = f"{format_multiplies(info['low'])} to " if info["low"] else ""
    console.print(
        f"Front of {content['study']}: {len(found)} of {content['trials']} trials{data},"
        f" budget {low}{format_multiplies(info['high'])} multiplies",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("arch", no_wrap=True)
    confirmed = content.get("confirmed", False)
    searched = ("in search",) if confirmed else ()
    for name in ("multiplies", "params", "accuracy", *searched):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("blocks")
    for row in found:
        table.add_row(
            row.arch_id,
            format_multiplies(row.multiplies),
            "" if row.params is None else f"{row.params:,}",
            accuracy(row),
            *((f"{row.search_accuracy:.4f}",) if confirmed else ()),
            row.ops or _short(row.value),
        )
    console.print(table)
    if confirmed:
        console.print(
            "accuracy is the mean over fresh seeds ± their standard deviation; in search, what the"
            " search had measured",
            highlight=False,
        )
    console.print(
        f"hypervolume {content['hypervolume']:.4f} (share of the area between the cheapest"
        f" architecture, {format_multiplies(info['cheapest'])}, and the budget, and between"
        f" chance, {info['chance']:.3g}, and 1)",
        highlight=False,
        markup=False,
    )


def accuracy(row: FrontEntry) -> str:
    """Write a member's accuracy, with its standard deviation where there are several seeds."""
    return f"{row.accuracy:.4f}" + (f" ± {row.accuracy_std:.4f}" if row.seeds > 1 else "")


def _short(value: str) -> str:
    return value if len(value) <= 40 else f"{value[:37]}..."
