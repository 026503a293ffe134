"""What a model is fitted to: results at full length and shorter, and pending ones."""

import math
from collections.abc import Sequence

import numpy as np

from search.jobs import Options
from search.strategies.history import History
from search.strategies.surrogate.acquisition import negative_log_error
from search.strategies.surrogate.encoding import Matrix
from search.strategies.surrogate.kernel_cache import Index, KernelCache

# Encodings that the model is fitted to, and proposals whose results it imagines.
FITTED, PENDING = 128, 32
# Pairs of short and full results that weigh as much as the belief that their spreads are equal and
# that they correlate so; and the least that they are taken to. Noise as long as there are none.
_DRAWN, _BELIEVED, _LEAST, _FAR = 5, 0.8, 0.1, 0.5


class TrainingSet:
    """Results by encoding and epochs as `negative_log_error`, with numbers in a kernel cache.

    Beyond `FITTED` encodings one is dropped for each new one: a shorter training if there is one,
    never one of the front. Results of shorter trainings are brought to where those at full length
    lie, by the encodings that have both.
    """

    def __init__(self, cache: KernelCache, history: History, rng: np.random.Generator) -> None:
        self._cache, self._history, self._rng = cache, history, rng
        self._full = history.problem.epochs
        self.number: dict[Options, int] = {}
        self.pending: dict[Options, float] = {}
        self._values: dict[Options, dict[int, float]] = {}
        self._lengths: set[int] = set()
        self._pairs: dict[int, dict[Options, tuple[float, float]]] = {}

    def hold(self, options: Options, epochs: int, accuracy: float) -> bool:
        """Take in a result; return whether its encoding is new to the cache."""
        value = float(negative_log_error(np.array(accuracy)))
        self.pending.pop(options, None)
        values = self._values.get(options)
        if values is None:
            if len(self._values) >= FITTED:
                self.forget(self._dispensable())
            values = self._values[options] = {}
        values[epochs] = value
        self._lengths.add(epochs)
        if self._full in values:
            for length, short in values.items():
                self._pairs.setdefault(length, {})[options] = short, values[self._full]
        if options in self.number:
            return False
        self.number[options] = self._cache.add([options])[0]
        return True

    def add_pending(self, options: Options, number: int, value: float) -> bool:
        """Count a proposal as if its result were `value`; False if there are too many."""
        if len(self.pending) >= PENDING:
            return False
        self.pending[options], self.number[options] = value, number
        return True

    def forget(self, options: Options) -> None:
        """Drop whatever is known or pending of an encoding."""
        self.pending.pop(options, None)
        self._values.pop(options, None)
        number = self.number.pop(options, None)
        if number is not None:
            self._cache.drop(number)

    def fail(self, options: Options) -> None:
        """Stop imagining a result, which will never come."""
        self.pending.pop(options, None)
        if options not in self._values:
            self.forget(options)

    def noise(self, epochs: Sequence[int]) -> Matrix:
        """Return how far results of such lengths lie from full ones [m], as standard deviations."""
        found = {length: self._line(length)[2] for length in set(epochs)}
        return np.array([found[length] for length in epochs])

    def rows(self) -> tuple[Index, Matrix, Matrix]:
        """Return numbers in the cache, values and `noise` [n] of all that the model may know.

        Of an encoding that goes on longer the shorter results, which say nothing new, are left out.
        """
        numbers, targets, noise = [], [], []
        lines = {length: self._line(length) for length in {self._full, *self._lengths}}
        for options, values in self._values.items():
            longest = max(values)
            numbers.append(self.number[options])
            if options in self.pending:
                targets.append(self.pending[options])
                noise.append(0.0)
            else:
                slope, shift, far = lines[longest]
                targets.append(slope * values[longest] + shift)
                noise.append(far)
        for options, value in self.pending.items():
            if options not in self._values:
                numbers.append(self.number[options])
                targets.append(value)
                noise.append(0.0)
        return np.array(numbers, np.intp), np.array(targets), np.array(noise)

    def _line(self, length: int) -> tuple[float, float, float]:
        """Return slope and shift from results of this length to full ones, and their noise.

        A short result is taken for the full one, scaled, and noise of its own. So the line is the
        regression of short on full results, read backwards; of full on short ones it would be
        flatter, by the noise for which the model allows itself.
        """
        if length >= self._full:
            return 1.0, 0.0, 0.0
        pairs = np.array(list(self._pairs.get(length, {}).values())).reshape(-1, 2)
        if len(pairs) < 2:
            return 1.0, float((pairs[:, 1] - pairs[:, 0]).sum()), _FAR
        short, full = pairs.T
        spread, wanted = float(np.std(short)), float(np.std(full))
        if min(spread, wanted) <= 0:
            return 1.0, float(np.median(full - short)), _FAR
        seen = float(np.mean((short - short.mean()) * (full - full.mean()))) / (spread * wanted)
        weight = len(short) / (len(short) + _DRAWN)
        alike = max(_LEAST, weight * seen + (1 - weight) * _BELIEVED)
        slope = (wanted / spread) ** weight / alike
        shift = float(np.median(full - slope * short))
        return slope, shift, wanted * math.sqrt(1 / alike**2 - 1)

    def _dispensable(self) -> Options:
        """Return an encoding that is neither pending nor on the front."""
        keep = {trial.options for trial in self._history.front()} | set(self.pending)
        others = [options for options in self._values if options not in keep]
        short = [options for options in others if self._full not in self._values[options]]
        others = short or others or list(self._values)
        return others[int(self._rng.integers(len(others)))]
