"""Progress of a search: a bar on a terminal, plain lines elsewhere, every line in `run.log`."""

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from search.errors import shown
from search.files import append
from search.pareto import Objective, value_of
from search.study.trials import Trial
from search.units import counted, format_multiplies

# Seconds between two lines without a terminal: cheap trials would print thousands.
_PAUSE = 1.0
# Characters of an error in a line: a few lines of a terminal.
_ERROR = 500


class ProgressEstimate:
    """Counts trials and estimates the time left from those run so far.

    `trials` and `hours` of evaluation are the limits, None for no limit; the best is by
    `objective`. `workers()`: how many trials run at once by now.
    """

    def __init__(
        self, trials: int | None, hours: float | None, objective: Objective = "accuracy"
    ) -> None:
        self._trials, self._hours, self.objective = trials, hours, objective
        self.workers: Callable[[], int] = lambda: 1
        self.done = 0
        self.failed = 0
        self.best = math.nan
        self._new = 0
        self._spent = 0.0
        self._recorded = 0.0

    def count(self, trial: Trial, new: bool) -> None:
        """Count a trial; `new` means that it was run now rather than read from the study."""
        self.done += 1
        self._recorded += trial.result.seconds
        if new:
            self._new += 1
            self._spent += trial.result.seconds
        if trial.result.status == "failed":
            self.failed += 1
        elif trial.result.status == "ok":
            value = value_of(trial.result, self.objective)
            self.best = self.best if value <= self.best else value

    def seconds_left(self) -> float | None:
        """Return the estimate in seconds, None before the first new trial."""
        left = []
        if self._trials is not None and self._new:
            missing, mean = self._trials - self.done, self._spent / self._new
            # The last ones leave some workers idle.
            left.append(missing * mean / max(1, min(self.workers(), missing)))
        if self._hours is not None:
            # Hours are of evaluation, of which several workers do as many at once.
            left.append((self._hours * 3600 - self._recorded) / self.workers())
        return max(0.0, min(left)) if left else None

    def text(self) -> str:
        """Summarise the state: `best 0.9720, about 1m20s left`."""
        best = "none yet" if math.isnan(self.best) else f"{self.best:.4f}"
        failed = f", {self.failed} failed" if self.failed else ""
        left = self.seconds_left()
        return f"best {best}{failed}" + ("" if left is None else f", about {spell(left)} left")


class Watch:
    """Shows each trial as it ends; a context manager around the search."""

    def __init__(
        self,
        console: Console,
        trials: int | None,
        hours: float | None,
        log: Path | None,
        objective: Objective = "accuracy",
        rungs: Sequence[int] = (),
    ) -> None:
        self._console, self._trials, self._log, self._rungs = console, trials, log, rungs
        self._estimate = ProgressEstimate(trials, hours, objective)
        self._last = -math.inf
        self._bar: Progress | None = None

    def __enter__(self) -> "Watch":
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("searching"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"),
                console=self._console,
            )
            self._task = self._bar.add_task("", total=self._trials, state="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def count_workers(self, workers: Callable[[], int]) -> None:
        """Estimate the time left by how many trials run at once, which may change."""
        self._estimate.workers = workers

    def tell(self, text: str) -> None:
        """Print a line and write it to the log."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        self._write(text)

    def __call__(self, trial: Trial, new: bool) -> None:
        """Show a trial; `new` as in `ProgressEstimate.count`."""
        self._estimate.count(trial, new)
        line = describe(trial, self._estimate.done, self._trials, self._estimate, self._rungs)
        if new:
            self._write(line)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._estimate.done, state=self._estimate.text())
            return
        last = self._estimate.done == self._trials
        if new and (time.monotonic() - self._last >= _PAUSE or last):
            self._last = time.monotonic()
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _write(self, line: str) -> None:
        if self._log is not None:
            append(self._log, f"{datetime.now().isoformat(' ', 'seconds')} {line}\n")


def describe(
    trial: Trial,
    done: int,
    total: int | None,
    estimate: ProgressEstimate,
    rungs: Sequence[int] = (),
) -> str:
    """Describe a trial on one line; of successive halving with the rung among `rungs` [epochs]."""
    result = trial.result
    count = f"{done}/{total}" if total else str(done)
    outcome = (
        f"{estimate.objective.replace('_', ' ')} {value_of(result, estimate.objective):.4f}"
        if result.status == "ok"
        else f"{result.status}: {shown(result.error, _ERROR)}"
    )
    return (
        f"{count}  {trial.arch_id}  {format_multiplies(trial.multiplies)} multiplies"
        f"{_rung(trial.job.epochs, rungs)}  {outcome}  {result.seconds:.1f}s  ({estimate.text()})"
    )


def _rung(epochs: int, rungs: Sequence[int]) -> str:
    if not rungs:
        return ""
    rung = f" (rung {rungs.index(epochs) + 1} of {len(rungs)})" if epochs in rungs else ""
    return f"  {counted(epochs, 'epoch')}{rung}"


def spell(seconds: float) -> str:
    """Write a duration as `42s`, `1m20s` or `3h05m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
