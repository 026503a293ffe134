"""The loop: one network from its first step to its validation accuracy, on one device."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from search.arch import Arch
from search.config.train import TrainConfig
from search.images import Dataset
from search.layers import layers_of
from search.train.batches import Batch, Feed, feed_of
from search.train.form import layered_steps
from search.train.layered import Layered
from search.train.network import Totals, no_totals
from search.train.programs import Programs
from search.train.recipe import recipe_of
from search.train.schedule import Schedule, order
from search.train.state import State, fresh, resized, shaped
from search.train.whole import Whole


class Diverged(Exception):
    """The loss is no longer a number."""


class _Form(Protocol):
    like: State

    def ready(self, programs: Programs) -> float: ...

    def step(
        self, state: State, batch: Batch, seed: np.uint32, step: np.uint32, rate: np.float32
    ) -> tuple[State, Array]: ...

    def score(self, state: State, batch: Batch, mask: Array, totals: Totals) -> Totals: ...


@dataclass(frozen=True)
class Scores:
    """An exact evaluation: `accuracy` over images, `balanced` the mean over classes, `loss`."""

    accuracy: float
    balanced: float
    loss: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A finished training.

    `state`: final, on the host; `trunk`: the state after `departed` steps, from which a longer
    training goes on; `scores` on the validation part; `train_loss`: of the last epoch's batches;
    `compile_seconds`: spent waiting for programs.
    """

    state: State
    trunk: State
    departed: int
    scores: Scores
    train_loss: float
    compile_seconds: float


class Trainer:
    """Everything that trainings on one data set and one device share. Safe to use from threads."""

    def __init__(self, dataset: Dataset, config: TrainConfig, device: jax.Device) -> None:
        config.validate()
        self.device = device
        self.recipe = recipe_of(dataset, config, device)
        self._form = config.form
        self.image = dataset.shape
        self._count = len(dataset.train)
        self._training = feed_of(dataset.train, device, config.resident_megabytes)
        self._validation = feed_of(dataset.validation, device, config.resident_megabytes)
        self._held_out = len(dataset.validation)
        steps = max(1, self._count // self.recipe.batch)
        self.schedule = Schedule(steps, config.learning_rate, config.warmup, config.decay)
        self.programs = Programs(device)

    def prepare(self, arch: Arch, epochs: int) -> None:
        """Begin to compile what a training will need; changes nothing about its result."""
        for form, start, _ in self._forms(arch):
            if start < self.schedule.total(epochs):
                self.programs.start(form.blueprints())

    def fit(
        self,
        arch: Arch,
        epochs: int,
        seed: int,
        start: tuple[State, int] | None = None,
        stop: Callable[[], None] = lambda: None,
    ) -> Fitted:
        """Train for so many epochs, from `start` (a trunk and its steps) if there is one.

        `stop` is called between epochs and may raise. Raises `Diverged` when the loss is NaN or
        infinite.
        """
        departure, end = self.schedule.departure(epochs), self.schedule.total(epochs)
        state, step = start or (fresh(arch, self.recipe, seed), 0)
        run = _Run(self, arch, epochs, seed, stop)
        trunk = run.advance(state, step, departure)
        final = run.advance(trunk, departure, end)
        scores = run.scores(final, self._validation, self._held_out, end)
        return Fitted(final, trunk, departure, scores, run.train_loss, run.compile_seconds)

    def like(self, arch: Arch) -> State:
        """Shapes of the arrays in this architecture's state."""
        return shaped(layers_of(arch), self.recipe)

    def _forms(self, arch: Arch) -> "Iterator[tuple[Layered | Whole, int, int]]":
        layers = layers_of(arch)
        steps = self.schedule.steps
        change = layered_steps(layers, self.recipe, steps, self._form)
        size = self.recipe.batch
        lengths = (self._training.length(size), self._validation.length(size))
        if change:
            yield Layered(layers, self.recipe, self.image, lengths), 0, change
        yield Whole(layers, self.recipe, self.image, lengths), change, 2**62


class _Run:
    """One training: which form serves which steps, and what it has cost."""

    def __init__(
        self, trainer: Trainer, arch: Arch, epochs: int, seed: int, stop: Callable[[], None]
    ) -> None:
        self._trainer, self._epochs, self._seed, self._stop = trainer, epochs, seed, stop
        self._forms = list(trainer._forms(arch))
        self._exact = trainer.like(arch)
        self._ready: set[int] = set()
        self.compile_seconds = 0.0
        self.train_loss = float("nan")
        trainer.prepare(arch, epochs)

    def advance(self, state: State, start: int, end: int) -> State:
        """The host's state after steps `start` to `end`."""
        for form, low, high in self._forms:
            low, high = max(low, start), min(high, end)
            if low < high:
                self._wait(form)
                state = self._steps(form, state, low, high)
        return state

    def _wait(self, form: _Form) -> None:
        if id(form) not in self._ready:
            self.compile_seconds += form.ready(self._trainer.programs)
            self._ready.add(id(form))

    def _steps(self, form: _Form, state: State, start: int, end: int) -> State:
        trainer = self._trainer
        per = trainer.schedule.steps
        state = jax.device_put(resized(state, form.like), trainer.device)
        seed = np.uint32(self._seed % 2**32)
        while start < end:
            epoch = start // per
            pause = min(end, (epoch + 1) * per)
            indices = order(trainer._count, trainer.recipe.batch, self._seed, epoch)
            chosen = indices[start - epoch * per : pause - epoch * per]
            losses = []
            for step, batch in enumerate(trainer._training.batches(chosen), start):
                rate = np.float32(trainer.schedule.rate(step, self._epochs))
                state, loss = form.step(state, batch, seed, np.uint32(step), rate)
                losses.append(loss)
            values = np.array([np.asarray(loss) for loss in losses])
            if not np.isfinite(values).all():
                raise Diverged(f"the loss is {values[-1]} in epoch {epoch + 1}")
            self.train_loss = float(values.mean())
            start = pause
            self._stop()
        return resized(jax.device_get(state), self._exact)

    def scores(self, state: State, feed: Feed, count: int, step: int) -> Scores:
        """Exact scores; the form is the one that a next step would be made by."""
        trainer = self._trainer
        form = next(f for f, low, high in self._forms if low <= max(step - 1, 0) < high)
        self._wait(form)
        size = trainer.recipe.batch
        state = jax.device_put(resized(state, form.like), trainer.device)
        totals = jax.device_put(no_totals(trainer.recipe.classes), trainer.device)
        indices, masks = padded(count, size)
        for mask, batch in zip(masks, feed.batches(indices), strict=True):
            totals = form.score(state, batch, mask, totals)
        loss, images, hits = (np.asarray(part, np.float64) for part in totals)
        if not np.isfinite(loss):
            raise Diverged(f"the validation loss is {loss}")
        present = images > 0
        return Scores(
            accuracy=float(hits.sum() / images.sum()),
            balanced=float((hits[present] / images[present]).mean()),
            loss=float(loss / images.sum()),
        )


def padded(count: int, size: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Indices and masks [batches, size] that see every image once; padding has the mask 0."""
    batches = -(-count // size)
    index = np.zeros(batches * size, np.int32)
    index[:count] = np.arange(count)
    mask = (np.arange(batches * size) < count).astype(np.float32)
    return index.reshape(batches, size), mask.reshape(batches, size)
