"""Two CSV files: a row for each trial, and a row for each epoch of each."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import fields

from search.files import append, reported
from search.jobs import Curve
from search.loggers.protocol import Place, curve_points
from search.study.trials import Trial

TRIALS = (
    *("trial", "arch_id", "status", "multiplies", "epochs", "seconds", "accuracy", "loss"),
    *("hypervolume", "best", "front"),
)
CURVES = (
    *("trial", "arch_id", "epoch"),
    *(one.name for one in fields(Curve) if one.name != "epochs"),
)


class Csv:
    """Appends to `trials.csv` and `curves.csv` in its folder, a trial at a time."""

    def __init__(self, place: Place) -> None:
        self._folder = place.folder
        with reported(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        for name, head in (("trials.csv", TRIALS), ("curves.csv", CURVES)):
            if not (self._folder / name).exists():
                self._write(name, [head])

    def log(self, trial: Trial, curve: Curve | None, figures: Mapping[str, float]) -> None:
        """Append a row, and one for each epoch."""
        known = {"trial": trial.number, "arch_id": trial.arch_id, "status": trial.result.status}
        self._write("trials.csv", [_row(TRIALS, {**known, **figures})])
        if curve is not None:
            rows = [
                _row(CURVES, {**known, "epoch": epoch, **values})
                for epoch, values in curve_points(curve)
            ]
            self._write("curves.csv", rows)

    def close(self) -> None:
        """Nothing is left to write."""

    def _write(self, name: str, rows: Sequence[Sequence[object]]) -> None:
        text = _Text()
        csv.writer(text, lineterminator="\n").writerows(rows)
        append(self._folder / name, "".join(text.parts))


class _Text:
    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, part: str) -> None:
        self.parts.append(part)


def _row(head: Sequence[str], values: Mapping[str, object]) -> list[object]:
    return [
        f"{value:.6g}" if isinstance(value, float) else value
        for value in (values.get(key, "") for key in head)
    ]
