"""Learning curves as records of a study, under the number of their trial or confirmation."""

import math
from collections.abc import Mapping
from typing import Any

from search.jobs import Curve
from search.study.checks import Damaged, integer, mapping, member, number_or_nan, refusal, sequence

KIND, CONFIRMATION = "curve", "confirmation_curve"


def curve_from_json(values: object, where: str) -> Curve:
    """Undo `Curve.as_json`; raises `Damaged` for a missing column or one of another length."""
    given = mapping(values, where)

    def column(name: str, absent: int | None = None) -> tuple[float, ...]:
        found: Any = member(given, name, where)
        if found is None and absent is not None:
            return (math.nan,) * absent
        place = f"{where}.{name}"
        return tuple(number_or_nan(one, place) for one in sequence(found, place))

    epochs = tuple(
        integer(one, f"{where}.epochs", 1)
        for one in sequence(member(given, "epochs", where), f"{where}.epochs")
    )
    try:
        return Curve(
            epochs,
            column("train_loss"),
            column("train_accuracy"),
            column("validation_loss", len(epochs)),
            column("validation_accuracy", len(epochs)),
            column("learning_rate"),
            column("seconds"),
        )
    except ValueError as error:
        raise Damaged(f"{where}: {error}") from None


def read_curves(records: Mapping[str, Any], kind: str = KIND) -> dict[int, Curve]:
    """Return the curves that a study recorded by number, in its order; raises `Damaged`."""
    found = {
        key_number(key, kind): curve_from_json(value, f"{kind} {key:.40}")
        for key, value in records.items()
    }
    return dict(sorted(found.items()))


def key_number(key: str, kind: str = KIND) -> int:
    """Return the number of the trial whose record has this key; raises `Damaged` for another."""
    # Only the one way in which a number is written: 01 and 1 would be one trial.
    if not (key.isascii() and key.isdigit() and len(key) < 19 and key == str(int(key))):
        raise refusal(key, f"a key of {kind}", "must be the number of a trial")
    return int(key)
