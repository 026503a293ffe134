"""What a training begins with, and what it leaves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from search.engine.curves import Rows
from search.engine.scores import Scores
from search.engine.state import State
from search.jobs import Curve


class Diverged(Exception):
    """Raised when the training or validation loss is NaN or infinite; `curve` until then."""

    curve: Curve | None = None


class Start(NamedTuple):
    """Where a training goes on: the state after `step` steps of a stable phase, and its `rows`."""

    state: State
    step: int
    rows: Rows


Save = Callable[[int, Rows, Callable[[], State]], None]
"""Called between the epochs of the stable phase: the steps made, the rows, a way to the state."""

Initial = Mapping[str, Mapping[str, NDArray[Any]]]
"""Weights to begin with: by the id of the architecture, by their names."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A finished training.

    `state`: final, on the host; `stable_phase`: the state after `decay_start` steps, from which a
    longer training goes on; `scores` on the validation part; `train_loss`: of the last epoch's
    batches, or of those since the decay began, if that was later; `compile_seconds`: spent waiting
    for programs; `rows` of the curve, and `stable_rows` at the stable phase's end.
    """

    state: State
    stable_phase: State
    decay_start: int
    scores: Scores
    train_loss: float
    compile_seconds: float
    rows: Rows
    stable_rows: Rows
