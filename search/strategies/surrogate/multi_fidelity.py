"""Short trainings first around the surrogate: its model says which are worth going on with."""

from dataclasses import replace

from search.jobs import Exhausted, Job, Options, Result
from search.strategies.history import Problem, is_known
from search.strategies.surrogate.strategy import Surrogate

# Encodings at even levels before the model is asked; fewer than at full length, since short results
# soon add to what it knows.
START = 6
# So many candidates go on unconditionally: the front needs members, and the model pairs of short
# and full results, before it can say what a short one is reservation value.
_HEAD = 8
# With so many results at full length the model knows more than a short training would say, and
# everything goes on.
_SCREENED = 20


class MultiFidelity:
    """Trains each candidate step by step, and asks the surrogate's model before every step.

    A new encoding starts at the shortest of `lengths` [epochs]. Its result is told to the model,
    with noise of its own; from then on it competes, at the cost of what is left to train, with all
    others that were left at some length and with new encodings. So many are cut short where short
    trainings say much, and hardly any where they say little. Nothing waits for a rung.
    """

    def __init__(self, problem: Problem, inner: Surrogate, lengths: tuple[int, ...]) -> None:
        self._problem, self._inner, self._lengths = problem, inner, lengths
        # How long each encoding was trained that could go on now.
        self._paused: dict[Options, int] = {}
        self._jobs: dict[Options, Job] = {}
        # Those that go on whatever their short results are.
        self._sure: set[Options] = set()
        self._full = 0
        self._exhausted: Exhausted | None = None

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        for options in self._paused:
            if options in self._sure:
                return self._on(options)
        if self._exhausted is None:
            try:
                job = self._inner.choose(self._paused, self._lengths)
            except Exhausted as error:
                self._exhausted = error
            else:
                options = job.options
                self._jobs.setdefault(options, job)
                if len(self._sure) < _HEAD or self._full >= _SCREENED:
                    self._sure.add(options)
                return self._on(options)
        if not self._paused:
            raise Exhausted(str(self._exhausted))
        return self._on(next(iter(self._paused)))

    def tell(self, job: Job, result: Result) -> None:
        """Learn a result at any length; after a failed one an encoding never goes on."""
        self._inner.tell(job, result)
        # A result may come that was not asked for, such as one of another study.
        self._paused.pop(job.options, None)
        if not is_known(result):
            return
        if job.epochs >= self._problem.epochs:
            self._full += 1
        elif job.epochs in self._lengths:
            self._paused[job.options] = job.epochs
            self._jobs.setdefault(job.options, job)

    def _on(self, options: Options) -> Job:
        """Return the next step's job of a paused list, or the first of a new one."""
        done = self._paused.pop(options, None)
        rung = 0 if done is None else self._lengths.index(done) + 1
        return replace(self._jobs[options], epochs=self._lengths[rung])
