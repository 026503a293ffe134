"""The evaluator that trains: from a job to its result, by way of checkpoints."""

import gc
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from search.config.train import TrainConfig
from search.cores import cores
from search.data.dataset import Dataset, Split
from search.engine.checkpoints import Arrays, Checkpoints
from search.engine.curves import Rows, curve_of, no_rows
from search.engine.distillation import SoftLabels
from search.engine.fitted import Diverged, Fitted, Initial, Save, Start
from search.engine.kept import FINAL, KeptTrainings, key_of
from search.engine.programs.choice import trainings_at_once
from search.engine.signature import signature
from search.engine.state import State, from_arrays, to_arrays
from search.engine.trainer import Trainer
from search.engine.turns import Turns
from search.errors import UserError
from search.jobs import Job, Options, Result, failed
from search.networks.arch import Arch

# Where a file keeps the stable phase's arrays, and the numbers of the result.
_STABLE, _RESULT = "trunk", "result"
# A partial checkpoint has, instead of the final arrays and the result, how many steps its stable
# phase has made.
_STEPS = "steps"
# The rows of the curve, at the end of the training and of its stable phase; absent from files that
# were written before there were curves.
_CURVE, _STABLE_CURVE = "curve", "stable_curve"
_NUMBERS = ("accuracy", "loss", "balanced_accuracy", "train_loss", "decay_start")


class TrainingEvaluator:
    """Trains the architecture of a job and reports its validation accuracy.

    Results depend on (arch, epochs, seed, data, settings) and the machine alone. Several threads
    may call one evaluator at once.

    On the CPU a job repeats to the last bit, in any order and any process. On a GPU the batches,
    initial weights and augmentation repeat; sums may be taken in another order by kernels that
    autotuning picks, so accuracies repeat within the noise of rounding unless XLA is told
    `--xla_gpu_deterministic_ops=true --xla_gpu_autotune_level=0`. What autotuning picked is kept
    beside the compiled programs, so that all jobs of a study take the same kernels.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: TrainConfig,
        checkpoints: Path | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        soft: SoftLabels | None = None,
        initial: Initial | None = None,
        programs: str | None = "",
    ) -> None:
        """Put the data on JAX's first device.

        `soft`: a teacher's labels of the training images; `initial`: weights to begin with;
        `programs`: folder in which compiled programs are kept for later processes, empty for the
        user's cache folder, None for nowhere. No result depends on it.

        `checkpoints` is a folder of this study's own, or None to keep nothing; `clock` tells the
        seconds between partial ones. Raises `UserError` for settings out of range.
        """
        device = jax.local_devices()[0]
        self._trainer = Trainer(dataset, settings, device, soft, initial, programs)
        self._turns = Turns()
        self._clock, self._interval = clock, 60 * settings.checkpoint_minutes
        self._dataset, self._settings, self._extras = dataset, settings, (soft, initial)
        self._store = self._checkpoints(checkpoints, dataset)

    def scored_on(self, part: Split, folder: Path | None) -> "TrainingEvaluator":
        """Return an evaluator that trains alike and scores on another part.

        They share the images on the device and compiled programs; its checkpoints lie in `folder`.
        """
        other = copy(self)
        other._trainer = self._trainer.scored_on(part)
        other._store = self._checkpoints(folder, replace(self._dataset, validation=part))
        return other

    def _checkpoints(self, folder: Path | None, dataset: Dataset) -> Checkpoints | None:
        if folder is None:
            return None
        device = self._trainer.device
        made = signature(dataset, self._settings, device, *self._extras)
        return Checkpoints(folder, made)

    @property
    def precision(self) -> str:
        """The type of maps and products, as resolved for the device."""
        return self._trainer.recipe.dtype

    @property
    def at_once(self) -> int:
        """How many jobs are best evaluated at once in this process; no result depends on it."""
        height, width, _ = self._trainer.image
        return trainings_at_once(self._trainer.recipe, height, width, cores())

    @property
    def stop(self) -> threading.Event:
        """While it is set, trainings end by a `KeyboardInterrupt` before their next step."""
        return self._trainer.stop

    @property
    def notes(self) -> list[str]:
        """What a user should know of how trainings are set up here, a line each."""
        return self._trainer.notes

    def __call__(self, job: Job) -> Result:
        """Train and evaluate.

        What is wrong with the candidate is the result's `error`: the loss diverges, or memory does
        not suffice although nothing else is trained here. Any other exception is raised as it is:
        nothing about the candidate follows from a file, a device or memory that others hold.
        """
        began = time.perf_counter()
        try:
            with self._turns.together():
                return self._trained(job, began)
        except Exception as error:
            if not out_of_memory(error):
                raise
        # Out of the handler, whose traceback holds the arrays of the training that failed.
        self._trainer.programs.clear()
        gc.collect()
        try:
            with self._turns.alone():
                return self._trained(job, began)
        except Exception as error:
            if not out_of_memory(error):
                raise
            told = f"refused by the platform when alone: {reason(error)}"
            return failed(told, time.perf_counter() - began)

    def _trained(self, job: Job, began: float) -> Result:
        try:
            arch = self._arch(job)
            known = self._known(job)
            if known is not None:
                numbers, rows = known
                return _result(numbers, rows, time.perf_counter() - began)
            start, save = self._start(arch, job), self._saving(job)
            fitted = self._trainer.fit(arch, job.epochs, job.seed, start, save)
        except (Diverged, UserError) as error:
            curve = error.curve if isinstance(error, Diverged) else None
            return failed(str(error), time.perf_counter() - began, curve)
        finally:
            self._trainer.programs.release(job)
        return self._finished(job, fitted, time.perf_counter() - began)

    def _saving(self, job: Job) -> Save | None:
        """Return what writes the job's partial checkpoints, if any are wanted."""
        store, last = self._store, self._clock()
        if store is None or not self._interval:
            return None

        def save(steps: int, rows: Rows, state: Callable[[], State]) -> None:
            nonlocal last
            if self._clock() - last >= self._interval:
                arrays = {f"{_STABLE}{name}": one for name, one in to_arrays(state()).items()}
                place = replace(key_of(job), partial=True)
                made = {_STEPS: np.array(steps, np.int64), _STABLE_CURVE: rows}
                store.write(place, {**arrays, **made})
                last = self._clock()

        return save

    def together(self, jobs: Sequence[Job]) -> list[Result]:
        """Evaluate several jobs side by side on this device; their results in the same order.

        On the CPU each job has a thread of its own, and its result is the one it has alone, to the
        last bit. On accelerators the seeds of one candidate run as one program, unless some of them
        go on from a checkpoint: equal to the trainings one by one but for rounding. Their `seconds`
        are each an equal share of the time that all took.
        """
        groups: dict[tuple[Options, int], list[int]] = {}
        for place, job in enumerate(jobs):
            groups.setdefault((job.options, job.epochs), []).append(place)
        found: dict[int, Result] = {}
        alone: list[int] = []
        for places in groups.values():
            results = self._seeds([jobs[place] for place in places])
            if results is None:
                alone += places
            else:
                found.update(zip(places, results, strict=True))
        with ThreadPoolExecutor(max(1, len(alone)), thread_name_prefix="train") as threads:
            found.update(zip(alone, threads.map(self, [jobs[i] for i in alone]), strict=True))
        return [found[place] for place in range(len(jobs))]

    def side_by_side(self, job: Job) -> bool:
        """Return whether several seeds of this job gain by `together`: on accelerators alone."""
        return self._trainer.side_by_side(self._arch(job), job.epochs)

    def _seeds(self, jobs: Sequence[Job]) -> list[Result] | None:
        """Evaluate seeds of one candidate in one program; None where each has to go alone."""
        began = time.perf_counter()
        seeds = [job.seed for job in jobs]
        try:
            arch = self._arch(jobs[0])
            if len(set(seeds)) < 2 or not self._trainer.side_by_side(arch, jobs[0].epochs):
                return None
            if len(set(seeds)) < len(seeds) or any(self._start(arch, job) for job in jobs):
                return None
            if any(self._known(job) for job in jobs):
                return None
            fitted = self._trainer.fit_seeds(arch, jobs[0].epochs, seeds)
        except Exception:
            # Side by side they may not fit into memory; what else is wrong shows again alone.
            return None
        share = (time.perf_counter() - began) / len(jobs)
        return [
            failed(str(one), share, one.curve)
            if isinstance(one, Diverged)
            else self._finished(job, one, share)
            for job, one in zip(jobs, fitted, strict=True)
        ]

    def _finished(self, job: Job, fitted: Fitted, seconds: float) -> Result:
        """Keep a training's checkpoint and return its result."""
        numbers = _numbers(fitted)
        if self._store is not None:
            self._store.write(key_of(job), _arrays(fitted, numbers))
        return _result(numbers, fitted.rows, seconds, fitted.compile_seconds)

    def prepare(self, job: Job) -> None:
        """Begin to compile for a job that is to come; never changes a result, never raises."""
        try:
            self._trainer.prepare(self._arch(job), job.epochs, job)
        except Exception:
            # The job itself will meet the same fault and report it.
            return

    def weights(self, job: Job) -> dict[str, NDArray[Any]]:
        """Return the final weights of a finished job, named as in `search.build`'s module.

        Raises `UserError` where its checkpoint is not there.
        """
        if self._store is None:
            raise UserError(f"{job.candidate.id} has no checkpoint, for none are kept here")
        return KeptTrainings(self._store).weights(job)

    def keep(self, jobs: Iterable[Job]) -> None:
        """Delete every checkpoint that these jobs neither are nor can go on from."""
        if self._store is not None:
            KeptTrainings(self._store).keep(jobs)

    def _arch(self, job: Job) -> Arch:
        if isinstance(job.epochs, bool) or job.epochs < 1:
            raise UserError(f"epochs={job.epochs}; a training takes at least one")
        arch: Arch = job.candidate.value
        image = (arch.input.height, arch.input.width, arch.input.channels)
        if image != self._trainer.image or arch.classes != self._trainer.recipe.classes:
            raise UserError(
                f"{arch.id} is for {'×'.join(map(str, image))} and {arch.classes} classes; the"
                f" data has {'×'.join(map(str, self._trainer.image))}"
                f" and {self._trainer.recipe.classes}"
            )
        return arch

    def _known(self, job: Job) -> tuple[dict[str, float], Rows] | None:
        arrays = self._store.read(key_of(job)) if self._store is not None else None
        if arrays is None or _RESULT not in arrays:
            return None
        numbers = dict(zip(_NUMBERS, map(float, arrays[_RESULT]), strict=True))
        return numbers, arrays.get(_CURVE, no_rows())

    def _start(self, arch: Arch, job: Job) -> Start | None:
        if self._store is None:
            return None
        for place in self._store.longest(key_of(job)):
            arrays = self._store.read(place)
            if arrays is not None:
                stable = self._stable_phase(arch, arrays)
                rows = arrays.get(_STABLE_CURVE, no_rows())
                if place.partial:
                    return Start(stable, int(arrays[_STEPS]), rows)
                known = dict(zip(_NUMBERS, arrays[_RESULT], strict=True))
                return Start(stable, int(known["decay_start"]), rows)
        return None

    def _stable_phase(self, arch: Arch, arrays: Arrays) -> State:
        own = {k.removeprefix(_STABLE): v for k, v in arrays.items() if k.startswith(_STABLE)}
        return from_arrays(own, self._trainer.like(arch))


def out_of_memory(error: BaseException) -> bool:
    """Say whether memory ran out, on the device or in the process."""
    if isinstance(error, MemoryError):
        return True
    # XLA's exceptions have one type for everything; only the text tells them apart.
    text = str(error)
    return "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()


def reason(error: BaseException) -> str:
    """Return one line that says what went wrong."""
    text = " ".join(str(error).split())
    return f"out of memory: {text}" if out_of_memory(error) else f"{type(error).__name__}: {text}"


def _numbers(fitted: Fitted) -> dict[str, float]:
    scores = fitted.scores
    values = (scores.accuracy, scores.loss, scores.balanced, fitted.train_loss, fitted.decay_start)
    return dict(zip(_NUMBERS, map(float, values), strict=True))


def _arrays(fitted: Fitted, numbers: dict[str, float]) -> Arrays:
    final = to_arrays(fitted.state._replace(opt_state={}))
    return {
        **{f"{_STABLE}{name}": value for name, value in to_arrays(fitted.stable_phase).items()},
        **{f"{FINAL}{name}": value for name, value in final.items()},
        _RESULT: np.array([numbers[name] for name in _NUMBERS], np.float64),
        _CURVE: fitted.rows,
        _STABLE_CURVE: fitted.stable_rows,
    }


def _result(
    numbers: dict[str, float], rows: Rows, seconds: float, compiling: float = 0.0
) -> Result:
    details = {
        "balanced_accuracy": numbers["balanced_accuracy"],
        "train_loss": numbers["train_loss"],
        "compile_seconds": compiling,
    }
    accuracy, loss = numbers["accuracy"], numbers["loss"]
    return Result(accuracy, loss, seconds, "ok", "", details, curve=curve_of(rows))
