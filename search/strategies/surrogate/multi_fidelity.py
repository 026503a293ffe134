"""Training candidates in steps, with the surrogate's model to say which to continue."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.jobs import Exhausted, Job, Options, Result
from search.strategies.history import Problem, is_known
from search.strategies.surrogate.strategy import Surrogate

# Encodings that cover the log-cost evenly before the model is asked: fewer than at full length,
# since short results inform it sooner.
START = 6
# The first candidates are promoted unconditionally: the front needs members, and the model needs
# pairs of short and full results to learn how well they correlate.
_UNCONDITIONAL = 8
# From so many full-length results on the model predicts better than a short training, and every
# new candidate is continued.
_NO_SCREENING = 20


class MultiFidelity:
    """Trains each candidate in steps and asks the surrogate's model before every step.

    A new encoding is trained for the shortest of `lengths` [epochs, ascending]. Its result goes to
    the model as a noisy observation of the full-length one. From then on it competes, at the price
    of the training that is left, with all other paused encodings and with new ones. Many are
    abandoned where short results predict full ones well, and few where they do not. Asynchronous:
    it never waits for a rung to fill.
    """

    def __init__(self, problem: Problem, inner: Surrogate, lengths: tuple[int, ...]) -> None:
        self._problem, self._inner, self._lengths = problem, inner, lengths
        # Epochs that each encoding was trained for which could be continued now.
        self._paused: dict[Options, int] = {}
        self._jobs: dict[Options, Job] = {}
        # Candidates promoted unconditionally: those that have not reached full length yet, and the
        # number chosen so far.
        self._unconditional: set[Options] = set()
        self._chosen = 0
        self._full = 0
        self._exhausted: Exhausted | None = None

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        for options in self._paused:
            if options in self._unconditional:
                return self._next_step(options)
        if self._exhausted is None:
            try:
                job = self._inner.choose(self._paused, self._lengths)
            except Exhausted as error:
                self._exhausted = error
            else:
                options = job.options
                self._jobs.setdefault(options, job)
                if self._chosen < _UNCONDITIONAL or self._full >= _NO_SCREENING:
                    self._chosen += options not in self._unconditional
                    self._unconditional.add(options)
                return self._next_step(options)
        if not self._paused:
            raise Exhausted(str(self._exhausted))
        return self._next_step(next(iter(self._paused)))

    def tell(self, job: Job, result: Result) -> None:
        """Learn a result of any length; after a failed one its encoding is never continued."""
        self._inner.tell(job, result)
        # The job may never have been asked for, such as one of another study.
        self._paused.pop(job.options, None)
        if not is_known(result):
            self._unconditional.discard(job.options)
            return
        if job.epochs >= self._problem.epochs:
            self._full += 1
            self._unconditional.discard(job.options)
        elif job.epochs in self._lengths:
            self._paused[job.options] = job.epochs
            self._jobs.setdefault(job.options, job)

    def snapshot(self) -> dict[str, Any]:
        """Return the state beside jobs and results; see `search.jobs.Resumable`."""
        return {
            "inner": self._inner.snapshot(),
            "paused": [[options, epochs] for options, epochs in self._paused.items()],
            "unconditional": sorted(self._unconditional, key=repr),
            "chosen": self._chosen,
            "full": self._full,
            "exhausted": None if self._exhausted is None else str(self._exhausted),
        }

    def restore(
        self, state: Mapping[str, Any], asked: Sequence[Job], told: Sequence[tuple[Job, Result]]
    ) -> None:
        """Go on from a snapshot."""
        self._inner.restore(state["inner"], asked, told)
        for job in [*asked, *(job for job, _ in told)]:
            self._jobs.setdefault(job.options, job)
        self._paused = {tuple(options): epochs for options, epochs in state["paused"]}
        self._unconditional = {tuple(options) for options in state["unconditional"]}
        self._chosen, self._full = int(state["chosen"]), int(state["full"])
        if state["exhausted"] is not None:
            self._exhausted = Exhausted(state["exhausted"])

    def _next_step(self, options: Options) -> Job:
        """Return the job of a paused encoding's next length, or of a new one's first."""
        trained = self._paused.pop(options, None)
        rung = 0 if trained is None else self._lengths.index(trained) + 1
        return replace(self._jobs[options], epochs=self._lengths[rung])
