"""Samples of networks that are compared, not searched: trained at several lengths, with twins."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.errors import UserError, shown
from search.jobs import Candidate, Job, Options, Result
from search.networks.arch import Arch
from search.networks.blocks import BLOCKS
from search.strategies.history import History, Problem
from search.strategies.log_cost import LogCostLevels


class Population:
    """Proposes random encodings evenly over log-costs, and every training wanted of each.

    What becomes of one never decides about another, so that populations can be compared as in
    arXiv:2003.13678. Each is trained at each of `lengths` [epochs], of which a longer one goes on
    from the stable phase of a shorter one, then again with the next of `repeats` seeds. With a
    `twin`, the same trainings follow of the network whose blocks are all of that kind, at equal
    kernels, widths, depth, strides and skips; networks whose twin costs less or more than the
    budget allows are left out.

    Raises `UserError` for lengths that do not ascend to the full one, and a twin that is no block.
    """

    def __init__(
        self,
        problem: Problem,
        lengths: Sequence[int] = (),
        repeats: int = 1,
        twin: str | None = None,
    ) -> None:
        if list(lengths) != sorted({*lengths}) or any(not 1 <= n < problem.epochs for n in lengths):
            raise UserError(
                f"strategy.lengths={shown(list(lengths))} must ascend, each below epochs="
                f"{problem.epochs}, which is the longest training and always done"
            )
        self._history = History(problem)
        self._levels = LogCostLevels(self._history, problem.generator(0))
        seeds = [problem.seed + repeat for repeat in range(repeats)]
        self._trainings = [(n, seed) for seed in seeds for n in (*lengths, problem.epochs)]
        self._twin = twin
        # The encoding whose trainings are being asked for, and how many were.
        self._current: Options | None = None
        self._asked = 0

    def ask(self) -> Job:
        """Return the next job; raises `Exhausted` when none is left."""
        sides = 1 if self._twin is None else 2
        if self._current is None or self._asked == sides * len(self._trainings):
            self._current = self._next().options
            self._asked = 0
        found = self._history.known[self._current]
        side, place = divmod(self._asked, len(self._trainings))
        if side:
            found = _twin(found, str(self._twin))
        epochs, seed = self._trainings[place]
        self._asked += 1
        return found.job(epochs, seed)

    def _next(self) -> Candidate:
        problem = self._history.problem
        while True:
            found = self._history.first_new(self._levels.propose).candidate
            if self._twin is None:
                return found
            if problem.low <= _twin(found, self._twin).multiplies <= problem.high:
                return found

    def tell(self, job: Job, result: Result) -> None:
        """Remember the network, so that it is not proposed again; results decide nothing."""
        if self._twin not in job.options:
            self._history.tell(job, result)

    def snapshot(self) -> dict[str, Any]:
        """Return the state beside jobs and results; see `search.jobs.Resumable`."""
        return {
            "known": self._history.snapshot(),
            "levels": self._levels.snapshot(),
            "current": self._current,
            "asked": self._asked,
        }

    def restore(
        self, state: Mapping[str, Any], asked: Sequence[Job], told: Sequence[tuple[Job, Result]]
    ) -> None:
        """Go on from a snapshot."""
        own = [job for job in asked if self._twin not in job.options]
        self._history.restore(state["known"], own, told, self.tell)
        self._levels.restore(state["levels"])
        current = state["current"]
        self._current = None if current is None else tuple(current)
        self._asked = int(state["asked"])


def _twin(found: Candidate, op: str) -> Candidate:
    """Return the network of one shape with `found` whose blocks are all of the kind `op`."""
    arch = found.value
    if not isinstance(arch, Arch):
        raise UserError(
            f"strategy.twin={op} exchanges the blocks of networks, and this space's values are not"
            " an Arch; leave it out"
        )
    kinds = {block.op for block in arch.blocks}
    for kind in kinds:
        if kind == op:
            raise UserError(
                f"strategy.twin={op} is a block of the space; leave it out of space.ops"
            )
        if BLOCKS[kind].fields != BLOCKS[op].fields:
            raise UserError(
                f"strategy.twin={op} cannot take the place of {kind}, of which other fields are"
                " decided; leave one of them out"
            )
    blocks = tuple(replace(block, op=op) for block in arch.blocks)
    options = tuple(op if option in kinds else option for option in found.options)
    return Candidate.of(replace(arch, blocks=blocks), options)
