"""The recorded order of events of a search with several workers, which a resumed study repeats."""

from collections.abc import Mapping
from dataclasses import dataclass

from search.study.arrival import Arrival
from search.study.trials import Trial


@dataclass(frozen=True)
class Tell:
    """A result that was told: of which trial, and what the strategy was asked for before that.

    `asked`: jobs that it had proposed by then; `exhausted`: whether it was asked once more, in
    vain.
    """

    number: int
    asked: int
    exhausted: bool = False


def recorded_tells(
    stored: Mapping[int, Trial], arrivals: Mapping[int, Arrival], ahead: int
) -> list[Tell]:
    """Return all recorded results in the order in which they were told.

    Those without an arrival come first: one worker evaluated them, and they were told in the order
    of trials, each after the next job but `ahead` had been proposed. A job that was in flight at a
    kill is not stored, and yet proposed again at its place: `asked` counts it.
    """
    by_number = sorted(set(stored) - set(arrivals))
    by_arrival = sorted(set(stored) & set(arrivals), key=lambda number: arrivals[number].place)
    askings = iter(sorted(stored.items()))
    asking = next(askings, None)
    tells: list[Tell] = []
    asked = 0
    for place, number in enumerate([*by_number, *by_arrival]):
        while asking is not None and asking[1].asked_after <= place:
            asked, asking = max(asked, asking[0] + 1), next(askings, None)
        arrival = arrivals.get(number)
        proposed = place + 1 + ahead if arrival is None else arrival.asked
        asked = max(asked, proposed, number + 1)
        tells.append(Tell(number, asked, arrival is not None and arrival.exhausted))
    return tells
