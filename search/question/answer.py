"""The whole answer: every table of it, computed once from the trainings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from search.files import finite
from search.networks.blocks import Block
from search.networks.cost import ConvolutionStyle, block_layers
from search.question.best import AtBudget, Found, at_budgets, known, searches
from search.question.crossing import Curve, curve
from search.question.differences import (
    Difference,
    Distance,
    Outside,
    bands,
    by_band,
    by_family,
    changes,
    distances,
    outside,
    overall,
    shared_range,
)
from search.question.latency import InTime, in_time
from search.question.reading import Material
from search.question.shapes import MatchedOn, Model, Place, matched_on, models, place_of_standard
from search.question.trainings import Training
from search.question.twins import Twins, twins

FORMAT = "convbudget-question/1"
# The question's own example: one 3x3 convolution of an RGB image to 128 channels, with biases.
_EXERCISE = 3, 128, (32, 32)


@dataclass(frozen=True)
class Exercise:
    """The cost of one standard convolution and of the separable one in its place."""

    conv_params: int
    separable_params: int
    conv_multiplies: int
    separable_multiplies: int


@dataclass(frozen=True)
class Population:
    """How many trainings there are of a family at one length, and over which multiplies."""

    family: str
    epochs: int
    n: int
    failed: int
    from_multiplies: int
    to_multiplies: int


@dataclass(frozen=True)
class AtLength:
    """All comparisons at one length of training; `low`, `high`: the range that every family has."""

    epochs: int
    low: int
    high: int
    overall: list[Difference]
    by_band: list[Difference]
    distances: list[Distance]
    outside: list[Outside]
    curves: list[Curve]
    models: list[Model]
    matched: list[MatchedOn]
    place: Place | None
    in_time: list[InTime]


@dataclass(frozen=True)
class Change:
    """How differences change from the `short` to the `long` training, network by network."""

    short: int
    long: int
    changes: list[Difference]


@dataclass(frozen=True)
class Answer:
    """Every table of the answer; lists over lengths begin with the shortest training."""

    data: list[str]
    exercise: Exercise
    populations: list[Population]
    lengths: list[AtLength]
    change: Change | None
    twins: list[Twins]
    best: list[AtBudget]
    # How many there were for each family.
    searches: dict[str, int]
    known: list[Found]

    @property
    def longest(self) -> AtLength | None:
        """The comparisons at the full length; None where no two families have networks."""
        return self.lengths[-1] if self.lengths else None

    @property
    def fewest(self) -> int:
        """Networks of the smallest population at the full length."""
        longest = max((one.epochs for one in self.populations), default=0)
        return min((one.n for one in self.populations if one.epochs == longest), default=0)


def answer(material: Material) -> Answer:
    """Compute every table; equal trainings in any order give the same answer."""
    trainings = material.trainings
    drawn = [one for one in trainings if one.design == "population"]
    epochs = sorted({one.epochs for one in drawn})
    lengths = [one for n in epochs if (one := _at_length(drawn, n)) is not None]
    change = None
    if len(lengths) > 1:
        short, long = lengths[0], lengths[-1]
        low, high = max(short.low, long.low), min(short.high, long.high)
        change = Change(
            short.epochs, long.epochs, changes(drawn, short.epochs, long.epochs, low, high)
        )
    paired = sorted({one.epochs for one in trainings if one.design == "twins"})
    return Answer(
        sorted({one.data for one in trainings}),
        _exercise(),
        [one for n in epochs for one in _populations(drawn, n)],
        lengths,
        change,
        [pairs for n in paired if (pairs := twins(trainings, n)) is not None],
        at_budgets(material.best),
        searches(material.best),
        known(material.best),
    )


def as_json(found: Answer) -> dict[str, Any]:
    """Return all tables as plain JSON values; what is not known is null, as JSON has no NaN."""
    return {"format": FORMAT, **asdict(found, dict_factory=_finite)}


def _finite(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: finite(value) for name, value in fields}


def _at_length(drawn: Sequence[Training], epochs: int) -> AtLength | None:
    networks = by_family(drawn, epochs)
    if len(networks) < 2:
        return None
    shared = shared_range(networks)
    if shared is None:
        return None
    low, high = shared
    first = next(iter(networks))
    smooth = (curve(networks[a], networks[b], low, high) for a, b in combinations(networks, 2))
    return AtLength(
        epochs,
        low,
        high,
        overall(networks, low, high),
        by_band(networks, bands(low, high)),
        distances(networks, epochs),
        outside(networks, low, high),
        [one for one in smooth if one is not None],
        models(networks, low, high, epochs),
        matched_on(networks, low, high, first),
        place_of_standard(networks, low, high, epochs),
        in_time(networks, first),
    )


def _populations(drawn: Sequence[Training], epochs: int) -> list[Population]:
    found = []
    for family, own in by_family(drawn, epochs).items():
        failed = sum(
            one.family == family and one.epochs == epochs and one.status != "ok" for one in drawn
        )
        costs = [one.multiplies for one in own]
        found.append(Population(family, epochs, len(own), failed, min(costs), max(costs)))
    return found


def _exercise() -> Exercise:
    inputs, outputs, size = _EXERCISE
    style = ConvolutionStyle(bias=True, batch_norm=False)
    conv, separable = (
        [*block_layers(Block(op, outputs), inputs, size, style=style)]
        for op in ("conv", "separable")
    )
    return Exercise(
        sum(layer.params for layer in conv),
        sum(layer.params for layer in separable),
        sum(layer.multiplies for layer in conv),
        sum(layer.multiplies for layer in separable),
    )
