"""The training loop: from fresh weights to the validation accuracy, on one device."""

import threading
import time
from collections.abc import Hashable, Sequence
from copy import copy
from functools import cached_property, partial

import jax
import numpy as np
from numpy.typing import NDArray

from search.config.train import TrainConfig
from search.data.dataset import Dataset, Split
from search.engine.batches import Resident, Steps, feed_of, for_statistics
from search.engine.curves import Rows, curve_of, no_rows, with_steps, with_validation
from search.engine.distillation import SoftLabels
from search.engine.fitted import Diverged, Fitted, Initial, Save, Start
from search.engine.forward import Totals, no_totals
from search.engine.programs.base import TrainingPrograms
from search.engine.programs.cache import ProgramCache
from search.engine.programs.choice import per_layer_steps
from search.engine.programs.compile import settled
from search.engine.programs.per_epoch import PerEpochProgram
from search.engine.programs.per_layer import PerLayerPrograms
from search.engine.programs.per_step import PerStepProgram
from search.engine.programs.store import open_store
from search.engine.recipe import missing_kernels, recipe_of
from search.engine.schedule import Schedule, order
from search.engine.scores import scores
from search.engine.state import State, fresh, shaped, with_weights
from search.errors import UserError
from search.networks.arch import Arch
from search.networks.layers import Layer, layers_of

_END = 2**62


class Trainer:
    """Trains networks on one data set and one device. Safe to use from several threads.

    `soft`: a teacher's labels of the training images; `initial`: weights to begin with, by the id
    of the architecture and their own names; `programs`: where compiled programs are kept, see
    `open_store`; `notes`: what a user should know of how trainings are set up; `stop`, once set,
    ends all that run by a `KeyboardInterrupt`.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainConfig,
        device: jax.Device,
        soft: SoftLabels | None = None,
        initial: Initial | None = None,
        programs: str | None = "",
    ) -> None:
        self.device, self.stop = device, threading.Event()
        self._initial = initial or {}
        distillation = None if soft is None else soft.distillation
        self.recipe = recipe_of(dataset, config, device, distillation)
        self._form, self._resident_megabytes = config.form, config.resident_megabytes
        self._validate_epochs = config.validate == "epoch"
        self.image = dataset.shape
        self._count = len(dataset.train)
        self._training = feed_of(dataset.train, device, config.resident_megabytes, soft)
        self._validation = feed_of(dataset.validation, device, config.resident_megabytes)
        self._held_out = len(dataset.validation)
        steps = max(1, self._count // self.recipe.batch)
        decay = 0.0 if self.recipe.averaged else config.decay
        self.schedule = Schedule(steps, config.learning_rate, config.warmup, decay)
        kept, note = open_store(programs, device)
        self.programs = ProgramCache(device, kept)
        self.notes = [one for one in (note, missing_kernels(self.recipe, config)) if one]

    @cached_property
    def sampled(self) -> NDArray[np.int32]:
        """Batches of the training part that statistics of averaged weights are taken of."""
        return for_statistics(self._count, self.recipe.batch)

    def scored_on(self, part: Split) -> "Trainer":
        """Return a trainer that scores on another part; training images and programs are shared."""
        other = copy(self)
        other._validation = feed_of(part, self.device, self._resident_megabytes)
        other._held_out = len(part)
        return other

    def prepare(self, arch: Arch, epochs: int, holder: Hashable) -> None:
        """Start compiling a training's programs, which stay until `programs.release(holder)`."""
        with settled():
            self._start(self._forms(arch), epochs, holder)

    def fit(
        self,
        arch: Arch,
        epochs: int,
        seed: int,
        start: Start | None = None,
        save: Save | None = None,
    ) -> Fitted:
        """Train for so many epochs, from `start` if there is one.

        Raises `Diverged` when the loss is NaN or infinite.
        """
        with settled():
            state, step, rows = start or Start(self._fresh(arch, seed), 0, no_rows())
            run = _Run(self, arch, self._forms(arch), epochs, (seed,), save)
            (fitted,) = run.finish([state], step, rows)
        if isinstance(fitted, Diverged):
            raise fitted
        return fitted

    def fit_seeds(self, arch: Arch, epochs: int, seeds: Sequence[int]) -> list[Fitted | Diverged]:
        """Train several seeds of one network side by side, in one program.

        Each result equals that of `fit` but for rounding. Raises `UserError` where the data is
        streamed: then each seed has to be trained by itself.
        """
        if not self._resident:
            raise UserError(
                "several seeds in one program need the data on the device; raise"
                " train.resident_megabytes, or train them one by one"
            )
        with settled():
            form = self._looped(layers_of(arch), len(seeds))
            states = [self._fresh(arch, seed) for seed in seeds]
            run = _Run(self, arch, [(form, 0, _END)], epochs, tuple(seeds))
            return run.finish(states, 0, no_rows())

    def side_by_side(self, arch: Arch, epochs: int) -> bool:
        """Whether seeds of a network are better trained by `fit_seeds` than one by one.

        On accelerators, unless they would make do with programs that other networks share.
        """
        loops = self._loops and self.recipe.platform != "cpu"
        return loops and self._change(layers_of(arch)) < self.schedule.total(epochs)

    def like(self, arch: Arch) -> State:
        """Return the shapes of the arrays in an architecture's state."""
        with settled():
            return shaped(layers_of(arch), self.recipe)

    def _fresh(self, arch: Arch, seed: int) -> State:
        # Else a search on the eighth device would draw its weights on the first.
        with jax.default_device(self.device):
            state = fresh(arch, self.recipe, seed)
        initial = self._initial.get(arch.id)
        return state if initial is None else with_weights(state, initial)

    @property
    def _resident(self) -> bool:
        return isinstance(self._training, Resident) and isinstance(self._validation, Resident)

    @property
    def _loops(self) -> bool:
        # In a loop XLA's own convolutions run in one thread on the CPU; the C++ kernels do not.
        return self._resident and (self.recipe.platform != "cpu" or self.recipe.native)

    def _change(self, layers: tuple[Layer, ...]) -> int:
        """Return the first step that the network's own program makes."""
        return per_layer_steps(layers, self.recipe, self.schedule.steps, self._form)

    def _start(
        self, forms: "list[tuple[TrainingPrograms, int, int]]", epochs: int, holder: Hashable
    ) -> None:
        """Start compiling the programs that a training of so many epochs reaches."""
        for form, first, _ in forms:
            if first < self.schedule.total(epochs):
                specs = form.program_specs()
                self.programs.hold(holder, specs)
                self.programs.start(specs)

    def _looped(self, layers: tuple[Layer, ...], seeds: int) -> PerEpochProgram:
        images = self._count, self._held_out
        return PerEpochProgram(layers, self.recipe, self.image, images, seeds, self.schedule.steps)

    def _forms(self, arch: Arch) -> list[tuple[TrainingPrograms, int, int]]:
        """Return a training's programs, each with its first step and the one after its last."""
        layers = layers_of(arch)
        change = self._change(layers)
        size = self.recipe.batch
        lengths = (self._training.length(size), self._validation.length(size))
        found: list[tuple[TrainingPrograms, int, int]] = []
        if change:
            found.append((PerLayerPrograms(layers, self.recipe, self.image, lengths), 0, change))
        if self._loops:
            found.append((self._looped(layers, 1), change, _END))
        else:
            found.append((PerStepProgram(layers, self.recipe, self.image, lengths), change, _END))
        return found


class _Run:
    """Trainings side by side: their programs by step, and the time spent compiling."""

    def __init__(
        self,
        trainer: Trainer,
        arch: Arch,
        forms: list[tuple[TrainingPrograms, int, int]],
        epochs: int,
        seeds: tuple[int, ...],
        save: Save | None = None,
    ) -> None:
        self._trainer, self._forms, self._epochs, self._save = trainer, forms, epochs, save
        self._seeds, self._exact = seeds, trainer.like(arch)
        self._ready: set[int] = set()
        self._compile_seconds = 0.0
        self._train_loss = np.full(len(seeds), np.nan)
        self._rows: list[Rows] = []
        self._diverged: dict[int, Diverged] = {}

    def finish(self, states: list[State], step: int, rows: Rows) -> list[Fitted | Diverged]:
        """Train from `step` to the end and evaluate; hold the programs for as long."""
        self._rows = [rows] * len(states)
        try:
            self._trainer._start(self._forms, self._epochs, self)
            return self._finish(states, step)
        finally:
            self._trainer.programs.release(self)

    def _finish(self, states: list[State], step: int) -> list[Fitted | Diverged]:
        schedule, epochs = self._trainer.schedule, self._epochs
        decay_start, end = schedule.decay_start(epochs), schedule.total(epochs)
        stable_phases = self._advance(states, step, decay_start)
        stable_rows = list(self._rows)
        finals, every = self._evaluated(self._advance(stable_phases, decay_start, end), end)
        found: list[Fitted | Diverged] = []
        for i, totals in enumerate(every):
            broken = self._diverged.get(i)
            if broken is None and not np.isfinite(totals.loss):
                broken = Diverged(f"the validation loss is {totals.loss}")
            if broken is not None:
                broken.curve = curve_of(self._rows[i])
                found.append(broken)
                continue
            rows, measured = self._rows[i], scores(totals)
            if self._trainer._validate_epochs and len(rows):
                rows = with_validation(rows, measured.loss, measured.accuracy)
            loss, waited = float(self._train_loss[i]), self._compile_seconds
            final, stable = finals[i], stable_phases[i]
            kept = rows if decay_start == end else stable_rows[i]
            found.append(Fitted(final, stable, decay_start, measured, loss, waited, rows, kept))
        return found

    def _advance(self, states: list[State], start: int, end: int) -> list[State]:
        """Make steps `start` to `end`; return the states on the host."""
        for form, low, high in self._forms:
            low, high = max(low, start), min(high, end)
            if low < high:
                self._wait(form)
                states = self._steps(form, states, low, high)
        return states

    def _wait(self, form: TrainingPrograms) -> None:
        if id(form) not in self._ready:
            self._compile_seconds += form.ready(self._trainer.programs)
            self._ready.add(id(form))

    def _steps(
        self, form: TrainingPrograms, states: list[State], start: int, end: int
    ) -> list[State]:
        trainer = self._trainer
        schedule, per = trainer.schedule, trainer.schedule.steps
        seeds = np.array([seed % 2**32 for seed in self._seeds], np.uint32)
        state = form.to_device(states, trainer.device)
        while start < end and len(self._diverged) < len(seeds):
            epoch = start // per
            pause = min(end, (epoch + 1) * per)
            chosen = np.stack(
                [order(trainer._count, trainer.recipe.batch, seed, epoch) for seed in self._seeds]
            )[:, start - epoch * per : pause - epoch * per]
            numbers = range(start, pause)
            rates = np.array([schedule.rate(step, self._epochs) for step in numbers], np.float32)
            steps = Steps(chosen, seeds, start, rates, trainer.stop)
            began = time.perf_counter()
            state, measured = form.advance(state, trainer._training, steps)
            seconds = (time.perf_counter() - began) / len(seeds)
            self._rows = [
                with_steps(rows, epoch + 1, one, rates, seconds)
                for rows, one in zip(self._rows, measured, strict=True)
            ]
            losses = measured[..., 0]
            for i in np.flatnonzero(~np.isfinite(losses).all(1)).tolist():
                told = f"the loss is {losses[i, -1]} in epoch {epoch + 1}"
                self._diverged.setdefault(i, Diverged(told))
            self._train_loss = losses.mean(1)
            start = pause
            last = start == schedule.total(self._epochs)
            if trainer._validate_epochs and not self._diverged and not last and not start % per:
                shown = self._to_evaluate(form, state)
                for i, one in enumerate(form.totals(shown, trainer._validation, trainer._held_out)):
                    found = scores(one)
                    self._rows[i] = with_validation(self._rows[i], found.loss, found.accuracy)
            if (
                self._save is not None
                and not self._diverged
                and start < schedule.decay_start(self._epochs)
            ):
                (rows,) = self._rows
                self._save(start, rows, partial(self._one_on_host, form, state))
        return form.to_host(state, self._exact)

    def _one_on_host(self, form: TrainingPrograms, state: State) -> State:
        (one,) = form.to_host(state, self._exact)
        return one

    def _to_evaluate(self, form: TrainingPrograms, state: State) -> State:
        """Return what is evaluated of a state: the average of its weights, where one is kept."""
        trainer = self._trainer
        if not trainer.recipe.averaged:
            return state
        return form.averaged(state, trainer._training, trainer.sampled)

    def _evaluated(self, states: list[State], step: int) -> tuple[list[State], list[Totals]]:
        """Final states and sums over the validation part, by the form that made the last step."""
        trainer = self._trainer
        if len(self._diverged) == len(states):
            return states, [no_totals(trainer.recipe.classes)] * len(states)
        form = next(f for f, low, high in self._forms if low <= max(step - 1, 0) < high)
        self._wait(form)
        state = self._to_evaluate(form, form.to_device(states, trainer.device))
        totals = form.totals(state, trainer._validation, trainer._held_out)
        return form.to_host(state, self._exact) if trainer.recipe.averaged else states, totals
