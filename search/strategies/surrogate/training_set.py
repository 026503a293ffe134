"""The GP's training set: results, rescaled short results, pending jobs at their predicted value."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search.jobs import Options
from search.strategies.history import History
from search.strategies.surrogate.acquisition import negative_log_error
from search.strategies.surrogate.arrays import FloatArray, IndexArray
from search.strategies.surrogate.kernel_cache import KernelCache

# Encodings with results that the model is fitted to.
FITTED = 128
# Prior of the line from short to full results: equal spreads and this correlation, weighing as much
# as so many pairs; and the least correlation that is used.
_PRIOR_PAIRS, _PRIOR_CORRELATION, _LEAST_CORRELATION = 5, 0.8, 0.1
# Fidelity noise where there are not enough pairs to estimate it from.
_UNKNOWN_NOISE = 0.5


class TrainingSet:
    """Results by encoding and epochs as negative log-errors, with their rows in a kernel cache.

    Beyond `FITTED` encodings each new one replaces another: one with only short results if there
    is any, never one of the front. Short results are mapped to full length by a line through the
    encodings that have both. Pending encodings count as observed at their predicted value (Kriging
    believer: Ginsbourger, Le Riche and Carraro, 2010).
    """

    def __init__(self, cache: KernelCache, history: History, rng: np.random.Generator) -> None:
        self._cache, self._history, self._rng = cache, history, rng
        self._full = history.problem.epochs
        self.row: dict[Options, int] = {}
        self.pending: dict[Options, float] = {}
        self._values: dict[Options, dict[int, float]] = {}  # by epochs
        self._lengths: set[int] = set()
        # By epochs: (short, full) values of the encodings that have both.
        self._pairs: dict[int, dict[Options, tuple[float, float]]] = {}
        # What `arrays` returns of results alone, until they change.
        self._told: tuple[IndexArray, FloatArray, FloatArray] | None = None

    def snapshot(self) -> dict[str, Any]:
        """Return what is held; pairs as indices of their full results in the history."""
        return {
            "rows": [[options, row] for options, row in self.row.items()],
            "pending": [[options, value] for options, value in self.pending.items()],
            "values": [[options, [*values.items()]] for options, values in self._values.items()],
            "lengths": sorted(self._lengths),
            "pairs": [
                [length, [self._history.place(options) for options in pairs]]
                for length, pairs in self._pairs.items()
            ],
        }

    def restore(
        self, state: Mapping[str, Any], accuracies: Mapping[tuple[Options, int], float]
    ) -> None:
        """Go on from what `snapshot` returned; cache and history are restored already.

        `accuracies`: the results told, by encoding and epochs.
        """
        self.row = {tuple(options): row for options, row in state["rows"]}
        self.pending = {tuple(options): value for options, value in state["pending"]}
        self._values = {tuple(options): dict(values) for options, values in state["values"]}
        self._lengths = set(state["lengths"])
        self._told = None
        for length, places in state["pairs"]:
            pairs = self._pairs[length] = {}
            for place in places:
                options = self._history.observations[place].options
                accuracy = np.array([accuracies[options, length], accuracies[options, self._full]])
                short, full = (float(negative_log_error(one)) for one in accuracy)
                pairs[options] = short, full

    def add(self, options: Options, epochs: int, accuracy: float) -> None:
        """Add a result, and its encoding to the cache if it is new there."""
        value = float(negative_log_error(np.array(accuracy)))
        self._told = None
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
                if length == self._full:
                    continue
                self._pairs.setdefault(length, {})[options] = short, values[self._full]
        if options not in self.row:
            self.row[options] = self._cache.add([options])[0]

    def add_pending(self, options: Options, row: int, value: float) -> None:
        """Add a proposal at its predicted `value`."""
        self.pending[options], self.row[options] = value, row

    def forget(self, options: Options) -> None:
        """Drop all results of an encoding and its row."""
        self._told = None
        self.pending.pop(options, None)
        self._values.pop(options, None)
        row = self.row.pop(options, None)
        if row is not None:
            self._cache.drop(row)

    def fail(self, options: Options) -> None:
        """Drop the predicted value of a job that failed; shorter results stay."""
        self.pending.pop(options, None)
        if options not in self._values:
            self.forget(options)

    def fidelity_noise(self, epochs: Sequence[int]) -> FloatArray:
        """Return the standard deviation [m] of results of such `epochs` around full-length ones."""
        found = {length: self._line(length)[2] for length in set(epochs)}
        return np.array([found[length] for length in epochs])

    def arrays(self, *, imagined: bool = True) -> tuple[IndexArray, FloatArray, FloatArray]:
        """Return rows in the cache, targets and fidelity noise, each [n].

        An encoding counts once, by its longest training, at full length; unless `imagined`, only
        results do.
        """
        if self._told is None:
            self._told = self._results()
        if not imagined or not self.pending:
            return self._told
        rows, targets, noise = (array.tolist() for array in self._told)
        place = {row: i for i, row in enumerate(rows)}
        for options, value in self.pending.items():
            i = place.get(self.row[options])
            if i is None:
                rows.append(self.row[options])
                targets.append(value)
                noise.append(0.0)
            else:
                # Trained for longer than its result, and imagined to be done.
                targets[i], noise[i] = value, 0.0
        return np.array(rows, np.intp), np.array(targets), np.array(noise)

    def _results(self) -> tuple[IndexArray, FloatArray, FloatArray]:
        """Return what `arrays` does of results alone."""
        lines = {length: self._line(length) for length in {self._full, *self._lengths}}
        rows, targets, noise = [], [], []
        for options, values in self._values.items():
            longest = max(values)
            slope, intercept, deviation = lines[longest]
            rows.append(self.row[options])
            targets.append(slope * values[longest] + intercept)
            noise.append(deviation)
        return np.array(rows, np.intp), np.array(targets), np.array(noise)

    def _line(self, length: int) -> tuple[float, float, float]:
        """Return slope and intercept from results of `length` epochs to full ones, and their noise.

        The model takes a mapped short result for the full one plus noise. That is the regression of
        short on full results, inverted. The regression of full on short results would be flatter,
        because it allows for the noise, for which the model allows again.
        """
        if length >= self._full:
            return 1.0, 0.0, 0.0
        pairs = np.array(list(self._pairs.get(length, {}).values())).reshape(-1, 2)
        if len(pairs) < 2:
            return 1.0, float((pairs[:, 1] - pairs[:, 0]).sum()), _UNKNOWN_NOISE
        short, full = pairs.T
        short_spread, full_spread = float(np.std(short)), float(np.std(full))
        if min(short_spread, full_spread) <= 0:
            return 1.0, float(np.median(full - short)), _UNKNOWN_NOISE
        covariance = float(np.mean((short - short.mean()) * (full - full.mean())))
        weight = len(short) / (len(short) + _PRIOR_PAIRS)
        measured = covariance / (short_spread * full_spread)
        correlation = max(_LEAST_CORRELATION, weight * measured + (1 - weight) * _PRIOR_CORRELATION)
        slope = (full_spread / short_spread) ** weight / correlation
        intercept = float(np.median(full - slope * short))
        return slope, intercept, full_spread * math.sqrt(1 / correlation**2 - 1)

    def _dispensable(self) -> Options:
        """Return a random encoding that is neither pending nor on the front, short ones first."""
        keep = {observation.options for observation in self._history.front()} | set(self.pending)
        others = [options for options in self._values if options not in keep]
        short = [options for options in others if self._full not in self._values[options]]
        others = short or others or list(self._values)
        return others[int(self._rng.integers(len(others)))]
