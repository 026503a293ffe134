"""What time says in place of multiplies, where `convbudget latency` measured the networks."""

import math
from dataclasses import dataclass

import numpy as np

from search.question.differences import FEWEST, Networks, accuracies, costs
from search.question.regression import Term, fit


@dataclass(frozen=True)
class InTime:
    """Two families by their latency.

    `slower`: log2 of the second's time over the first's at equal multiplies; `points`: its accuracy
    minus the first's at equal time, in points; `measured`: by what.
    """

    first: str
    second: str
    epochs: int
    measured: str
    n_first: int
    n_second: int
    slower: Term
    points: Term


def in_time(networks: Networks, first: str) -> list[InTime]:
    """Compare families with `first` over the networks that were measured in one way."""
    known = {
        name: [one for one in own if not math.isnan(one.latency_ms)]
        for name, own in networks.items()
    }
    ways = sorted({one.latency_of for own in known.values() for one in own})
    found = []
    for way in ways:
        alike = {name: [one for one in own if one.latency_of == way] for name, own in known.items()}
        for second, own in alike.items():
            base = alike.get(first, [])
            if second == first or min(len(own), len(base)) < FEWEST:
                continue
            rows = [*base, *own]
            side = {"side": np.repeat([0.0, 1.0], [len(base), len(own)])}
            cost = costs(rows) - costs(rows).mean()
            time = np.log2([one.latency_ms for one in rows])
            centred = time - time.mean()
            slower = fit(time, side | {"cost": cost, "cost²": cost**2})
            points = fit(100 * accuracies(rows), side | {"time": centred, "time²": centred**2})
            if slower is not None and points is not None:
                terms = slower.term("side"), points.term("side")
                about = first, second, rows[0].epochs, way, len(base), len(own)
                found.append(InTime(*about, *terms))
    return found
