"""TensorBoard's event files: one run of the search over trials, and one of each trial's curve."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from search.files import reported
from search.jobs import Curve
from search.loggers.protocol import Place, curve_points
from search.study.trials import Trial


class TensorBoard:
    """Writes the run `search`, with the trial's number as step, and `trials/0007-ARCH_ID`."""

    def __init__(self, place: Place) -> None:
        self._folder = place.folder
        self._search = _Events(self._folder / "search")

    def log(self, trial: Trial, curve: Curve | None, figures: Mapping[str, float]) -> None:
        """Write the figures of a trial, and its curve as a run with epochs as steps."""
        self._search.write(trial.number, {f"search/{key}": one for key, one in figures.items()})
        if curve is None:
            return
        events = _Events(self._folder / "trials" / f"{trial.number:04}-{trial.arch_id}")
        for epoch, values in curve_points(curve):
            events.write(epoch, {f"curve/{name}": value for name, value in values.items()})
        events.close()

    def close(self) -> None:
        """Close the run of the search."""
        self._search.close()


class _Events:
    """One event file. Not by TensorBoard's own writer, which imports TensorFlow where it is."""

    def __init__(self, folder: Path) -> None:
        with reported(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # Readers take every file of that beginning; a resumed search adds one.
            name = f"events.out.tfevents.{time.time_ns() // 1000}.{os.getpid()}"
            self._file = (folder / name).open("xb")
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        scalars = [Summary.Value(tag=name, simple_value=one) for name, one in values.items()]
        self._write(step=step, summary=Summary(value=scalars))
        with reported(Path(self._file.name)):
            self._file.flush()

    def close(self) -> None:
        self._records.close()

    def _write(self, **values: Any) -> None:
        event = Event(wall_time=time.time(), **values)
        self._records.write(event.SerializeToString())
