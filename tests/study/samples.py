"""The study that tests of this room write."""

import json
from dataclasses import replace

from search.jobs import Job, Result
from search.study.study import StudyInfo
from search.study.trials import Trial

FACTS = StudyInfo(100, 10**25, 0, 10_000, 7 * 10**25, True, 0.1, 8, {"name": "digits"})
SETTINGS = {"seed": 0, "data": {"name": "digits", "sizes": [1, 2]}}


def trial(number: int, accuracy: float = 0.5, **changes: object) -> Trial:
    made = Trial(
        number=number,
        job=Job(("conv", number), 8, 0),
        value=json.dumps({"n": number}),
        arch_id=f"{number:012x}",
        multiplies=1000 + number,
        params=None,
        asked_after=number,
        result=Result(accuracy, 0.25, 1.5, details={"compile": 0.5}),
    )
    return replace(made, **changes)  # type: ignore[arg-type]
