"""`convbudget latency STUDY|FOLDER|FILE`: how long networks take here, beside their multiplies."""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from search.cli.arguments import Parser, positive, reads
from search.cli.cost import read_arch
from search.errors import UserError, shown
from search.export.forms import RUNTIMES, missing_runtime
from search.networks.arch import FORMAT, Arch, from_json
from search.networks.cost import multiplies_of
from search.study.database import NAME
from search.study.latency import Latency, record
from search.study.study import Study, locate
from search.study.tables import read_front

if TYPE_CHECKING:
    from rich.console import Console

_ARCH = "arch.json"
_RUNTIMES = ("jax", *RUNTIMES)
# Where the package has another name.
_PACKAGES = {"litert": "ai-edge-litert"}


def main(argv: Sequence[str]) -> int:
    """Measure the networks of a study's front, or one network; returns the exit code.

    A study keeps what was measured. Raises `UserError` for what holds no network.
    """
    arguments = _parse(argv)
    study, archs = _networks(arguments.path, everything=arguments.all)
    from rich.console import Console

    console = Console(stderr=arguments.json)
    runtimes = _runtimes(arguments.runtime, console)
    found = _measured(archs, runtimes, arguments.batch, arguments.seconds, console)
    kept = study is not None and _keep(study, found)
    if arguments.json:
        print(json.dumps([one.as_json() for one in found], indent=1))
        return 0
    from search.report.latency import correlation_notes, rows, spread_note
    from search.report.terminal import table

    console.print(table(rows(found), left=(0, 2), whole=(0, 1, 2)), highlight=False)
    notes = correlation_notes([one.as_json() for one in found])
    where = f"Kept in {study}, whose tables and page have columns of it now." if kept else ""
    for note in (*notes, spread_note(found), where):
        if note:
            console.print(note, highlight=False, markup=False, soft_wrap=True)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="convbudget latency",
        description="Measures how long compiled networks take on this machine: median and"
        " quartiles of many calls, after some to warm up.",
    )
    parser.add_argument(
        "path", metavar="STUDY|FOLDER|FILE", help=f"a study, a folder with {_ARCH}, or an arch JSON"
    )
    parser.add_argument(
        "--batch",
        nargs="+",
        type=reads(positive),
        default=[1, 64],
        metavar="N",
        help="images a call (1 64)",
    )
    parser.add_argument(
        "--runtime",
        choices=(*_RUNTIMES, "all"),
        metavar="NAME",
        help=f"what runs them: {', '.join(_RUNTIMES)} or all; by default those that are installed",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="every network that the study trained in full, not its front alone",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=1.0,
        metavar="S",
        help="how long each is measured (1)",
    )
    parser.add_argument("--json", action="store_true", help="print a list of measurements")
    return parser.parse_args(argv)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"'{shown(text)}' is not from 0 to 3600; write seconds")
    return seconds


def _networks(text: str, *, everything: bool) -> tuple[Path | None, list[Arch]]:
    """Return the study's folder, None for a network by itself, and the networks to measure."""
    path = Path(text)
    try:
        alone = path.is_file() or (path / _ARCH).is_file()
    except (OSError, ValueError):
        alone = False
    if alone:
        if everything:
            raise UserError(f"--all has no effect on {shown(text)}, one network; leave it out")
        return None, [read_arch(path if path.is_file() else path / _ARCH)]
    folder = locate(text)
    _, front = read_front(folder)
    values = {row.arch_id: row.value for row in front}
    if everything:
        if not (folder / NAME).exists():
            raise UserError(
                f"{folder} keeps its front alone, and no other network; leave out --all"
            )
        with Study.read(folder) as study:
            epochs = study.info.epochs
            done = [trial for trial in study.trials() if trial.completed(epochs)]
        values = {trial.arch_id: trial.value for trial in done}
    # The trials of a study share one space: either all of them are networks or none is.
    own = [json.loads(value) for value in values.values()]
    if not all(isinstance(one, dict) and one.get("format") == FORMAT for one in own):
        raise UserError(
            f"{folder} is a study of a space of your own; only networks can be measured"
        )
    if not values:
        raise UserError(f"{folder} has no front yet; run its command until a trial succeeds")
    return folder, [from_json(value, key) for key, value in values.items()]


def _runtimes(chosen: str | None, console: "Console") -> list[str]:
    """Return what is to run the networks; raises `UserError` where it is not installed.

    Where nothing is chosen, what is not installed is said and left out.
    """
    wanted = [*_RUNTIMES] if chosen in (None, "all") else [chosen]
    lacking = {name: missing_runtime(name) for name in wanted if name in RUNTIMES}
    for name, lacks in lacking.items():
        if lacks and chosen is not None:
            raise UserError(
                f"--runtime {chosen} needs {lacks}, or measure what is installed without --runtime"
            )
        if lacks:
            console.print(
                f"not measured: {name} (needs {lacks})",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
    return [name for name in wanted if not lacking.get(name)]


def _measured(
    archs: Sequence[Arch],
    runtimes: Sequence[str],
    batches: Sequence[int],
    seconds: float,
    console: "Console",
) -> list[Latency]:
    from rich.progress import track

    from search.cores import cores
    from search.engine.latency import jax_call, measure
    from search.executors.devices import computed_on, describe
    from search.export.latency import PLATFORM, runtime_calls

    described = computed_on("float32")
    on = {"jax": (described["platform"], described["device_kind"])}
    console.print(
        f"device: {describe()}; float32, run by {', '.join(map(_versioned, runtimes))};"
        f" {seconds:g} s each",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    found = []
    pairs = [(arch, runtime) for arch in archs for runtime in runtimes]
    for arch, runtime in track(
        pairs, "measuring", console=console, transient=True, disable=not console.is_terminal
    ):
        other = runtime != "jax"
        calls = runtime_calls(runtime, arch, cores()) if other else partial(jax_call, arch)
        for batch in dict.fromkeys(batches):
            timing = measure(calls(batch), seconds)
            found.append(
                Latency(
                    arch.id,
                    multiplies_of(arch),
                    runtime,
                    batch,
                    *on.get(runtime, (PLATFORM, PLATFORM)),
                    cores(),
                    timing.calls,
                    timing.median,
                    timing.lower,
                    timing.upper,
                )
            )
    return found


def _versioned(runtime: str) -> str:
    return f"{runtime} {version(_PACKAGES.get(runtime, runtime))}"


def _keep(folder: Path, found: Sequence[Latency]) -> bool:
    """Record measurements in a study and renew its tables; False where it keeps tables alone."""
    if not (folder / NAME).exists():
        return False
    from search.report.study import leave

    with Study.read(folder) as seen:
        settings, info = seen.settings, seen.info
    with Study.open(folder, settings, info) as study:
        record(study, found)
        leave(study, study.trials())
    return True
